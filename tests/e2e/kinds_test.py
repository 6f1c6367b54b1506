"""Kinds of small transformers, as exports of public models have them: proven, verified, and what onnxruntime says.

Models and outputs are stored (tests/onnx_node/runtime/make.py). Each output row is compared with what is stored, and the
agreement that the program prints with that.
"""

import json

import numpy as np
import onnx

from harness import ROOT, add_case, equal, lindero, main, temporary_folder

FOLDER = ROOT / "tests/onnx_node/runtime"
LEAST_COSINE, LARGEST_ERROR, SAME = 0.999, 0.05, 1e-4
ELEMENTS = {onnx.TensorProto.FLOAT: np.float32, onnx.TensorProto.FLOAT16: np.float16, onnx.TensorProto.INT64: np.int64,
            onnx.TensorProto.BOOL: np.bool_}


def shape(tensor):
    return [d.dim_value for d in tensor.type.tensor_type.shape.dim]


def given(graph, values, path):
    """The stored inputs, as a file."""
    arrays = {i.name: np.array(values[i.name], ELEMENTS[i.type.tensor_type.elem_type]).reshape(shape(i))
              for i in graph.input}
    np.savez(path, **arrays)
    return path


def figures(got, wanted):
    """Least cosine and largest error over the norm, of the rows that are not zero."""
    norms = np.linalg.norm(wanted, axis=1)
    rows = norms > 1e-6 * norms.max()
    a, b, norms = got[rows], wanted[rows], norms[rows]
    return ((a * b).sum(1) / (np.linalg.norm(a, axis=1) * norms)).min(), (np.linalg.norm(a - b, axis=1) / norms).max()


def rows(values, sizes):
    return np.array(values, float).reshape(-1, sizes[-1])


def same(what, output, stored):
    """Each integer."""
    got = np.array(output["values"], float) * 2.0 ** -output["exponent"]
    wrong = np.flatnonzero(got != np.array(stored, float))
    assert not wrong.size, (what, wrong[0], got[wrong[0]], stored[wrong[0]])


def agrees(what, output, sizes, stored, printed):
    equal(output["shape"], sizes, f"shape of {what}")
    cosine, error = figures(rows(output["values"], sizes) * 2.0 ** -output["exponent"], rows(stored, sizes))
    print(f"  {what}: least cosine {cosine:.6f}, largest error of a row {error:.4f}")
    assert cosine >= LEAST_COSINE and error <= LARGEST_ERROR, (what, cosine, error)
    assert abs(printed["least_cosine"] - cosine) < SAME, (what, printed, cosine)
    assert abs(printed["largest_row_error"] - error) < SAME, (what, printed, error)


def proven(name, story):
    model, proof = FOLDER / f"{name}.onnx", folder / f"{name}.proof"
    graph = onnx.load(model).graph
    path = given(graph, story["inputs"], folder / f"{name}.npz")
    run = lindero("prove", model, "--input", path, "--compare", path, "-o", proof, "--json")
    equal(run.code, 0, f"exit code; {run.out[-600:]}{run.errors}")
    verified = lindero("verify", proof, "--key", folder / f"{name}.key", "--json")
    equal(verified.code, 0, f"exit code of verify; {verified.out}{verified.errors}")
    outputs = verified.event("result")["claim"]["outputs"]
    printed = run.event("result")["agreement"]["outputs"]
    if "exact" in story:
        equal(sorted(output["name"] for output in outputs), sorted(story["outputs"]), "outputs")
        for output in outputs:
            same(f"{name}: {output['name']}", output, story["outputs"][output["name"]])
        return
    equal([output["name"] for output in outputs], [output.name for output in graph.output], "outputs")
    for output, wanted, said in zip(outputs, graph.output, printed, strict=True):
        agrees(f"{name}: {wanted.name}", output, shape(wanted), story["outputs"][wanted.name], said)


with temporary_folder() as folder:
    for name, story in json.loads((FOLDER / "cases.json").read_text()).items():
        if "proven" in story:
            add_case(name.replace("_", " "), lambda name=name, story=story: proven(name, story))
    main()
