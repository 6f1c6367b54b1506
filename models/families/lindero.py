"""The command line, and what onnxruntime makes of the same file."""

import json
import subprocess
import tempfile
from pathlib import Path

import numpy as np
import onnx
import onnxruntime

TIMEOUT = 900  # seconds
OWN_INPUT = (10, 18)  # exit codes: out of range, imprecise


class Failed(Exception):
    """A command refused, or an output is wrong. `code`: the command's exit code."""

    def __init__(self, message, code=0):
        super().__init__(message)
        self.code = code


def run(program, command, *arguments):
    """The command's events."""
    try:
        process = subprocess.run([program, "--json", command, *map(str, arguments)], capture_output=True, text=True,
                                 timeout=TIMEOUT)
    except subprocess.TimeoutExpired:
        raise Failed(f"{command}: no answer in {TIMEOUT} s") from None
    events = [json.loads(line) for line in (process.stdout + process.stderr).splitlines() if line.startswith("{")]
    if process.returncode != 0:
        messages = [event["message"] for event in events if event["event"] == "error"]
        raise Failed(f"{command} (exit code {process.returncode}): {(messages or [process.stderr.strip()[-300:]])[-1]}",
                     process.returncode)
    return events


def result(events):
    return next(event for event in reversed(events) if event["event"] == "result")


def dimensions(path, sizes):
    """`--dim NAME=SIZE` for each symbolic dimension of an input that is given. sizes: input -> shape."""
    found = {}
    for tensor in onnx.load(path, load_external_data=False).graph.input:
        for axis, dim in enumerate(tensor.type.tensor_type.shape.dim):
            if dim.dim_param and tensor.name in sizes:
                found[dim.dim_param] = sizes[tensor.name][axis]
    return [text for name, size in found.items() for text in ("--dim", f"{name}={size}")]


def session(path, optimized=True):
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    if not optimized:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def reference(path, inputs, optimized=True):
    """Outputs of onnxruntime, by name. Inputs that are not given are an empty past."""
    runtime = session(path, optimized)
    feed = dict(inputs)
    for tensor in runtime.get_inputs():
        if tensor.name not in feed:
            shape = [dim if isinstance(dim, int) else 0 if dim.startswith("past") else 1 for dim in tensor.shape]
            feed[tensor.name] = np.zeros(shape, np.float32)
        elif tensor.type == "tensor(float16)":
            feed[tensor.name] = feed[tensor.name].astype(np.float16)
    names = [tensor.name for tensor in runtime.get_outputs()]
    return dict(zip(names, runtime.run(names, feed)))


def least_cosine(got, want, excluded=None):
    """Least over the rows, along the last axis; what is one number per row counts as one row."""
    if want.dtype.kind in "biu":
        return 1.0 if np.array_equal(got, want) else 0.0
    last = want.shape[-1] if want.ndim and want.shape[-1] > 1 else want.size
    a, b = got.reshape(-1, last).astype(float), want.reshape(-1, last).astype(float)
    if excluded is not None:
        a, b = a[~excluded.ravel()], b[~excluded.ravel()]
    norms = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    cosines = np.where(norms > 0, (a * b).sum(1) / np.where(norms > 0, norms, 1), (a == b).all(1))
    return float(cosines.min())


def saved(path):
    """The real values of `verify --save-outputs`."""
    arrays = np.load(path)
    return {name: arrays[name + ".real" if name + ".real" in arrays.files else name]
            for name in arrays.files if not name.endswith(".real")}


def prove(program, path, inputs, *options):
    """Compiles, checks, proves and verifies one run: outputs by name, the events of `prove`, whether the run's own
    input was calibrated on. That is so where it is out of the ranges of inputs of Lindero's making, where those lose
    too much, or where the model is undefined for them."""
    with tempfile.TemporaryDirectory() as folder:
        given, package, proof, outputs = (
            Path(folder) / name for name in ("in.npz", "m.lindero", "run.proof", "out.npz"))
        np.savez(given, **inputs)
        options = [*options, *dimensions(path, {name: array.shape for name, array in inputs.items()})]
        try:
            run(program, "compile", path, "-o", package, *options)
            run(program, "check", package, "--input", given)
            events = run(program, "prove", package, "--input", given, "-o", proof)
            key, own = package / "model.key", False
        except Failed as failed:
            if failed.code not in OWN_INPUT and "calibration sample" not in str(failed):
                raise
            run(program, "check", path, "--input", given, *options)
            events = run(program, "prove", path, "--input", given, "-o", proof, *options)
            key, own = proof.with_suffix(".key"), True
        run(program, "verify", proof, "--key", key, "--save-outputs", outputs)
        return saved(outputs), events, own
