#!/usr/bin/env python3
"""Makes cases.json: small graphs in ONNX's text form, constants, inputs, and what onnxruntime makes of them.

    pip install onnxruntime==1.32.0 onnx==1.23.2
    python3 tests/onnx_node/operators/make.py

A case is {"graph": text, "opset": n, "tolerance": t, "constants": {name: tensor}, "inputs": {name: [values]}, "outputs": {name:
tensor}}, a tensor {"type": "float" | "int64" | …, "shape": [...], "values": [...]}. Constants are
initializers of the graph, which its text does not list. Inputs are drawn by the case's name where the case does not
give them. Our float interpreter may differ by t times the largest element; integers and booleans are equal.
"""

import json
import zlib
from pathlib import Path

import numpy as np
import onnxruntime
from onnx import TensorProto, numpy_helper, parser

import old_cases  # noqa: F401 (adds to CASES)
from cases import CASES

HERE = Path(__file__).resolve().parent
NAMES = {"float32": "float", "int64": "int64", "int32": "int32", "bool": "bool", "int8": "int8", "uint8": "uint8", "int16": "int16",
         "uint16": "uint16", "uint32": "uint32", "uint64": "uint64"}
TYPES = {getattr(TensorProto, name.upper()): name for name in NAMES.values()}


def tensor(array):
    return {"type": NAMES[str(array.dtype)], "shape": list(array.shape), "values": array.ravel().tolist()}


def model_of(case):
    header = f'<ir_version: 9, opset_import: ["": {case.opset}, "com.microsoft": 1]>\n'
    model = parser.parse_model(header + case.graph)
    for name, value in case.constants.items():
        model.graph.initializer.append(numpy_helper.from_array(value, name))
    return model


def inputs_of(case, model, rng):
    inputs = {}
    for value in model.graph.input:
        shape = [d.dim_value for d in value.type.tensor_type.shape.dim]
        given = case.inputs.get(value.name)
        dtype = {v: k for k, v in NAMES.items()}[TYPES[value.type.tensor_type.elem_type]]
        array = rng.standard_normal(shape) if given is None else np.asarray(given).reshape(shape)
        inputs[value.name] = array.astype(dtype)
    return inputs


def told(case):
    model = model_of(case)
    inputs = inputs_of(case, model, np.random.default_rng(zlib.crc32(case.name.encode())))
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL  # each node as it stands
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    names = [o.name for o in session.get_outputs()]
    outputs = dict(zip(names, session.run(names, inputs)))
    return {"graph": case.graph, "opset": case.opset, "tolerance": case.tolerance,
            "constants": {name: tensor(value) for name, value in case.constants.items()},
            "inputs": {name: value.ravel().tolist() for name, value in inputs.items()},
            "outputs": {name: tensor(value) for name, value in outputs.items()}}


def main():
    lines, failures = [], []
    for case in CASES:
        try:
            lines.append(f"{json.dumps(case.name)}: {json.dumps(told(case))}")
        except Exception as error:  # all of them are told at once
            failures.append(f"{case.name}: {error}")
    (HERE / "cases.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")
    if failures:
        raise SystemExit("\n".join(failures))


if __name__ == "__main__":
    main()
