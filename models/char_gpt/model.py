"""The char GPT, as nanoGPT has it: pre-LayerNorm, biases, exact GELU, tied head.

Attention is written out in its operations, not as scaled_dot_product_attention, so that an
exporter shows the graph that most published ONNX files of such models have.
"""

import dataclasses
import math

import numpy as np
import onnx
import torch
from torch import nn
from torch.nn import functional as F


@dataclasses.dataclass(frozen=True)
class Config:
    vocab: int
    layers: int = 4
    heads: int = 4
    dim: int = 128
    context: int = 64
    dropout: float = 0.0


class Attention(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.heads = config.heads
        self.qkv = nn.Linear(config.dim, 3 * config.dim)
        self.proj = nn.Linear(config.dim, config.dim)
        self.dropout = nn.Dropout(config.dropout)
        mask = torch.tril(torch.ones(config.context, config.context))
        self.register_buffer("mask", mask[None, None], persistent=False)

    def forward(self, x, cache=None):
        """`cache` holds keys and values of the past; returns them with those of x, beside the result."""
        batch, seq, dim = x.size()
        q, k, v = (
            part.view(batch, seq, self.heads, dim // self.heads).transpose(1, 2)
            for part in self.qkv(x).split(dim, dim=2)
        )
        mask = self.mask[:, :, :seq, :seq]
        if cache:
            k, v = (torch.cat(pair, dim=2) for pair in zip(cache, (k, v)))
            mask = self.mask[:, :, k.size(2) - seq : k.size(2), : k.size(2)]
        scores = (q @ k.transpose(-2, -1)) * (1.0 / math.sqrt(dim // self.heads))
        scores = scores.masked_fill(mask == 0, float("-inf"))
        mixed = self.dropout(F.softmax(scores, dim=-1)) @ v
        return self.proj(mixed.transpose(1, 2).contiguous().view(batch, seq, dim)), (k, v)


class Mlp(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.fc = nn.Linear(config.dim, 4 * config.dim)
        self.gelu = nn.GELU()
        self.proj = nn.Linear(4 * config.dim, config.dim)

    def forward(self, x):
        return self.proj(self.gelu(self.fc(x)))


class Block(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.ln_1 = nn.LayerNorm(config.dim)
        self.attn = Attention(config)
        self.ln_2 = nn.LayerNorm(config.dim)
        self.mlp = Mlp(config)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, x, cache=None):
        mixed, present = self.attn(self.ln_1(x), cache)
        x = x + self.dropout(mixed)
        return x + self.dropout(self.mlp(self.ln_2(x))), present


class Gpt(nn.Module):
    """input_ids int64 [batch, seq <= context] -> logits [batch, seq, vocab]."""

    def __init__(self, config):
        super().__init__()
        self.config = config
        self.wte = nn.Embedding(config.vocab, config.dim)
        self.wpe = nn.Embedding(config.context, config.dim)
        self.dropout = nn.Dropout(config.dropout)
        self.h = nn.ModuleList(Block(config) for _ in range(config.layers))
        self.ln_f = nn.LayerNorm(config.dim)
        self.lm_head = nn.Linear(config.dim, config.vocab, bias=False)
        self.lm_head.weight = self.wte.weight
        self._initialize()

    def forward(self, input_ids):
        positions = torch.arange(input_ids.size(1), device=input_ids.device)
        x = self.dropout(self.wte(input_ids) + self.wpe(positions))
        for block in self.h:
            x, _ = block(x)
        return self.lm_head(self.ln_f(x))

    def _initialize(self):
        for name, parameter in self.named_parameters():
            if name.endswith(("attn.proj.weight", "mlp.proj.weight")):
                nn.init.normal_(parameter, std=0.02 / math.sqrt(2 * self.config.layers))
            elif parameter.dim() == 2:
                nn.init.normal_(parameter, std=0.02)
            elif name.endswith("bias"):
                nn.init.zeros_(parameter)


class CachedGpt(Gpt):
    """Tokens after those whose keys and values are given: input_ids int64 [batch, seq], then keys and values
    [batch, heads, past, dim / heads] of each layer -> logits [batch, seq, vocab], then keys and values of past and seq.
    """

    def forward(self, input_ids, *past):
        first = past[0].size(2)
        x = self.wte(input_ids) + self.wpe(torch.arange(first, first + input_ids.size(1)))
        present = []
        for block, *cache in zip(self.h, past[::2], past[1::2]):
            x, pair = block(x, cache)
            present += pair
        return self.lm_head(self.ln_f(x)), *present


def save(model, path):
    """Writes the parameters, each by its PyTorch name, as one .npz file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, **{name: p.detach().numpy() for name, p in model.named_parameters()})


def load(path, kind=Gpt):
    """The model in evaluation mode, of an .npz file or of char_gpt_dynamic.onnx; its vocabulary is read off the
    embedding."""
    arrays = dict(arrays_of_onnx(path) if path.suffix == ".onnx" else np.load(path))
    model = kind(Config(vocab=len(arrays["wte.weight"])))
    parameters = dict(model.named_parameters())
    if arrays.keys() != parameters.keys():
        raise SystemExit(f"{path} has not the parameters of a char GPT: {arrays.keys() ^ parameters.keys()}")
    with torch.no_grad():
        for name, parameter in parameters.items():
            parameter.copy_(torch.from_numpy(np.array(arrays[name])))
    return model.eval()


def arrays_of_onnx(path):
    """The parameters of a dynamic TorchScript export, each by its PyTorch name. The weights of linear layers have lost
    theirs: the exporter transposed them."""
    graph = onnx.load(path).graph
    arrays = {item.name: onnx.numpy_helper.to_array(item) for item in graph.initializer}
    for node in graph.node:
        if node.op_type == "MatMul" and node.input[1] in arrays and "/lm_head/" not in node.name:
            name = node.name.removeprefix("/").removesuffix("/MatMul").replace("/", ".") + ".weight"
            arrays[name] = arrays[node.input[1]].T
    return {name: array for name, array in arrays.items() if not name.startswith("onnx::")}


def loss(logits, targets):
    """Mean cross entropy in nats per character."""
    return F.cross_entropy(logits.flatten(0, 1), targets.flatten())
