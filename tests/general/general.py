"""run [--graphs N] [--proofs M] [--seed S] [--jobs J] BUILD: random ONNX graphs (graphs.py) through the general path.

Each is compiled with inputs to calibrate with, run and checked on another input. The float model's outputs are compared
with onnxruntime's; each integer that is stored on the way with the float model's, within a bound that comes from analysis
(passes/quantize/error_bound.h); the integers' outputs with onnxruntime's, within the limits of compile;
the integers of the program cut into segments with those of the whole. The first M that compile are proven and verified,
too. A graph may be refused by name (exit code 4), or because integers lose its rows (18). Exit code 1 if one is wrong,
fails in another way, or more than a twentieth are refused by name.
"""

import argparse
import collections
import concurrent.futures
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import onnxruntime

from graphs import RandomModel

SAMPLES = 8
LEAST_COSINE, MOST_ERROR = 0.99, 0.05  # of compile, by default
SLACK = 1e-4  # single precision against double
SINGLE = 1e-3  # the same, of a value over the largest one
UNSUPPORTED, OUT_OF_RANGE, IMPRECISE = 4, 10, 18


class Wrong(Exception):
    """What must not be."""


def lindero(build, *arguments, allowed=()):
    process = subprocess.run([build / "bin/lindero", *map(str, arguments), "--json"], capture_output=True, text=True, timeout=600)
    events = [json.loads(line) for line in process.stdout.splitlines()]
    if process.returncode not in (0, *allowed):
        raise Wrong(f"{arguments[0]}: exit code {process.returncode}: {process.stdout[-400:]}{process.stderr[-400:]}")
    return process.returncode, events


def message(events):
    return next(event["message"] for event in events if event["event"] == "error")


def outputs_of(events):
    statement = next(event for event in reversed(events) if event["event"] == "result")["statement"]
    return {tensor["name"]: np.array(tensor["values"]) * 2.0 ** -tensor["exponent"]
            for tensor in statement if tensor["kind"] == "output"}


def compare(name, got, want):
    # One number is no row.
    rows = want.reshape(-1, want.shape[-1] if want.ndim and want.shape[-1] > 1 else want.size).astype(float)
    got = got.reshape(rows.shape)
    for row, (a, b) in enumerate(zip(got, rows)):
        size = np.linalg.norm(b)
        if size <= 1e-3 * np.linalg.norm(rows, axis=1).max():
            continue
        error, cosine = np.linalg.norm(a - b) / size, a @ b / (size * np.linalg.norm(a) + 1e-30)
        if error > MOST_ERROR + SLACK or cosine < LEAST_COSINE - SLACK:
            raise Wrong(f"output {name}, row {row}: error {error:.4f}, cosine {cosine:.5f}: {a} instead of {b}")


def reals(values):
    return np.array([np.inf if value is None else value for value in values], dtype=float)


def check_bounds(build, model, package, given, found, reference):
    """Each value within its bound, the float model like onnxruntime. By output element: its bound over its error."""
    process = subprocess.run([build / "tests/general/bounds", model, package / "exponents.json", given],
                             capture_output=True, text=True, timeout=600)
    if process.returncode != 0:
        raise Wrong(f"bounds: {process.stderr}")
    result = json.loads(process.stdout)
    for kind in ("outputs", "tensors", "steps"):
        for tensor in result[kind]:
            if (i := tensor["beyond"]) >= 0:
                raise Wrong(f"{kind}: {tensor['role']} of {tensor['node']}, element {i}: {tensor['actual'][i]} instead of "
                            f"{tensor['expected'][i]}, beyond {tensor['bounds'][i]}")
    ratios = []
    for output in result["outputs"]:
        expected, actual, bounds = (reals(output[key]) for key in ("expected", "actual", "bounds"))
        if not np.array_equal(actual, found[output["node"]].ravel()):
            raise Wrong(f"output {output['node']}: other values than those that were checked")
        want = reference[output["node"]].ravel().astype(float)
        # On the other side of a step single precision is as right as double.
        apart = (np.abs(want - expected) > SINGLE * max(1, np.abs(expected).max())) & (np.abs(want - actual) > bounds)
        if apart.any():
            i = int(np.argmax(apart))
            raise Wrong(f"output {output['node']}, element {i}: {want[i]} by onnxruntime, {expected[i]} by the float model")
        errors = np.abs(actual - expected)
        ratios += list(bounds[errors > 0] / errors[errors > 0])
    return ratios


def check_cuts(build, model, package, given):
    """Cut between all of its atoms, the integer program computes the same."""
    process = subprocess.run([build / "tests/general/cuts", model, package / "exponents.json", given],
                             capture_output=True, text=True, timeout=600)
    if process.returncode != 0:
        raise Wrong(f"cuts: {process.stderr}")


def examine(build, seed, folder, prove, ratios):
    """What came of the graph."""
    random = RandomModel(seed, 8 + seed % 7)
    model = folder / "general.onnx"
    model.write_bytes(random.model.SerializeToString())
    samples = [random.inputs(100 * seed + i) for i in range(SAMPLES)]
    np.savez(folder / "calibrate.npz", **{name: np.stack([sample[name] for sample in samples]) for name in samples[0]})
    np.savez(folder / "input.npz", **samples[0])
    package = folder / "general.lindero"
    options = [] if prove else ["--no-key"]
    code, events = lindero(build, "compile", model, "-o", package, "--calibrate", folder / "calibrate.npz", *options,
                           allowed=(UNSUPPORTED, IMPRECISE))
    if code != 0:
        return ("refused" if code == UNSUPPORTED else "imprecise"), message(events)
    code, events = lindero(build, "check", package, "--input", folder / "input.npz")
    found = outputs_of(events)
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    reference = dict(zip(names, session.run(names, samples[0])))
    ratios += check_bounds(build, model, package, folder / "input.npz", found, reference)
    check_cuts(build, model, package, folder / "input.npz")
    for name, want in reference.items():
        compare(name, found[name], want)
    if not prove:
        return "checked", ""
    proof = folder / "general.proof"
    lindero(build, "prove", package, "--input", folder / "input.npz", "-o", proof)
    _, events = lindero(build, "verify", proof, "--key", package / "model.key")
    for name, values in outputs_of(events).items():
        if not np.array_equal(values, found[name]):
            raise Wrong(f"output {name}: proven and checked values differ")
    return "proven", ""


def attempt(build, seed, prove):
    ratios = []
    with tempfile.TemporaryDirectory() as folder:
        try:
            return seed, *examine(build, seed, Path(folder), prove, ratios), ratios
        except Wrong as wrong:
            return seed, "WRONG", str(wrong), ratios


def main():
    parser = argparse.ArgumentParser(prog="run", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build", type=Path)
    parser.add_argument("--graphs", type=int, default=500)
    parser.add_argument("--proofs", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=2)
    arguments = parser.parse_args()
    onnxruntime.set_default_logger_severity(3)
    seeds = range(arguments.seed, arguments.seed + arguments.graphs)
    with concurrent.futures.ThreadPoolExecutor(arguments.jobs) as pool:
        results = list(pool.map(lambda seed: attempt(arguments.build, seed, seed - arguments.seed < arguments.proofs), seeds))
    count = collections.Counter(outcome for _, outcome, _, _ in results)
    for seed, outcome, why, _ in results:
        if outcome in ("WRONG", "refused"):
            print(f"{outcome}: seed {seed}: {why}")
    ratios = [ratio for *_, some in results for ratio in some]
    if ratios:
        low, median, high = np.quantile(ratios, (0.25, 0.5, 0.75))
        print(f"{len(ratios)} elements of outputs: bound over error {median:.1f} (quartiles {low:.1f}, {high:.1f})")
    print(", ".join(f"{number} {outcome}" for outcome, number in sorted(count.items())))
    sys.exit(1 if count["WRONG"] or 20 * count["refused"] > len(results) else 0)


if __name__ == "__main__":
    main()
