"""Graphs with many ops on one path, and values with more paths to them than can be counted: compiled or refused."""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from harness import cases, lindero, main, temporary_folder

COMPILED, REFUSED = 0, 4


def add_input(x, y):
    return helper.make_node("Add", [x, "first"], [y])


def add_itself(x, y):
    return helper.make_node("Add", [x, x], [y])


def concatenate_itself(x, y):
    return helper.make_node("Concat", [x, x], [y], axis=0)


def negate(x, y):
    return helper.make_node("Neg", [x], [y])


def cut(x, y):
    return helper.make_node("Slice", [x, "begin", "end"], [y])


def model(steps):
    """A linear layer, the steps one after another, a softmax."""
    nodes, value = [helper.make_node("MatMul", ["x", "weight"], ["first"])], "first"
    for step, make in enumerate(steps):
        nodes.append(make(value, f"step_{step}"))
        value = nodes[-1].output[0]
    nodes.append(helper.make_node("Softmax", [value], ["y"]))
    constants = [("weight", np.eye(4, dtype=np.float32) / 2), ("begin", np.array([0])), ("end", np.array([2]))]
    graph = helper.make_graph(nodes, "deep", [helper.make_tensor_value_info("x", TensorProto.FLOAT, [2, 4])],
                              [helper.make_tensor_value_info("y", TensorProto.FLOAT, [2, 4])],
                              [numpy_helper.from_array(array, name) for name, array in constants])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


@cases(
    ("a sum doubled", [add_itself] * 64, REFUSED, "too coarse for a softmax"),
    ("a copy doubled", [concatenate_itself, cut] * 60, COMPILED, ""),
    ("negations", [negate] * 300, COMPILED, ""),
    ("sums", [add_input] * 300, REFUSED, "too coarse for a softmax"),
    ("copies", [concatenate_itself, cut] * 1000, COMPILED, ""),
)
def compiled(steps, code, words):
    with temporary_folder() as folder:
        onnx.save(model(steps), folder / "deep.onnx")
        run = lindero("compile", folder / "deep.onnx", "-o", folder / "deep.lindero")
    assert run.code == code and words in run.errors, f"exit {run.code}: {run.errors}"


main()
