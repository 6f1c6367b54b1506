"""All outputs of a graph, of any rank: proven, measured and compared, row by row."""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from harness import case, cases, equal, lindero, main, outputs, succeed, temporary_folder

USAGE, UNSUPPORTED, INPUT, OUT_OF_RANGE, IMPRECISE = 2, 4, 8, 10, 18
LIMIT = 1e-4


def saved(name, nodes, inputs, results, constants):
    info = lambda tensors: [helper.make_tensor_value_info(n, t, s) for n, t, s in tensors]
    rng = np.random.default_rng(len(name))
    weights = [numpy_helper.from_array(rng.standard_normal(s).astype(np.float32), n) for n, s in constants.items()]
    graph = helper.make_graph([helper.make_node(*node[:3], name=node[3]) for node in nodes], name, info(inputs),
                              info(results), weights)
    path = folder / f"{name}.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)
    return path


def two_outputs():
    """Of rank 3 and batch 2; and an input that nobody reads."""
    F = TensorProto.FLOAT
    return saved("two", [("MatMul", ["x", "w"], ["a"], "/in"), ("Relu", ["a"], ["hidden"], "/relu"),
                         ("MatMul", ["hidden", "v"], ["y"], "/out")],
                 [("x", F, (2, 4, 8)), ("mask", F, (2, 4))], [("y", F, (2, 4, 3)), ("hidden", F, (2, 4, 16))],
                 {"w": (8, 16), "v": (16, 3)})


def run_input(scale=1.0, **more):
    path = folder / "x.npz"
    np.savez(path, x=scale * np.random.default_rng(5).standard_normal((2, 4, 8)).astype(np.float32), **more)
    return path


def figures(got, wanted):
    """Least cosine and largest error over the row's norm, of the rows that are not zero."""
    width = wanted.shape[-1]
    a, b = np.asarray(got, float).reshape(-1, width), wanted.astype(float).reshape(-1, width)
    norms = np.linalg.norm(b, axis=1)
    rows = norms > 1e-6 * norms.max()
    a, b, norms = a[rows], b[rows], norms[rows]
    return ((a * b).sum(1) / (np.linalg.norm(a, axis=1) * norms)).min(), (np.linalg.norm(a - b, axis=1) / norms).max()


@case
def all_outputs_are_proven_in_their_shapes():
    model, proof, values = two_outputs(), folder / "two.proof", folder / "values.npz"
    succeed("prove", model, "--input", run_input(), "-o", proof)
    claim = succeed("verify", proof, "--key", folder / "two.key", "--save-outputs", values)["claim"]
    equal([(t["name"], t["shape"]) for t in claim["inputs"] + claim["outputs"]],
          [("x", [2, 4, 8]), ("y", [2, 4, 3]), ("hidden", [2, 4, 16])], "shapes")
    equal(claim["model"]["unread"], ["mask"], "unread inputs")
    equal({name: array.shape for name, array in np.load(values).items() if not name.endswith(".real")},
          {"x": (2, 4, 8), "y": (2, 4, 3), "hidden": (2, 4, 16)}, "shapes of the file")
    succeed("audit", model, "--key", folder / "two.key")


@cases(
    ("both, in another order", ["--output-name", "hidden", "--output-name", "y"], ["hidden", "y"]),
    ("one", ["--output-name", "hidden"], ["hidden"]),
)
def outputs_are_chosen(options, names):
    found = outputs(succeed("check", two_outputs(), "--input", run_input(), *options))
    equal(list(found), names, "outputs")


@cases(
    ("argmax of two", ["--argmax", "--output-name", "y", "--output-name", "hidden"], USAGE, "one output"),
    ("one twice", ["--output-name", "y", "--output-name", "y"], USAGE, "named twice"),
    ("argmax of rank 3", ["--argmax", "--output-name", "y"], USAGE, "needs rows and columns"),
    ("none of that name", ["--output-name", "z"], USAGE, "y, hidden"),
)
def choices_that_are_none(options, code, word):
    run = lindero("check", two_outputs(), "--input", run_input(), *options)
    assert run.code == code and word in run.errors, (run.code, run.errors)


@case
def notes_name_what_is_left_out():
    run = lindero("check", two_outputs(), "--input", run_input(), "--argmax", "--json")
    notes = " ".join(run.notes())
    for word in "'mask'", "not proven: hidden", "this run's input":
        assert word in notes, (word, notes)


@case
def agreement_is_that_of_stored_outputs():
    model, given = two_outputs(), run_input()
    wanted = dict(zip(("y", "hidden"), ReferenceEvaluator(str(model)).run(
        None, {"x": np.load(given)["x"], "mask": np.zeros((2, 4), np.float32)})))
    np.savez(folder / "held.npz", x=np.load(given)["x"], mask=np.zeros((2, 4), np.float32))
    result = succeed("check", model, "--input", given, "--compare", folder / "held.npz")
    printed = {output["name"]: output for output in result["agreement"]["outputs"]}
    for tensor in result["statement"]:
        if tensor["kind"] == "input":
            continue
        cosine, error = figures(np.array(tensor["values"]) * 2.0 ** -tensor["exponent"], wanted[tensor["name"]])
        told = printed[tensor["name"]]
        equal(told["shape"], list(wanted[tensor["name"]].shape), "shape")
        assert abs(told["least_cosine"] - cosine) < LIMIT, (told, cosine)
        assert abs(told["largest_row_error"] - error) < LIMIT, (told, error)
    equal(result["measured"]["samples"], 1, "samples measured")


@case
def a_run_calibrates_on_its_own_input():
    far = run_input(scale=500)
    found = succeed("check", two_outputs(), "--input", far)
    assert found["ok"] and found["measured"]["least_cosine"] > 0.999, found["measured"]
    package = folder / "two.lindero"
    succeed("compile", two_outputs(), "-o", package, "--no-key")
    run = lindero("check", package, "--input", far)
    assert run.code == 10 and "calibrated range" in run.errors, (run.code, run.errors)


@case
def a_function_is_right_or_refused():
    """Inputs within their range that drive a square ever further: it is right until its table ends, and then refused."""
    F = TensorProto.FLOAT
    model = saved("square", [("MatMul", ["x", "w"], ["a"], "/in"), ("Relu", ["a"], ["b"], "/relu"),
                             ("Mul", ["b", "b"], ["c"], "/square"), ("MatMul", ["c", "v"], ["y"], "/out")],
                  [("x", F, (4, 8))], [("y", F, (4, 3))], {"w": (8, 16), "v": (16, 3)})
    package, weights = folder / "square.lindero", numpy_helper.to_array(onnx.load(model).graph.initializer[0])
    x = np.random.default_rng(6).standard_normal((4, 8)).astype(np.float32)
    np.savez(folder / "ones.npz", x=x)
    succeed("compile", model, "-o", package, "--no-key", "--calibrate", folder / "ones.npz")
    ends = []
    for size in np.linspace(0.25, 2, 15, dtype=np.float32):
        far = np.ascontiguousarray(size * np.sign(weights[:, :4].T))
        np.savez(folder / "far.npz", x=far)
        run = lindero("check", package, "--input", folder / "far.npz", "--json")
        if run.code:
            assert run.code == OUT_OF_RANGE, (run.code, run.out)
            ends.append(run.event("error")["message"])
            continue
        (output,) = (t for t in run.event("result")["statement"] if t["kind"] == "output")
        (wanted,) = ReferenceEvaluator(str(model)).run(None, {"x": far})
        _, error = figures(np.array(output["values"]) * 2.0 ** -output["exponent"], wanted)
        assert error < 0.05 and not ends, (size, error, ends)
    assert ends and "/square" in ends[0], ends


@case
def lost_precision_is_refused_and_named():
    arguments = ["compile", two_outputs(), "-o", folder / "coarse.lindero", "--no-key", "--activation-bits", 6]
    strict = lindero(*arguments, "--min-cosine", 0.99999)
    assert strict.code == IMPRECISE, (strict.code, strict.errors)
    for word in "two.onnx", "output 'y'", "below 0.99999", "lost at", "/out", "--activation-bits", "--min-cosine":
        assert word in strict.errors, (word, strict.errors)
    assert not (folder / "coarse.lindero").exists()
    loose = succeed(*arguments, "--min-cosine", -1, "--max-error", 10)
    assert loose["measured"]["least_cosine"] < 0.99999, loose["measured"]


@cases(("two swapped", [1, 0], 2), ("all turned around", [4, 3, 2, 1, 0], 5), ("some", [3, 1], 4), ("one twice", [2, 2, 0], 3))
def rows_selected_before_a_norm(order, tokens):
    """A norm reads the rows of an embedding in an order of its own (advisory LINDERO-2026-3)."""
    F, I = TensorProto.FLOAT, TensorProto.INT64
    model = saved(f"order{len(order)}{tokens}", [
        ("Gather", ["table", "ids"], ["e"], "/embed"), ("Gather", ["e", "order"], ["s"], "/order"),
        ("LayerNormalization", ["s", "scale", "shift"], ["y"], "/norm")],
        [("ids", I, (tokens,))], [("y", F, (len(order), 16))], {"table": (13, 16), "scale": (16,), "shift": (16,)})
    proto = onnx.load(model)
    proto.graph.node[1].attribute.append(helper.make_attribute("axis", 0))
    proto.graph.initializer.append(numpy_helper.from_array(np.array(order, np.int64), "order"))
    onnx.save(proto, model)
    ids = np.array([3, 7, 1, 12, 5][:tokens], np.int64)
    np.savez(folder / "ids.npz", ids=ids)
    proof, values = model.with_suffix(".proof"), model.with_suffix(".npz")
    succeed("prove", model, "--input", folder / "ids.npz", "-o", proof)
    succeed("verify", proof, "--key", proof.with_suffix(".key"), "--save-outputs", values)
    wanted = ReferenceEvaluator(proto).run(None, {"ids": ids})[0]
    cosine, error = figures(np.load(values)["y.real"], wanted)
    assert cosine > 0.999 and error < 0.05, (cosine, error)


@case
def no_token_is_no_input():
    F, I = TensorProto.FLOAT, TensorProto.INT64
    model = saved("tokens", [("Gather", ["table", "ids"], ["e"], "/embed"), ("MatMul", ["e", "w"], ["y"], "/out")],
                  [("ids", I, (1, 8))], [("y", F, (1, 8, 4))], {"table": (12, 16), "w": (16, 4)})
    np.savez(folder / "none.npz", ids=np.zeros((1, 0), np.int64))
    run = lindero("check", model, "--input", folder / "none.npz")
    assert run.code == INPUT and "[1, 0]" in run.errors and "no element" in run.errors, (run.code, run.errors)


@case
def all_problems_of_a_file_are_named():
    F = TensorProto.FLOAT
    model = saved("bad", [("Bernoulli", ["x"], ["a"], "/one"), ("Relu", ["a"], ["b"], "/fine"),
                          ("RandomNormalLike", ["b"], ["y"], "/two")], [("x", F, (2, 4))], [("y", F, (2, 4))], {})
    run = lindero("compile", model, "--no-key", "-o", folder / "bad.lindero")
    assert run.code == UNSUPPORTED, (run.code, run.errors)
    for word in "bad.onnx", "'/one': op Bernoulli", "'/two': op RandomNormalLike":
        assert word in run.errors, (word, run.errors)
    assert "/fine" not in run.errors, run.errors


with temporary_folder() as folder:
    main()
