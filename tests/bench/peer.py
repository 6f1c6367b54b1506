"""What peers have in common: a Python environment of their own, each stage a process in it, a record of what it took.

A peer's file names a `Peer`. Run by that peer's environment, `FILE STAGE FOLDER` is one stage (`main`).
"""

import dataclasses
import json
import os
import statistics
import subprocess
import sys
import venv
from pathlib import Path
from typing import Callable

from process import Failed, measure


@dataclasses.dataclass(frozen=True)
class Peer:
    name: str  # as its makers write it
    version: str
    requirements: tuple  # of pip, with their versions
    file: str  # where its stages are
    models: tuple  # those that it takes
    stages: tuple  # in their order
    prepare: Callable  # writes to a folder what the first stage reads, given the `Path` and the input's numbers
    circuit: Callable  # how large the first stage's result in the folder is, in words
    sizes: Callable  # bytes of what is in the folder after all stages; of them "proof" is the proof's

    def environment(self):
        """The Python that has it; made in the user's cache when it is not there."""
        cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        folder = cache / "lindero" / f"{self.name.lower()}-{self.version}"
        python = folder / "bin/python"
        if not (folder / "complete").exists():
            venv.create(folder, with_pip=True, clear=True)
            subprocess.run([python, "-m", "pip", "install", "--quiet", *self.requirements], check=True)
            (folder / "complete").touch()
        return python

    def run(self, path, options):
        """All stages for the ONNX file and input of a `Path`. The result holds what was measured until a stage failed."""
        folder = path.folder / f"{path.model.name}.{self.name.lower()}"
        folder.mkdir(exist_ok=True)
        (values,) = json.loads(path.input[-1].read_text()).values()
        self.prepare(folder, path, flat(values))
        python = self.environment()
        result = {"name": self.name, "version": self.version, "address_space": options.peer_memory, "stages": {}}
        for name in self.stages:
            runs = []
            for _ in range(options.repeat if name in REPEATED else 1):
                try:
                    printed, cost = measure([python, self.file, name, folder], options.peer_memory, options.peer_seconds)
                except Failed as error:
                    return result | {"failed": f"{name}: {error}"}
                runs.append(cost | {"inside": json.loads(printed.splitlines()[-1])["seconds"]})
            if name == self.stages[0]:
                result["circuit"] = self.circuit(folder)
            result["stages"][name] = {key: statistics.median(run[key] for run in runs) for key in runs[0]}
        return result | {
            "peak_bytes": max(stage["peak_bytes"] for stage in result["stages"].values()),
            "bytes": self.sizes(folder),
        }


REPEATED = ("witness", "prove", "verify")


def flat(values):
    return [values] if isinstance(values, float) else [x for value in values for x in flat(value)]


def main(stage):
    """One stage, in its folder; `stage` says how many seconds of it were the stage's own work."""
    name, folder = sys.argv[1:3]
    os.chdir(folder)
    print("\n" + json.dumps({"seconds": stage(name)}))
