"""Files of the newest opsets and IR versions, to a verified proof; newer ones are refused."""

import numpy as np
import onnx
import onnx.reference
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from harness import case, cases, lindero, main, outputs, succeed, temporary_folder

UNSUPPORTED = 4
TOKENS, WIDTH = 6, 16
RNG = np.random.default_rng(7)


def model_of(nodes, weights, opset, ir):
    graph = helper.make_graph(
        nodes, "g", [helper.make_tensor_value_info("x", TensorProto.FLOAT, (1, TOKENS, WIDTH))],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, (1, TOKENS, WIDTH))],
        [numpy_helper.from_array(value.astype(np.float32), name) for name, value in weights.items()])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=ir)


def mlp(opset, ir):
    weights = {"a": RNG.normal(0, 0.3, (WIDTH, 32)), "b": RNG.normal(0, 0.3, (32, WIDTH)), "s": np.ones(WIDTH)}
    nodes = [helper.make_node("RMSNormalization", ["x", "s"], ["n"], axis=-1),
             helper.make_node("MatMul", ["n", "a"], ["h"]), helper.make_node("Swish", ["h"], ["g"]),
             helper.make_node("MatMul", ["g", "b"], ["y"])]
    return model_of(nodes, weights, opset, ir)


def attention(opset, ir):
    weights = {name: RNG.normal(0, 0.3, (WIDTH, WIDTH)) for name in "qkvo"}
    nodes = [helper.make_node("MatMul", ["x", name], [f"x{name}"]) for name in "qkv"]
    nodes += [helper.make_node("Attention", ["xq", "xk", "xv"], ["m"], q_num_heads=2, kv_num_heads=2, is_causal=1),
              helper.make_node("MatMul", ["m", "o"], ["p"]), helper.make_node("Add", ["x", "p"], ["y"])]
    return model_of(nodes, weights, opset, ir)


@cases(*((f"{make.__name__}, opset {opset}, IR {ir}", make, opset, ir, number == 0)
         for number, (opset, ir) in enumerate([(28, 14), (24, 12), (25, 12), (25, 13), (26, 13), (27, 13), (24, 14)])
         for make in (mlp, attention)))
def computes_the_same(make, opset, ir, proven):
    model = make(opset, ir)
    path, given = folder / "new.onnx", folder / "x.npz"
    onnx.save(model, path)
    x = RNG.standard_normal((1, TOKENS, WIDTH)).astype(np.float32)
    np.savez(given, x=x)
    # The newest opsets are not all that onnxruntime has kernels for.
    try:
        session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
        wanted = session.run(None, {"x": x})[0]
    except onnxruntime.capi.onnxruntime_pybind11_state.NotImplemented:
        wanted = onnx.reference.ReferenceEvaluator(model).run(None, {"x": x})[0]
    result = succeed("check", path, "--input", given)
    got = np.array(outputs(result)["y"], float).reshape(-1, WIDTH)
    wanted = wanted.reshape(-1, WIDTH)
    cosine = (got * wanted).sum(1) / np.linalg.norm(got, axis=1) / np.linalg.norm(wanted, axis=1)
    assert cosine.min() > 0.999, cosine
    if proven:
        succeed("prove", path, "--input", given, "-o", folder / "new.proof")
        succeed("verify", folder / "new.proof", "--key", folder / "new.key")


@cases(*((f"opset {opset}, {kind} mask", opset, kind) for opset in (23, 24) for kind in ("truth", "causal", "real")))
def attends_by_masks(opset, kind):
    """A row whose keys are all masked is zero."""
    mask_type = TensorProto.FLOAT if kind == "real" else TensorProto.INT64
    nodes = [helper.make_node("MatMul", ["x", "w"], ["qkv"]),
             helper.make_node("Split", ["qkv"], list("qkv"), axis=2, num_outputs=3),
             helper.make_node("Cast", ["mask"], ["m"], to=TensorProto.FLOAT if kind == "real" else TensorProto.BOOL),
             helper.make_node("Attention", ["q", "k", "v", "m"], ["y"], q_num_heads=2, kv_num_heads=2,
                              is_causal=int(kind != "truth"))]
    model = model_of(nodes, {"w": RNG.normal(0, 0.3, (WIDTH, 3 * WIDTH))}, opset, 12)
    model.graph.input.append(helper.make_tensor_value_info("mask", mask_type, (TOKENS, TOKENS)))
    given = {"x": RNG.standard_normal((1, TOKENS, WIDTH)).astype(np.float32),
             "mask": RNG.standard_normal((TOKENS, TOKENS)).astype(np.float32)}
    if kind != "real":
        given["mask"] = (given["mask"] > -0.5).astype(np.int64)
        given["mask"][0, 0], given["mask"][3] = 1, 0
    path, arrays = folder / "masked.onnx", folder / "masked.npz"
    onnx.save(model, path)
    np.savez(arrays, **given)
    wanted = onnx.reference.ReferenceEvaluator(model).run(None, given)[0]
    assert (kind == "real") == wanted[0, 3].any()
    got = np.array(outputs(succeed("check", path, "--input", arrays))["y"], float).reshape(wanted.shape)[0]
    for row, expected in zip(got, wanted[0]):
        assert expected.any() or not row.any()
        assert not expected.any() or row @ expected > 0.999 * np.linalg.norm(row) * np.linalg.norm(expected)


@case
def what_is_newer_than_the_library_is_refused():
    for opset, ir, word in ((29, 14, "opset 29 is not supported"), (28, 15, "IR version 15 is newer than 14")):
        path = folder / "newer.onnx"
        onnx.save(mlp(opset, ir), path)
        run = lindero("compile", path, "-o", folder / "newer.lindero", "--no-key")
        assert run.code == UNSUPPORTED and word in run.errors and "newer.onnx" in run.errors, (run.code, run.errors)
        assert run.errors.count("\n") == 1, run.errors


with temporary_folder() as folder:
    main()
