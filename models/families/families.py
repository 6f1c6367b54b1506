"""run [--only PATTERN] [--table] [--json] [--again] [--jobs N] [BUILD]

Small models of many families, from file to verified proof.

Makes each model (models/generated/families/NAME.onnx, with its inputs and onnxruntime's outputs beside it), checks,
proves and verifies it with default options, and compares what is proven with onnxruntime: the least cosine of a row
must be 0.999. A result is kept (NAME.json) until model or program is another one. The exit code is 1 if one fails.
"""

import argparse
import concurrent.futures
import fnmatch
import hashlib
import json
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import torch

import causal
import decoded
import encoders
import layers
import lindero
import old
import quantized
import table

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "models/generated/families"
MOST_BYTES = 300_000
EXPORTING = threading.Lock()  # the exporters have global state


def models():
    for script in (causal, encoders, layers, old, quantized):
        yield from script.models()


def make(model, again):
    """The file's path, inputs, outputs of onnxruntime, and rows to leave out."""
    path = FOLDER / f"{model.name}.onnx"
    if again or not path.with_suffix(".npz").exists():
        sample = model.make(path)
        expected = lindero.reference(FOLDER / (sample.reference or path.name), sample.inputs,
                                     optimized=model.family != "quantized")
        np.savez(path.with_suffix(".npz"), **{f"input {name}": array for name, array in sample.inputs.items()},
                 **{f"output {name}": array for name, array in expected.items() if name not in sample.unproven},
                 **{f"excluded {name}": array for name, array in sample.excluded.items()})
    arrays = np.load(path.with_suffix(".npz"))
    return path, *({name.split(" ", 1)[1]: arrays[name] for name in arrays.files if name.startswith(kind)}
                   for kind in ("input", "output", "excluded"))


def attempt(program, model, again):
    """What came of the model: a row of the table."""
    row = {"name": model.name, "family": model.family, "form": model.form, "least": model.least_cosine}
    try:
        with EXPORTING:
            path, inputs, expected, excluded = make(model, again)
        row["bytes"] = path.stat().st_size
        if row["bytes"] > MOST_BYTES:
            raise lindero.Failed(f"the file has {row['bytes']} bytes")
        got, events, row["own_input"] = lindero.prove(program, path, inputs)
        row |= table.costs(events)
        row["excluded"] = {name: int(rows.sum()) for name, rows in excluded.items() if rows.any()}
        if missing := set(expected) - set(got):
            raise lindero.Failed(f"not proven: {', '.join(sorted(missing))}")
        row["cosine"] = min(lindero.least_cosine(got[name], want, excluded.get(name))
                            for name, want in expected.items())
        if not row["cosine"] >= model.least_cosine:
            raise lindero.Failed(f"WRONG: least cosine {row['cosine']:.6f}")
    except lindero.Failed as failed:
        row["error"] = str(failed)
    except Exception as error:  # the exporter's, or onnxruntime's
        row["error"] = f"not made: {type(error).__name__}: {str(error).splitlines()[0][:200] if str(error) else ''}"
    return row


def kept(name, stamp):
    """The result of an earlier run with the same program and file."""
    path = FOLDER / f"{name}.json"
    if path.exists():
        row = json.loads(path.read_text())
        if row["stamp"] == stamp(name):
            return row
    return None


def main():
    parser = argparse.ArgumentParser(prog="run", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build", type=Path, nargs="?", default=ROOT / "build")
    parser.add_argument("--only", metavar="PATTERN", default="*", help="names, as in 'gpt2_*'")
    parser.add_argument("--table", action="store_true", help="write the tables of models/families/README.md")
    parser.add_argument("--json", action="store_true", help="print a JSON object per model")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--again", action="store_true", help="make and prove also what has been")
    arguments = parser.parse_args()
    program = arguments.build / "bin/lindero"
    torch.set_num_threads(1)
    FOLDER.mkdir(parents=True, exist_ok=True)
    version = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout

    def stamp(name):
        file = FOLDER / f"{name}.onnx"
        return hashlib.sha256(version.encode() + (file.read_bytes() if file.exists() else b"")).hexdigest()[:16]

    def examine(model):
        row = None if arguments.again else kept(model.name, stamp)
        if row is None:
            start = time.monotonic()
            if isinstance(model, decoded.Decoded):
                row = decoded.attempt(program, model, FOLDER, EXPORTING)
            else:
                row = attempt(program, model, arguments.again)
            row |= {"seconds": round(time.monotonic() - start, 1), "stamp": stamp(model.name)}
            (FOLDER / f"{model.name}.json").write_text(json.dumps(row, indent=1))
        if arguments.json:
            print(json.dumps(row), flush=True)
        else:
            print("FAIL" if "error" in row else "ok  ", row["name"], row.get("error") or row["seconds"], flush=True)
        return row

    chosen = [model for model in (*models(), *decoded.models()) if fnmatch.fnmatch(model.name, arguments.only)]
    with concurrent.futures.ThreadPoolExecutor(arguments.jobs) as pool:
        rows = list(pool.map(examine, chosen))
    failed = sum("error" in row for row in rows)
    if not arguments.json:
        print(f"{len(rows) - failed} passed, {failed} failed")
    if arguments.table:
        table.write(ROOT / "models/families/README.md", rows, version.split("\n")[0])
    sys.exit(1 if failed or not rows else 0)


if __name__ == "__main__":
    main()
