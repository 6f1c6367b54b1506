"""What the end-to-end tests share: the programs under test, the models, and tables of cases.

A test program lists its cases with @case or @cases and ends with main(). Arguments: the folder of the programs
(<build>/bin), the folder of the test programs (<build>/tests), and words that a case's name must contain to run.
"""

import contextlib
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
import traceback
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MODELS = ROOT / "models"
CHAR_GPT = MODELS / "char_gpt"
SMALL = ROOT / "tests/onnx_node/runtime"
HELD_OUT = CHAR_GPT / "held_out.txt"
BIN, TESTS = (Path(argument).resolve() for argument in sys.argv[1:3])

_cases = []


def add_case(name, function):
    _cases.append((name, function))


def case(function):
    """A case; its name is the function's."""
    add_case(function.__name__.replace("_", " "), function)
    return function


def cases(*rows):
    """One case for each row of a table: its first column completes the name, the others are arguments."""

    def add(function):
        for name, *arguments in rows:
            title = f"{function.__name__.replace('_', ' ')}: {name}"
            add_case(title, lambda arguments=arguments: function(*arguments))
        return function

    return add


def main():
    wanted = sys.argv[3:]
    failed = 0
    chosen = [(name, run) for name, run in _cases if all(word in name for word in wanted)]
    for name, run in chosen:
        begin = time.monotonic()
        try:
            run()
            verdict = "ok    "
        except Exception:
            traceback.print_exc(file=sys.stdout)
            verdict = "FAILED"
            failed += 1
        print(f"{verdict} {name} ({time.monotonic() - begin:.1f} s)", flush=True)
    print(f"{len(chosen) - failed} passed, {failed} failed")
    sys.exit(1 if failed or not chosen else 0)


class Run:
    """What a run of lindero left: its exit code and what it wrote. With --json: events by name, the last of each."""

    def __init__(self, process):
        self.code = process.returncode
        self.out = process.stdout.decode()
        self.errors = process.stderr.decode()

    def event(self, name):
        found = [event for event in map(json.loads, self.out.splitlines()) if event["event"] == name]
        assert found, f"no event {name}: {self.out}{self.errors}"
        return found[-1]

    def notes(self):
        return [event["text"] for event in map(json.loads, self.out.splitlines()) if event["event"] == "note"]


def lindero(*arguments, cwd=None, env=None, file_limit=None):
    """Runs the command line; `file_limit`: no file may grow beyond this number of bytes, as if the disk were full."""

    def limit():
        if file_limit is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (file_limit, file_limit))

    command = [str(BIN / "lindero"), *map(str, arguments)]
    environment = {**os.environ, **(env or {})}
    return Run(subprocess.run(command, cwd=cwd, env=environment, capture_output=True, timeout=120, preexec_fn=limit))


def succeed(*arguments, **options):
    """The result of a command that must succeed."""
    run = lindero(*arguments, "--json", **options)
    assert run.code == 0, f"{' '.join(map(str, arguments))}: exit {run.code}: {run.out}{run.errors}"
    return run.event("result")


def equal(left, right, what):
    assert left == right, f"{what} differ:\n  {str(left)[:500]}\n  {str(right)[:500]}"


def outputs(result):
    """The public outputs of a check, prove or verify, by name."""
    return {t["name"]: t["values"] for t in result["statement"] if t["kind"] == "output"}


def statement(result):
    """All public values of a check, prove or verify; texts, which depend on a tokenizer, left out."""
    return [{key: value for key, value in tensor.items() if key != "text"} for tensor in result["statement"]]


def listing(*folders):
    """Every file below the folders, and every folder."""
    return sorted(str(path) for folder in folders for path in Path(folder).rglob("*"))


@contextlib.contextmanager
def temporary_folder():
    folder = Path(tempfile.mkdtemp(prefix="lindero-e2e-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


class Models:
    """Models and their packages, each made once, on first use."""

    def __init__(self, folder):
        self.folder = folder
        self.made = {}

    def onnx(self, name):
        """`name` is a committed file without .onnx, or what models/generate.py calls it, with options."""
        for folder in (CHAR_GPT, MODELS, SMALL):
            if (folder / f"{name}.onnx").exists():
                return folder / f"{name}.onnx"
        path = self.folder / f"{name}.onnx"
        if not path.exists():
            command = [sys.executable, MODELS / "generate.py", *name.split(), "-o", path]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        return path

    def package(self, name, *options):
        key = (name, *options)
        if key not in self.made:
            package = self.folder / f"{name}-{len(self.made)}.lindero"
            succeed("compile", self.onnx(name), "-o", package, *options)
            self.made[key] = package
        return self.made[key]

    def interpret(self, name, package, options, inputs):
        """What the integer interpreter gives for each of the inputs, under the exponents of the package."""
        command = [TESTS / "interpret", self.onnx(name), "--exponents", package / "exponents.json", *options]
        found = subprocess.run(command, input=json.dumps(inputs).encode(), capture_output=True)
        assert found.returncode == 0, found.stderr.decode()
        return json.loads(found.stdout)
