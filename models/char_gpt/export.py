#!/usr/bin/env python3
"""Exports the char GPT in the three styles that ONNX files of PyTorch models come in.

    char_gpt.onnx          TorchScript exporter, opset 17, static [1, 64]
    char_gpt_dynamic.onnx  TorchScript exporter, opset 17, dynamic batch and length
    char_gpt_dynamo.onnx   torch.export (dynamo) exporter, opset 18, dynamic batch and length

Each file holds all its weights, and is compared with PyTorch in ONNX Runtime when written.
"""

import argparse
from pathlib import Path

import onnx
import onnxruntime
import torch

import corpus
from model import load
from train import WEIGHTS

TOLERANCE = 1e-4
DYNAMIC_AXES = {0: "batch", 1: "seq"}


def export_torchscript(model, ids, path, **options):
    torch.onnx.export(
        model, (ids,), path, dynamo=False, opset_version=17,
        input_names=["input_ids"], output_names=["logits"], **options)


def export_static(model, path):
    export_torchscript(model, torch.zeros(1, corpus.CONTEXT, dtype=torch.int64), path)


def export_dynamic(model, path):
    ids = torch.zeros(1, corpus.CONTEXT, dtype=torch.int64)
    axes = {"input_ids": DYNAMIC_AXES, "logits": DYNAMIC_AXES}
    export_torchscript(model, ids, path, dynamic_axes=axes)


def export_dynamo(model, path):
    """An example of batch 2 keeps torch.export from specializing the batch to 1."""
    ids = torch.zeros(2, 16, dtype=torch.int64)
    seq = torch.export.Dim("seq", min=2, max=corpus.CONTEXT)
    shapes = {"input_ids": {0: torch.export.Dim("batch"), 1: seq}}
    torch.onnx.export(
        model, (ids,), path, dynamo=True, opset_version=18, dynamic_shapes=shapes,
        input_names=["input_ids"], output_names=["logits"], external_data=False, verbose=False)
    strip_metadata(path)


def strip_metadata(path):
    """Drops the exporter's stack traces: they are half of the file and name local paths."""
    model = onnx.load(path)
    graph = model.graph
    for item in [model, graph, *graph.node, *graph.value_info, *graph.input, *graph.output,
                 *graph.initializer]:
        item.ClearField("metadata_props")
    onnx.save(model, path)


def verify(model, path, shapes):
    """Compares the file with PyTorch; returns the largest difference of a logit."""
    onnx.checker.check_model(path, full_check=True)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    windows = corpus.held_out_windows()
    worst = 0.0
    for batch, seq in shapes:
        ids = windows[:batch, :seq]
        with torch.no_grad():
            expected = model(ids).numpy()
        (actual,) = session.run(["logits"], {"input_ids": ids.numpy()})
        worst = max(worst, float(abs(expected - actual).max()))
    if not worst <= TOLERANCE:
        raise SystemExit(f"{path}: a logit is {worst:.2e} off PyTorch's, over {TOLERANCE:.0e}")
    return worst


STATIC = [(1, corpus.CONTEXT)]
STYLES = {
    "char_gpt": (export_static, STATIC),
    "char_gpt_dynamic": (export_dynamic, [*STATIC, (1, 17), (3, 40)]),
    "char_gpt_dynamo": (export_dynamo, [*STATIC, (1, 17), (3, 40)]),
}


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weights", type=Path, default=WEIGHTS)
    parser.add_argument("--output", type=Path, default=corpus.HERE)
    args = parser.parse_args()

    torch.set_num_threads(1)
    model = load(args.weights)
    for name, (export, shapes) in STYLES.items():
        path = args.output / f"{name}.onnx"
        export(model, path)
        worst = verify(model, path, shapes)
        print(f"{path}: {path.stat().st_size:,} bytes, largest difference {worst:.1e}")


if __name__ == "__main__":
    main()
