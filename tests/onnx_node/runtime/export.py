#!/usr/bin/env python3
"""Exports small PyTorch models by both exporters: exported_NAME_torchscript.onnx and exported_NAME_dynamo.onnx.

    python3 -m venv VENV && VENV/bin/pip install torch==2.9.1 onnx==1.19.1 onnxscript
    VENV/bin/python tests/onnx_node/runtime/export.py

They are written as public models are: rotary positions from a range, heads repeated by expand, masks by masked_fill. Then
make.py says what onnxruntime makes of them.
"""

from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn

HERE = Path(__file__).resolve().parent
T, D, HEADS, GROUPS, MLP, VOCABULARY = 6, 16, 4, 2, 32, 20
WIDTH = D // HEADS
LOWEST = torch.finfo(torch.float32).min


class RootMeanSquare(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(1 + torch.randn(D) / 8)

    def forward(self, x):
        return self.weight * (x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-5))


def turned(x):
    a, b = x.chunk(2, -1)
    return torch.cat((-b, a), -1)


class Llama(nn.Module):
    def __init__(self, fused=False):
        super().__init__()
        self.fused, self.words = fused, nn.Embedding(VOCABULARY, D)
        self.norms = nn.ModuleList(RootMeanSquare() for _ in range(3))
        linear = lambda inner, outer: nn.Linear(inner, outer, bias=False)
        self.q, self.k, self.v, self.o = linear(D, D), linear(D, GROUPS * WIDTH), linear(D, GROUPS * WIDTH), linear(D, D)
        self.gate, self.up, self.down, self.head = linear(D, MLP), linear(D, MLP), linear(MLP, D), linear(D, VOCABULARY)
        self.register_buffer("frequencies", 1 / 10000 ** (torch.arange(0, WIDTH, 2) / WIDTH))

    def angles(self):
        places = torch.arange(T)[None]
        angles = (self.frequencies[None, :, None] @ places[:, None, :].float()).transpose(1, 2)
        return torch.cat((angles, angles), -1)[:, None]

    def mask(self, batch, attention_mask):
        mask = torch.full((T, T), LOWEST).triu(1)[None, None].expand(batch, 1, T, T)
        if attention_mask is None:
            return mask
        return mask.masked_fill((mask + attention_mask[:, None, None, :].float()) == 0, LOWEST)

    def attention(self, x, attention_mask):
        batch = x.shape[0]
        q, k, v = (linear(x).view(batch, T, -1, WIDTH).transpose(1, 2) for linear in (self.q, self.k, self.v))
        cos, sin = self.angles().cos(), self.angles().sin()
        q, k = (part * cos + turned(part) * sin for part in (q, k))
        k, v = (part[:, :, None].expand(batch, GROUPS, HEADS // GROUPS, T, WIDTH).reshape(batch, HEADS, T, WIDTH)
                for part in (k, v))
        if self.fused and attention_mask is None:
            mixed = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        else:
            scores = q @ k.transpose(2, 3) * WIDTH**-0.5 + self.mask(batch, attention_mask)
            mixed = F.softmax(scores, -1, dtype=torch.float32) @ v
        return self.o(mixed.transpose(1, 2).reshape(batch, T, D))

    def forward(self, ids, mask=None):
        x = self.words(ids)
        x = x + self.attention(self.norms[0](x), mask)
        y = self.norms[1](x)
        return self.head(self.norms[2](x + self.down(F.silu(self.gate(y)) * self.up(y))))


class Sentence(nn.Module):
    """BERT, pooled over the tokens that are no padding."""

    def __init__(self):
        super().__init__()
        self.words, self.places, self.types = nn.Embedding(VOCABULARY, D), nn.Embedding(T, D), nn.Embedding(2, D)
        self.first, self.second = nn.LayerNorm(D), nn.LayerNorm(D)
        self.q, self.k, self.v = (nn.Linear(D, D) for _ in range(3))

    def forward(self, ids, mask, types):
        x = self.first(self.words(ids) + self.places(torch.arange(T)[None]) + self.types(types))
        q, k, v = (linear(x).view(-1, T, HEADS, WIDTH).transpose(1, 2) for linear in (self.q, self.k, self.v))
        closed = (1 - mask[:, None, None, :].float()) * LOWEST
        mixed = (q @ k.transpose(-1, -2) / WIDTH**0.5 + closed).softmax(-1) @ v
        x = self.second(x + mixed.transpose(1, 2).reshape(-1, T, D))
        weights = mask[..., None].expand(x.size()).float()
        return F.normalize((x * weights).sum(1) / weights.sum(1).clamp(min=1e-9), p=2, dim=1)


def layer(activation):
    return nn.TransformerEncoderLayer(D, HEADS, MLP, batch_first=True, activation=activation, norm_first=True, dropout=0)


class Encoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = layer("relu")

    def forward(self, x):
        return self.layer(x)


class Patches(nn.Module):
    def __init__(self):
        super().__init__()
        self.patch, self.layer, self.head = nn.Conv2d(3, D, 4, 4), layer("gelu"), nn.Linear(D, 5)
        self.kind, self.places = nn.Parameter(torch.randn(1, 1, D)), nn.Parameter(torch.randn(1, 5, D))

    def forward(self, pixels):
        x = self.patch(pixels).flatten(2).transpose(1, 2)
        return self.head(self.layer(torch.cat([self.kind.expand(x.shape[0], -1, -1), x], 1) + self.places)[:, 0])


def main():
    torch.manual_seed(0)
    ids, pair = torch.zeros(1, T, dtype=torch.int64), torch.ones(2, T, dtype=torch.int64)
    models = {
        "llama": (Llama(), {"ids": ids}), "llama_fused_attention": (Llama(fused=True), {"ids": ids}),
        "llama_padded": (Llama(), {"ids": pair, "mask": pair}),
        "sentence": (Sentence(), {"ids": pair, "mask": pair, "types": pair}),
        "encoder": (Encoder(), {"x": torch.randn(1, T, D)}), "patches": (Patches(), {"pixels": torch.randn(1, 3, 8, 8)}),
    }
    for name, (model, inputs) in models.items():
        for exporter, opset in (("torchscript", 17), ("dynamo", 18)):
            options = {"external_data": False} if exporter == "dynamo" else {}
            torch.onnx.export(model.eval(), tuple(inputs.values()), HERE / f"exported_{name}_{exporter}.onnx",
                              input_names=list(inputs), output_names=["y"], opset_version=opset,
                              dynamo=exporter == "dynamo", **options)


if __name__ == "__main__":
    main()
