"""The layers of torch.nn, and nanoGPT."""

import math

import torch
import torch.nn.functional as F
from torch import nn

from causal import DIM, HEADS, LENGTH, MLP, VOCABULARY, tokens
from encoders import EXPORTER_NAMES, maker, padding, reals
from export import EXPORTERS
from model import Model

CAUSAL = torch.full((LENGTH, LENGTH), -math.inf).triu(1)


def seeded(module, *arguments, **options):
    torch.manual_seed(0)
    return module(*arguments, **options)


class Attention(nn.Module):
    """nn.MultiheadAttention of x by itself."""

    def __init__(self, weights=False, causal=False, **options):
        super().__init__()
        self.inner, self.weights, self.causal = nn.MultiheadAttention(DIM, HEADS, **options), weights, causal

    def forward(self, x, padding=None):
        y, weights = self.inner(x, *self.keys(x), key_padding_mask=padding, need_weights=self.weights,
                                attn_mask=CAUSAL if self.causal else None)
        return (y, weights) if self.weights else y

    def keys(self, x):
        return x, x


class EncoderLayer(nn.Module):
    def __init__(self, layers=1, **options):
        super().__init__()
        layer = nn.TransformerEncoderLayer(DIM, HEADS, MLP, dropout=0, **options)
        self.inner = layer if layers == 1 else nn.TransformerEncoder(layer, layers, enable_nested_tensor=False)

    def forward(self, x, padding=None):
        return self.inner(x, src_key_padding_mask=padding)


class DecoderLayer(nn.Module):
    def __init__(self, **options):
        super().__init__()
        self.inner = nn.TransformerDecoderLayer(DIM, HEADS, MLP, dropout=0, **options)

    def forward(self, x, memory, memory_padding=None):
        return self.inner(x, memory, tgt_mask=CAUSAL, memory_key_padding_mask=memory_padding)


class Block(nn.Module):
    def __init__(self, context):
        super().__init__()
        self.first, self.second = nn.LayerNorm(DIM), nn.LayerNorm(DIM)
        self.attend, self.project = nn.Linear(DIM, 3 * DIM), nn.Linear(DIM, DIM)
        self.up, self.down = nn.Linear(DIM, 4 * DIM), nn.Linear(4 * DIM, DIM)
        self.register_buffer("seen", torch.tril(torch.ones(context, context)).view(1, 1, context, context))

    def forward(self, x):
        batch, length, _ = x.shape
        q, k, v = (part.view(batch, length, HEADS, DIM // HEADS).transpose(1, 2)
                   for part in self.attend(self.first(x)).split(DIM, 2))
        scores = (q @ k.transpose(-2, -1)) * (1 / math.sqrt(DIM // HEADS))
        scores = scores.masked_fill(self.seen[:, :, :length, :length] == 0, -math.inf)
        x = x + self.project((scores.softmax(-1) @ v).transpose(1, 2).reshape(batch, length, DIM))
        return x + self.down(F.gelu(self.up(self.second(x))))


class NanoGpt(nn.Module):
    """As nanoGPT writes it without fused attention."""

    def __init__(self, layers=2, context=32):
        super().__init__()
        self.words, self.places = nn.Embedding(VOCABULARY, DIM), nn.Embedding(context, DIM)
        self.blocks = nn.ModuleList(Block(context) for _ in range(layers))
        self.norm, self.head = nn.LayerNorm(DIM), nn.Linear(DIM, VOCABULARY, bias=False)

    def forward(self, input_ids):
        x = self.words(input_ids) + self.places(torch.arange(input_ids.shape[1]))
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x))


def closed(length=LENGTH):
    return padding(length) == 0


def cases():
    """Family, name, form, module, inputs, dynamic axes."""
    one, two = lambda: {"x": reals(1, LENGTH, DIM)}, lambda: {"x": reals(2, LENGTH, DIM), "padding": closed()}
    long_first = lambda: {"x": reals(LENGTH, 2, DIM)}
    both = lambda: {"x": reals(1, LENGTH, DIM), "memory": reals(1, 12, DIM)}
    both_padded = lambda: {"x": reals(2, LENGTH, DIM), "memory": reals(2, 12, DIM), "memory_padding": closed(12)}
    axes = {name: {0: "batch", 1: "length"} for name in ("x", "padding")}
    layer = lambda kind, **options: lambda: seeded(kind, **options)
    first = dict(batch_first=True)
    yield "attention", "", "static", layer(Attention, **first), one, None
    yield "attention", "_weights", "static, weights as output", layer(Attention, weights=True, **first), one, None
    yield "attention", "_causal", "static, causal", layer(Attention, causal=True, **first), one, None
    yield "attention", "_length_first", "static, [length, batch, d]", layer(Attention), long_first, None
    yield "attention", "_padded", "dynamic, mask, 2 sentences", layer(Attention, **first), two, axes
    yield "encoder_layer", "", "static, ReLU", layer(EncoderLayer, **first), one, None
    yield "encoder_layer", "_gelu", "static, GELU, norm first", layer(
        EncoderLayer, activation="gelu", norm_first=True, **first), one, None
    yield "encoder_layer", "_length_first", "static, [length, batch, d]", layer(EncoderLayer), long_first, None
    yield "encoder_layer", "_padded", "dynamic, mask, 2 sentences", layer(EncoderLayer, layers=2, **first), two, axes
    yield "decoder_layer", "", "static, causal", layer(DecoderLayer, **first), both, None
    yield ("decoder_layer", "_padded", "static, causal, mask, 2 sentences", layer(DecoderLayer, **first), both_padded,
           None)
    ids = lambda: {"input_ids": tokens(2)}
    yield "nanogpt", "", "static", layer(NanoGpt), lambda: {"input_ids": tokens()}, None
    yield "nanogpt", "_dynamic", "dynamic, 2 sentences", layer(NanoGpt), ids, {"input_ids": {0: "batch", 1: "length"}}


def models():
    for family, name, form, module, inputs, axes in cases():
        for exporter in EXPORTERS:
            yield Model(f"{family}_{exporter}{name}", f"torch {family}" if family != "nanogpt" else family,
                        f"{EXPORTER_NAMES[exporter]}, {form}", maker(module, inputs, exporter, axes))
