"""Encoders of `transformers`, and the decoder of T5, made small."""

import numpy as np
import torch
import torch.nn.functional as F
import transformers
from torch import nn

from causal import DIM, HEADS, LAYERS, LENGTH, MLP, VOCABULARY, arrays, tokens
from export import EXPORTERS
from model import Model, Sample

SIZES = dict(vocab_size=VOCABULARY, hidden_size=DIM, num_hidden_layers=LAYERS, num_attention_heads=HEADS,
             intermediate_size=MLP, max_position_embeddings=32, initializer_range=0.15, pad_token_id=0)
T5 = dict(vocab_size=VOCABULARY, d_model=DIM, d_kv=8, d_ff=MLP, num_layers=LAYERS, num_heads=HEADS,
          relative_attention_num_buckets=8, relative_attention_max_distance=20, decoder_start_token_id=0)
TEXT = {
    "bert": ("BertModel", "BertConfig", SIZES),
    "distilbert": ("DistilBertModel", "DistilBertConfig",
                   dict(vocab_size=VOCABULARY, dim=DIM, n_layers=LAYERS, n_heads=HEADS, hidden_dim=MLP,
                        max_position_embeddings=32, initializer_range=0.15)),
    "roberta": ("RobertaModel", "RobertaConfig", SIZES | dict(pad_token_id=1)),
    "t5_encoder": ("T5EncoderModel", "T5Config", T5),
}


def build(name, config, sizes):
    torch.manual_seed(0)
    return getattr(transformers, name)(getattr(transformers, config)(**sizes)).eval()


class Hidden(nn.Module):
    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, input_ids, attention_mask=None):
        return self.model(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state


class Sentence(Hidden):
    """Mean over the real tokens, of length 1: as sentence-transformers does."""

    def forward(self, input_ids, attention_mask):
        x = super().forward(input_ids, attention_mask)
        weights = attention_mask[..., None].expand(x.size()).float()
        return F.normalize((x * weights).sum(1) / weights.sum(1).clamp(min=1e-9), p=2, dim=1)


class Decoder(nn.Module):
    """T5's decoder, given what the encoder made."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, input_ids, encoder_hidden_states, encoder_attention_mask=None):
        x = self.model.decoder(input_ids=input_ids, encoder_hidden_states=encoder_hidden_states,
                               encoder_attention_mask=encoder_attention_mask, use_cache=False).last_hidden_state
        return self.model.lm_head(x * DIM**-0.5)


class Features(nn.Module):
    """The hidden states of a model of reals: pixels, or a spectrogram."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, x):
        return self.model(x).last_hidden_state


def padding(length=LENGTH):
    mask = torch.ones(2, length, dtype=torch.int64)
    mask[1, 11:] = 0
    return mask


def reals(*shape):
    return torch.from_numpy(np.random.default_rng(5).standard_normal(shape).astype(np.float32))


def text_inputs(mask):
    return {"input_ids": tokens(2), "attention_mask": padding()} if mask else {"input_ids": tokens()}


def decoder_inputs(mask):
    batch = 2 if mask else 1
    inputs = {"input_ids": tokens(batch), "encoder_hidden_states": reals(batch, 12, DIM)}
    return inputs | ({"encoder_attention_mask": padding(12)} if mask else {})


def maker(module, inputs, exporter, dynamic=None):
    """dynamic: input -> {axis: name}."""
    def make(path):
        example = inputs()
        EXPORTERS[exporter](module(), example, ["y"], path, dynamic)
        return Sample(arrays(example))
    return make


def text(family):
    axes = {name: {0: "batch", 1: "length"} for name in ("input_ids", "attention_mask")}
    module = lambda: Hidden(build(*TEXT[family]))
    for exporter in EXPORTERS:
        yield family, exporter, "static", maker(module, lambda: text_inputs(False), exporter)
        yield family, exporter, "padded", maker(module, lambda: text_inputs(True), exporter, axes)


def others():
    axes = {"input_ids": {0: "batch", 1: "length"}, "encoder_hidden_states": {0: "batch", 1: "source"},
            "encoder_attention_mask": {0: "batch", 1: "source"}}
    decoder = lambda: Decoder(build("T5ForConditionalGeneration", "T5Config", T5))
    vit = lambda: Features(build("ViTModel", "ViTConfig", dict(
        hidden_size=DIM, num_hidden_layers=LAYERS, num_attention_heads=HEADS, intermediate_size=MLP, image_size=16,
        patch_size=4, initializer_range=0.15)))
    whisper = lambda: Features(build("WhisperModel", "WhisperConfig", dict(
        vocab_size=VOCABULARY, d_model=DIM, encoder_layers=LAYERS, encoder_attention_heads=HEADS, encoder_ffn_dim=MLP,
        decoder_layers=1, decoder_attention_heads=HEADS, decoder_ffn_dim=MLP, num_mel_bins=8,
        max_source_positions=LENGTH, max_target_positions=8, pad_token_id=0, bos_token_id=1, eos_token_id=2, decoder_start_token_id=1,
        init_std=0.15)).encoder)
    sentence = lambda: Sentence(build(*TEXT["bert"]))
    for exporter in EXPORTERS:
        yield "t5_decoder", exporter, "static", maker(decoder, lambda: decoder_inputs(False), exporter)
        yield "t5_decoder", exporter, "padded", maker(decoder, lambda: decoder_inputs(True), exporter, axes)
        yield "minilm", exporter, "static", maker(sentence, lambda: text_inputs(True), exporter)
        yield "minilm", exporter, "padded", maker(
            sentence, lambda: text_inputs(True), exporter,
            {name: {0: "batch", 1: "length"} for name in ("input_ids", "attention_mask")})
        yield "vit", exporter, "static", maker(vit, lambda: {"x": reals(1, 3, 16, 16)}, exporter)
        yield "whisper_encoder", exporter, "static", maker(whisper, lambda: {"x": reals(1, 8, 2 * LENGTH)}, exporter)


FORMS = {"static": "static", "padded": "dynamic, mask, 2 sentences"}
EXPORTER_NAMES = {"torchscript": "TorchScript", "dynamo": "dynamo"}


def models():
    for family, exporter, form, make in [*(entry for family in TEXT for entry in text(family)), *others()]:
        suffix = "" if form == "static" else f"_{form}"
        shown = "static, mask, 2 sentences" if family == "minilm" and form == "static" else FORMS[form]
        yield Model(f"{family}_{exporter}{suffix}", family, f"{EXPORTER_NAMES[exporter]}, {shown}", make)
