#!/usr/bin/env python3
"""Exports the char GPT in the styles that ONNX files of PyTorch models come in.

    char_gpt.onnx          TorchScript exporter, opset 17, static [1, 64]
    char_gpt_dynamic.onnx  TorchScript exporter, opset 17, dynamic batch and length
    char_gpt_dynamo.onnx   torch.export (dynamo) exporter, opset 18, dynamic batch and length
    char_gpt_cached.onnx   TorchScript exporter, opset 17, past keys and values in, present ones out

Each file holds all its weights, and is compared with PyTorch in ONNX Runtime when written.
"""

import argparse
from pathlib import Path

import onnx
import onnxruntime
import torch

import corpus
from model import CachedGpt, Gpt, load
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


def cache_names(config, when):
    """Of keys and values, layer by layer, as exporters of published models call them."""
    return [f"{when}.{layer}.{part}" for layer in range(config.layers) for part in ("key", "value")]


def empty_past(config, batch, length=0):
    shape = batch, config.heads, length, config.dim // config.heads
    return [torch.zeros(shape) for _ in range(2 * config.layers)]


def export_cached(model, path):
    """The example has several tokens after a past, so that neither number becomes a constant."""
    past, present = cache_names(model.config, "past_key_values"), cache_names(model.config, "present")
    axes = {"input_ids": DYNAMIC_AXES, "logits": DYNAMIC_AXES}
    axes |= {name: {0: "batch", 2: "past"} for name in past}
    axes |= {name: {0: "batch", 2: "total"} for name in present}
    torch.onnx.export(
        model, (torch.zeros(1, 5, dtype=torch.int64), *empty_past(model.config, 1, 3)), path, dynamo=False,
        opset_version=17, input_names=["input_ids", *past], output_names=["logits", *present], dynamic_axes=axes)


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


def verify_cached(model, path, steps):
    """Runs the file step by step, and compares every position with PyTorch's one pass over all tokens."""
    onnx.checker.check_model(path, full_check=True)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    names = cache_names(model.config, "past_key_values")
    ids = corpus.held_out_windows()[:1, : sum(steps)]
    past = [array.numpy() for array in empty_past(model.config, 1)]
    logits = []
    for chunk in ids.split(steps, dim=1):
        step, *past = session.run(None, {"input_ids": chunk.numpy(), **dict(zip(names, past))})
        logits.append(torch.from_numpy(step))
    with torch.no_grad():
        expected, *_ = model(ids, *empty_past(model.config, 1))
    worst = float((expected - torch.cat(logits, dim=1)).abs().max())
    if not worst <= TOLERANCE:
        raise SystemExit(f"{path}: a logit is {worst:.2e} off PyTorch's, over {TOLERANCE:.0e}")
    return worst


STATIC = [(1, corpus.CONTEXT)]
DYNAMIC = [*STATIC, (1, 17), (3, 40)]
STYLES = {
    "char_gpt": (Gpt, export_static, verify, STATIC),
    "char_gpt_dynamic": (Gpt, export_dynamic, verify, DYNAMIC),
    "char_gpt_dynamo": (Gpt, export_dynamo, verify, DYNAMIC),
    "char_gpt_cached": (CachedGpt, export_cached, verify_cached, [17, 1, 1, 13, 1, 31]),
}


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weights", type=Path, default=WEIGHTS, help="as trained, or char_gpt_dynamic.onnx")
    parser.add_argument("styles", nargs="*", help="all if none is named")
    parser.add_argument("--output", type=Path, default=corpus.HERE)
    args = parser.parse_args()

    torch.set_num_threads(1)
    for name in args.styles or STYLES:
        kind, export, check, shapes = STYLES[name]
        model = load(args.weights, kind)
        path = args.output / f"{name}.onnx"
        export(model, path)
        worst = check(model, path, shapes)
        print(f"{path}: {path.stat().st_size:,} bytes, largest difference {worst:.1e}")


if __name__ == "__main__":
    main()
