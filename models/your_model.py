#!/usr/bin/env python3
"""Writes the files that YOUR_MODEL.md goes through: your_model.py FOLDER [KIND ...]

A classifier of sentences (one nn.TransformerEncoderLayer, the mean of the real tokens), with random weights.
"""

import sys
from pathlib import Path

import numpy as np
import torch
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from torch import nn

VOCABULARY, DIM, LENGTH = 100, 32, 16
INPUTS, OUTPUTS = ["input_ids", "attention_mask"], ["scores"]


class Classifier(nn.Module):
    def __init__(self):
        super().__init__()
        self.words, self.places = nn.Embedding(VOCABULARY, DIM), nn.Embedding(LENGTH, DIM)
        self.layer = nn.TransformerEncoderLayer(DIM, 4, 64, dropout=0, batch_first=True)
        self.head = nn.Linear(DIM, 3)

    def forward(self, input_ids, attention_mask):
        x = self.words(input_ids) + self.places(torch.arange(input_ids.shape[1]))
        x = self.layer(x, src_key_padding_mask=attention_mask == 0)
        real = attention_mask[..., None].float()
        return self.head((x * real).sum(1) / real.sum(1))


def sentences(runs, seed):
    """Runs of two sentences, in place of your data: ids and masks [runs, 2, 16]."""
    random = np.random.default_rng(seed)
    lengths = random.integers(4, LENGTH + 1, (runs, 2, 1))
    mask = (np.arange(LENGTH) < lengths).astype(np.int64)
    return {"input_ids": random.integers(1, VOCABULARY, (runs, 2, LENGTH)) * mask, "attention_mask": mask}


def torchscript(model, folder):
    torch.backends.mha.set_fastpath_enabled(False)
    torch.onnx.export(model, example(), folder / "torchscript.onnx", dynamo=False, opset_version=17,
                      input_names=INPUTS, output_names=OUTPUTS,
                      dynamic_axes={name: {0: "batch", 1: "length"} for name in INPUTS})


def dynamo(model, folder):
    torch.onnx.export(model, example(), folder / "dynamo.onnx", dynamo=True, opset_version=18, external_data=False,
                      input_names=INPUTS, output_names=OUTPUTS)


class OldClassifier(Classifier):
    """With attention as PyTorch 1.x exported it: `unflatten` and fused attention have no form in opset 11."""

    def forward(self, input_ids, attention_mask):
        x = self.words(input_ids) + self.places(torch.arange(input_ids.shape[1]))
        layer, open_keys = self.layer, attention_mask[:, None, None, :] == 1
        q, k, v = (part.reshape(2, LENGTH, 4, DIM // 4).transpose(1, 2) for part in nn.functional.linear(
            x, layer.self_attn.in_proj_weight, layer.self_attn.in_proj_bias).chunk(3, -1))
        scores = (q @ k.transpose(2, 3) / (DIM // 4) ** 0.5).masked_fill(~open_keys, -1e9)
        x = layer.norm1(x + layer.self_attn.out_proj((scores.softmax(-1) @ v).transpose(1, 2).reshape(2, LENGTH, DIM)))
        x = layer.norm2(x + layer.linear2(layer.linear1(x).relu()))
        real = attention_mask[..., None].float()
        return self.head((x * real).sum(1) / real.sum(1))


def old(model, folder):
    written = OldClassifier().eval()
    written.load_state_dict(model.state_dict())
    torch.onnx.export(written, example(), folder / "old.onnx", dynamo=False, opset_version=11, input_names=INPUTS,
                      output_names=OUTPUTS)


def past(model, folder):
    """Another model: a GPT-2 with keys and values of the past, as Optimum exports it (families/causal.py)."""
    sys.path.insert(0, str(Path(__file__).resolve().parent / "families"))
    import causal
    causal.symbolic_past("gpt2", mask=True)(folder / "past.onnx")


def example():
    return tuple(torch.from_numpy(array[0]) for array in sentences(1, 0).values())


class Readings(CalibrationDataReader):
    def __init__(self, runs):
        self.runs = iter([{name: array[i] for name, array in runs.items()} for i in range(len(runs["input_ids"]))])

    def get_next(self):
        return next(self.runs, None)


def qdq(model, folder):
    """From torchscript.onnx: int8 weights, one scale per channel, and int8 activations."""
    quantize_static(folder / "torchscript.onnx", folder / "qdq.onnx", Readings(sentences(32, 1)),
                    quant_format=QuantFormat.QDQ, activation_type=QuantType.QInt8, weight_type=QuantType.QInt8,
                    per_channel=True, op_types_to_quantize=["MatMul", "Gemm"])  # not Add: it would round masked scores


def inputs(model, folder):
    np.savez(folder / "calibrate.npz", **sentences(32, 1))
    np.savez(folder / "input.npz", **{name: array[0] for name, array in sentences(1, 2).items()})


KINDS = {"inputs": inputs, "torchscript": torchscript, "dynamo": dynamo, "old": old, "past": past, "qdq": qdq}


def main():
    folder, kinds = Path(sys.argv[1]), sys.argv[2:] or KINDS
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(0)
    model = Classifier().eval()
    for kind in kinds:
        KINDS[kind](model, folder)


if __name__ == "__main__":
    main()
