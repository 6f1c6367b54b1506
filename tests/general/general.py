"""run [--graphs N] [--proofs M] [--seed S] [--jobs J] BUILD: random ONNX graphs (graphs.py) through the general path.

Each is compiled with inputs to calibrate with, run and checked on another input; the integers' outputs are compared with
onnxruntime's. The first M that compile are proven and verified, too. A graph may be refused by name (exit code 4), or
because integers lose its rows (18); one that is accepted is within the limits of compile. Exit code 1 if one is wrong,
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
    rows = want.reshape(-1, want.shape[-1] if want.ndim else 1).astype(float)
    got = got.reshape(rows.shape)
    for row, (a, b) in enumerate(zip(got, rows)):
        size = np.linalg.norm(b)
        if size <= 1e-3 * np.linalg.norm(rows, axis=1).max():
            continue
        error, cosine = np.linalg.norm(a - b) / size, a @ b / (size * np.linalg.norm(a) + 1e-30)
        if error > MOST_ERROR + SLACK or cosine < LEAST_COSINE - SLACK:
            raise Wrong(f"output {name}, row {row}: error {error:.4f}, cosine {cosine:.5f}: {a} instead of {b}")


def examine(build, seed, folder, prove):
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
    for name, want in zip(names, session.run(names, samples[0])):
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
    with tempfile.TemporaryDirectory() as folder:
        try:
            return seed, *examine(build, seed, Path(folder), prove)
        except Wrong as wrong:
            return seed, "WRONG", str(wrong)


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
    count = collections.Counter(outcome for _, outcome, _ in results)
    for seed, outcome, why in results:
        if outcome in ("WRONG", "refused"):
            print(f"{outcome}: seed {seed}: {why}")
    print(", ".join(f"{number} {outcome}" for outcome, number in sorted(count.items())))
    sys.exit(1 if count["WRONG"] or 20 * count["refused"] > len(results) else 0)


if __name__ == "__main__":
    main()
