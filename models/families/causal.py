"""Decoders of `transformers`: public configurations, made small."""

import numpy as np
import torch
import transformers
from torch import nn

from export import EXPORTERS, torchscript
from model import Model, Sample, seen_none

VOCABULARY, DIM, HEADS, LAYERS, MLP, CONTEXT, LENGTH, PAST = 96, 32, 4, 2, 64, 32, 16, 8

COMMON = dict(vocab_size=VOCABULARY, bos_token_id=1, eos_token_id=2, pad_token_id=0, initializer_range=0.15)
SIZES = dict(hidden_size=DIM, num_hidden_layers=LAYERS, num_attention_heads=HEADS, max_position_embeddings=CONTEXT)
GATED = SIZES | dict(intermediate_size=MLP, num_key_value_heads=2)
GEMMA = GATED | dict(head_dim=8, sliding_window=6, query_pre_attn_scalar=8)

# Family -> class of transformers without "ForCausalLM", configuration.
FAMILIES = {
    "gpt2": ("GPT2LMHeadModel", "GPT2Config", dict(n_positions=CONTEXT, n_embd=DIM, n_layer=LAYERS, n_head=HEADS)),
    "neox": ("GPTNeoXForCausalLM", "GPTNeoXConfig", SIZES | dict(intermediate_size=MLP)),
    "opt": ("OPTForCausalLM", "OPTConfig", SIZES | dict(ffn_dim=MLP, word_embed_proj_dim=DIM, init_std=0.15)),
    "llama": ("LlamaForCausalLM", "LlamaConfig", GATED),
    "qwen2": ("Qwen2ForCausalLM", "Qwen2Config", GATED),
    "qwen3": ("Qwen3ForCausalLM", "Qwen3Config", GATED | dict(head_dim=8)),
    "mistral": ("MistralForCausalLM", "MistralConfig", GATED | dict(sliding_window=6)),
    "gemma2": ("Gemma2ForCausalLM", "Gemma2Config", GEMMA),
    "gemma3": ("Gemma3ForCausalLM", "Gemma3TextConfig", GEMMA),
    "phi": ("PhiForCausalLM", "PhiConfig", SIZES | dict(intermediate_size=MLP)),
    "bloom": ("BloomForCausalLM", "BloomConfig", dict(hidden_size=DIM, n_layer=LAYERS, n_head=HEADS)),
}
# The exporter takes half a minute for each of these.
DYNAMO_PADDED = ("gpt2", "neox", "llama", "qwen3", "mistral", "gemma3", "bloom")


def load(family):
    name, config, sizes = FAMILIES[family]
    torch.manual_seed(0)
    model = getattr(transformers, name)(getattr(transformers, config)(**COMMON | sizes)).eval()
    torch.manual_seed(1)
    for parameter in model.parameters():  # biases and scales of norms are 0 and 1 at first
        if parameter.ndim == 1:
            parameter.data += torch.randn_like(parameter) / 10
    return model


class Logits(nn.Module):
    """Without a mask as an input there is one of ones, for the TorchScript exporter has no `diff`."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, input_ids, attention_mask=None):
        mask = torch.ones_like(input_ids) if attention_mask is None else attention_mask
        return self.model(input_ids=input_ids, attention_mask=mask, use_cache=False).logits


class Cached(nn.Module):
    """Past keys and values in, present ones out. `mask`: takes a mask of past and present tokens, and positions."""

    def __init__(self, model, mask=False):
        super().__init__()
        self.model, self.mask = model, mask

    def forward(self, input_ids, *rest):
        options = {}
        if self.mask:
            options["position_ids"], (mask, _, *rest) = rest[1], rest
        else:
            mask = torch.ones(input_ids.shape[0], rest[0].shape[2] + input_ids.shape[1], dtype=torch.int64)
        cache = transformers.DynamicCache(list(zip(rest[::2], rest[1::2])))
        out = self.model(input_ids=input_ids, attention_mask=mask, past_key_values=cache, use_cache=True, **options)
        return out.logits, *(part for layer in out.past_key_values.layers for part in (layer.keys, layer.values))


def tokens(batch=1, length=LENGTH, seed=7):
    return torch.from_numpy(np.random.default_rng(seed).integers(3, VOCABULARY, (batch, length)))


def arrays(inputs):
    return {name: tensor.numpy() for name, tensor in inputs.items()}


def cache_names(when):
    return [f"{when}.{layer}.{part}" for layer in range(LAYERS) for part in ("key", "value")]


def past(model, length, seed=3):
    """Keys and values as the model makes them of other tokens."""
    with torch.no_grad():
        cache = transformers.DynamicCache()  # that of a configuration keeps of sliding windows what they will read
        model(input_ids=tokens(1, length, seed), past_key_values=cache, use_cache=True)
    parts = [part for layer in cache.layers for part in (layer.keys, layer.values)]
    return dict(zip(cache_names("past_key_values"), parts))


def plain(family, exporter):
    def make(path):
        inputs = {"input_ids": tokens()}
        EXPORTERS[exporter](Logits(load(family)), inputs, ["logits"], path)
        return Sample(arrays(inputs))
    return make


def padded(family, exporter):
    def make(path):
        mask = torch.ones(2, LENGTH, dtype=torch.int64)
        mask[1, :4] = 0
        inputs = {"input_ids": tokens(2), "attention_mask": mask}
        axes = {name: {0: "batch", 1: "length"} for name in inputs}
        EXPORTERS[exporter](Logits(load(family)), inputs, ["logits"], path, axes)
        return Sample(arrays(inputs), {"logits": seen_none(mask.numpy())})
    return make


def symbolic_past(family, mask=False):
    """What is proven is the run from an empty past: all tokens at once. With a mask: axes have Optimum's names."""
    batch, new, old, total = "batch", "length", "past", "total"
    if mask:
        batch, new, old = "batch_size", "sequence_length", "past_sequence_length"
        total = f"{old} + {new}"

    def make(path):
        model, length = load(family), 5
        inputs = {"input_ids": tokens(1, length)}
        axes = {"input_ids": {0: batch, 1: new}, "logits": {0: batch, 1: new}}
        if mask:
            inputs["attention_mask"] = torch.ones(1, length + 3, dtype=torch.int64)
            inputs["position_ids"] = torch.arange(3, length + 3)[None]
            axes |= {"attention_mask": {0: batch, 1: total}, "position_ids": {0: batch, 1: new}}
        inputs |= past(model, 3)
        axes |= {name: {0: batch, 2: old} for name in cache_names("past_key_values")}
        axes |= {name: {0: batch, 2: total} for name in cache_names("present")}
        torchscript(Cached(model, mask), inputs, ["logits", *cache_names("present")], path, axes)
        sample = {"input_ids": tokens().numpy()}
        if mask:
            sample |= {"attention_mask": np.ones((1, LENGTH), np.int64), "position_ids": np.arange(LENGTH)[None]}
        return Sample(sample, unproven=tuple(cache_names("present")))
    return make


def fixed_past(family, length=LENGTH - PAST, past_length=PAST):
    def make(path):
        model = load(family)
        inputs = {"input_ids": tokens(1, length)} | past(model, past_length)
        torchscript(Cached(model), inputs, ["logits", *cache_names("present")], path)
        return Sample(arrays(inputs))
    return make


def models():
    for family in FAMILIES:
        yield Model(f"{family}_torchscript", family, "TorchScript, static", plain(family, "torchscript"))
        yield Model(f"{family}_torchscript_padded", family, "TorchScript, dynamic, mask, 2 sentences",
                    padded(family, "torchscript"))
        yield Model(f"{family}_dynamo", family, "dynamo, static", plain(family, "dynamo"))
        if family in DYNAMO_PADDED:
            yield Model(f"{family}_dynamo_padded", family, "dynamo, dynamic, mask, 2 sentences",
                        padded(family, "dynamo"))
        yield Model(f"{family}_past", family, "TorchScript, symbolic past", symbolic_past(family))
        yield Model(f"{family}_fixed_past", family, f"TorchScript, past of {PAST}", fixed_past(family))
    for family in ("gpt2", "llama"):
        yield Model(f"{family}_past_mask", family, "TorchScript, symbolic past, mask, positions (as Optimum)",
                    symbolic_past(family, mask=True))
