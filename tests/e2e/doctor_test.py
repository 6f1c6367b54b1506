"""lindero doctor: all problems of a file in one run, or what becomes of it."""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from harness import MODELS, case, cases, equal, lindero, main, succeed, temporary_folder

OK, USAGE, MODEL, UNSUPPORTED, UNBOUND, NOT_FINITE, FILE = 0, 2, 3, 4, 5, 6, 15


def tensor(name, shape, kind=TensorProto.FLOAT):
    return helper.make_tensor_value_info(name, kind, shape)


def model_of(nodes, inputs, weights=(), outputs=("y",)):
    """What the file says of its outputs' shapes is not read."""
    graph = helper.make_graph(nodes, "g", inputs, [tensor(name, ()) for name in outputs],
                              [numpy_helper.from_array(value, name) for name, value in weights])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9).SerializeToString()


def sick():
    """Two ops that are not supported, and a shape that depends on the data."""
    return model_of(
        [helper.make_node("Bernoulli", ["x"], ["a"], name="/draw"), helper.make_node("Relu", ["a"], ["y"], name="/relu"),
         helper.make_node("Unique", ["x"], ["z"], name="/unique"),
         helper.make_node("Reshape", ["x", "s"], ["v"], name="/reshape")],
        [tensor("x", (3, 3)), tensor("s", (1,), TensorProto.INT64)], outputs=("y", "z", "v"))


def unbound(second=True):
    inputs = [tensor("x", ("batch", 32))] + ([tensor("u", ("rows", 32))] if second else [])
    nodes = [helper.make_node("MatMul", ["x", "w"], ["y"], name="/fc")]
    if second:
        nodes.append(helper.make_node("MatMul", ["u", "w"], ["z"], name="/other"))
    weight = np.random.default_rng(1).standard_normal((32, 32)).astype(np.float32)
    return model_of(nodes, inputs, [("w", weight)], ("y", "z") if second else ("y",))


def infinite():
    weight = np.ones((4, 4), np.float32)
    weight[1, 2] = np.inf
    return model_of([helper.make_node("MatMul", ["x", "w"], ["y"], name="/fc")], [tensor("x", (2, 4))],
                    [("w", weight)])


def unknown():
    """An op that no standard knows, and two sizes that are missing."""
    return model_of([helper.make_node("Frobnicate", ["x"], ["y"], name="/frob")], [tensor("x", ("n", "m"))])


@cases(
    ("ops and attributes", UNSUPPORTED, sick, [("unsupported", "/draw"), ("unsupported", "/unique"),
                                               ("unsupported", "/reshape")]),
    ("an op and sizes", UNSUPPORTED, unknown, [("unsupported", "/frob"), ("unbound-dimension", "'n'"),
                                          ("unbound-dimension", "'m'")]),
    ("sizes of two inputs", UNBOUND, unbound, [("unbound-dimension", "--dim batch=N"),
                                               ("unbound-dimension", "--dim rows=N")]),
    ("infinity", NOT_FINITE, infinite, [("not-finite", "inf")]),
    ("no ONNX", MODEL, lambda: b"hello, world", [("model", "not an ONNX model")]),
)
def problems(code, make, wanted):
    path = folder / "sick.onnx"
    path.write_bytes(make())
    run = lindero("doctor", path, "--json")
    equal(run.code, code, f"{run.out}{run.errors}: exit code")
    found = run.event("result")["problems"]
    equal([problem["name"] for problem in found], [name for name, _ in wanted], f"{found}: kinds")
    for problem, (_, word) in zip(found, wanted):
        assert word in problem["message"], f"wanted '{word}': {problem}"
        assert "\n" not in problem["message"], problem
    assert "sick.onnx" in run.event("error")["message"], run.out
    text = lindero("doctor", path)
    equal(text.code, code, "exit code of the text")
    for _, word in wanted:
        assert word in text.out, f"wanted '{word}': {text.out}"
    assert text.errors.count("\n") == 1 and "sick.onnx" in text.errors, text.errors


@case
def sizes_that_are_missing_are_assumed():
    path = folder / "unbound.onnx"
    path.write_bytes(unbound(second=False))
    run = lindero("doctor", path, "--json")
    result = run.event("result")
    equal(result["assumed_dim"], 16, "assumed size")
    assert result["online_cells"] > 0, result
    sizes = succeed("doctor", path, "--dim", "batch=2")
    equal(sizes["problems"], [], "problems")
    assert "assumed_dim" not in sizes and sizes["online_cells"] <= result["online_cells"], sizes


@case
def what_becomes_of_a_model():
    found = succeed("doctor", MODELS / "toy_gpt.onnx")
    equal(found["problems"], [], "problems")
    regions = {entry["region"]: entry["nodes"] for entry in found["recognized"]}
    attention = [nodes for region, nodes in regions.items() if "attention" in region]
    assert attention and any("Softmax" in node for nodes in attention for node in nodes), regions
    names = {node.name for node in onnx.load(MODELS / "toy_gpt.onnx").graph.node if node.name}
    said = {node for nodes in regions.values() for node in nodes} | set(found["gone"])
    equal(sorted(names - said), [], "nodes that are nowhere")
    assert found["online_cells"] > 0 and found["proof_bytes"] > 0, found
    equal({entry["kind"] for entry in found["verifier"]}, {"input", "output"}, "what the verifier reads")
    estimate = succeed("compile", MODELS / "toy_gpt.onnx", "--estimate")
    equal(found["online_cells"], estimate["online_cells"], "cells")


@case
def files_and_options():
    equal(lindero("doctor", folder / "none.onnx").code, FILE, "exit code of a missing file")
    equal(lindero("doctor", MODELS / "toy_gpt.onnx", "--lanes", "3").code, USAGE, "exit code of a wrong option")


with temporary_folder() as folder:
    main()
