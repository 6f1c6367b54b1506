"""Writes the ONNX library's own tests of operators, as the Python package makes them.

    generate.py FOLDER         one folder per test: model.onnx, test_data_set_0/input_<i>.pb and output_<i>.pb
    generate.py --applicable   prints those that applicable.txt holds

Applicable are tests of the ONNX domain on tensors of at least 8 bits that have no strings, sequences, optionals,
randomness, training, recurrent layers, loops or images.
"""

import sys
import warnings
from pathlib import Path

import numpy as np
import onnx.backend.test.case.node as node_tests
from onnx import TensorProto, numpy_helper

TYPES = {TensorProto.DataType.Value(name) for name in
         "FLOAT DOUBLE FLOAT16 BFLOAT16 INT8 UINT8 INT16 UINT16 INT32 UINT32 INT64 UINT64 BOOL".split()}
LEFT_OUT = set("LSTM GRU RNN Loop Scan SequenceMap ImageDecoder Bernoulli Multinomial RandomNormal RandomNormalLike "
               "RandomUniform RandomUniformLike".split())


def value_types(graph):
    for value in (*graph.input, *graph.output, *graph.value_info):
        yield value.type.tensor_type.elem_type if value.type.HasField("tensor_type") else None


def is_training(case):
    """Dropout says it by an input."""
    node, (inputs, _) = case.model.graph.node[-1], case.data_sets[0]
    flag = {"Dropout": 2}.get(node.op_type)
    at = [i for i in node.input if i].index(node.input[flag]) if flag and len(node.input) > flag and node.input[flag] else None
    return at is not None and bool(np.asarray(inputs[at]).any())


def is_applicable(case):
    graph = case.model.graph
    types = set(value_types(graph))
    for node in graph.node:
        if node.domain not in ("", "ai.onnx") or node.op_type in LEFT_OUT:
            return False
        for attribute in node.attribute:
            if attribute.name == "training_mode" and attribute.i:
                return False
            if attribute.name in ("to", "output_dtype", "dtype") and attribute.i:
                types.add(attribute.i)
            if attribute.HasField("t"):
                types.add(attribute.t.data_type)
    return types <= TYPES and not is_training(case)


def print_applicable(cases):
    ops = {case.name: case.model.graph.node[-1].op_type for case in cases}
    lines = []
    for case in cases:
        # What defines an op is a test of that op.
        op = ops.get(case.name.split("_expanded")[0], ops[case.name])
        if is_applicable(case):
            lines.append(f"{op} {case.name}")
    print("\n".join(sorted(lines)))


def write(case, folder):
    data = folder / case.name / "test_data_set_0"
    data.mkdir(parents=True, exist_ok=True)
    (folder / case.name / "model.onnx").write_bytes(case.model.SerializeToString())
    graph = case.model.graph
    for kind, values, infos in zip(("input", "output"), case.data_sets[0], (graph.input, graph.output)):
        for i, (value, info) in enumerate(zip(values, infos)):
            if not isinstance(value, TensorProto):
                value = numpy_helper.from_array(np.asarray(value), info.name)
            (data / f"{kind}_{i}.pb").write_bytes(value.SerializeToString())


def is_tensor(case):
    graph = case.model.graph
    return all(value.type.HasField("tensor_type") for value in (*graph.input, *graph.output))


def main():
    warnings.simplefilter("ignore")
    cases = node_tests.collect_testcases(None)
    if sys.argv[1] == "--applicable":
        print_applicable(cases)
        return
    for case in cases:
        if is_tensor(case):
            write(case, Path(sys.argv[1]))


main()
