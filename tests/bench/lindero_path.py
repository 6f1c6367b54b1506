"""Measures the whole path of one model: compile, prove, verify, check, and Stwo alone on the same sizes."""

import json
import statistics

from memory_group import MemoryGroup, Watch
from process import events, measure


# What no prover of these cells can do without: extending and hashing them.
COMMIT_ONLINE = ("commit_main", "commit_fold", "commit_lookup")


def spread(runs):
    """Nested dicts of figures, one per run, as one of {"min", "median", "max"}."""
    if not isinstance(runs[0], dict):
        return {"min": min(runs), "median": statistics.median(runs), "max": max(runs)}
    return {key: spread([run[key] for run in runs]) for key in runs[0]}


class Path:
    """The commands for one model; files go to `folder`."""

    def __init__(self, model, binaries, folder, python, options):
        self.model, self.folder, self.python, self.options = model, folder, python, options
        self.lindero, self.prover = binaries / "lindero", binaries / "lindero-prover-stwo"
        self.onnx = model.file(folder, python)
        self.package, self.proof = folder / f"{model.file_name}.lindero", folder / f"{model.file_name}.proof"
        self.key = self.package / "model.key"
        self.group = None  # that bounds the memory
        self.input = None  # known once the model is compiled

    def run(self):
        """One repetition."""
        if not self.options.memory:
            return self._run()
        with MemoryGroup(int(2**30 * self.options.memory)) as self.group, Watch(self.group) as watch:
            result = self._run()
            result["memory"] = {"limit": self.group.limit, "peak": self.group.peak(), "anonymous": watch.anonymous}
        self.group = None
        return result

    def _run(self):
        steps = {"compile": self.compile, "prove": self.prove, "verify": self.verify, "check": self.check,
                 "bare": self.bare}
        processes, stages = {}, {}
        for name, step in steps.items():
            stages[name], processes[name] = step()
        sizes = {"package": sum(file.stat().st_size for file in self.package.rglob("*") if file.is_file()),
                 "key": self.key.stat().st_size, "proof": self.proof.stat().st_size}
        return {"processes": processes, "stages": stages, "bytes": sizes}

    def result(self, runs):
        """What the repetitions say together."""
        report = json.loads(next(self.package.rglob("report.json")).read_text())
        cost = report["cost"]
        result = {
            "about": self.model.about,
            "parameters": report["model"]["parameters"],
            "security": self.security,
            "sizes": {
                "online_cells": cost["online_cells"],
                "padding_cells": cost["padding_cells"],
                "fixed_cells": cost["fixed_cells"],
                "columns": cost["columns"],
                "tables": len(cost["tables"]),
            },
            "runs": len(runs),
        } | spread(runs)
        # The least disturbed run of each.
        prove, bare = result["stages"]["prove"]["without_grinding"]["min"], result["stages"]["bare"]
        result["bare_ratio"] = prove / bare["without_grinding"]["min"]
        result["floor_ratio"] = prove / sum(bare[stage]["min"] for stage in COMMIT_ONLINE if stage in bare)
        return result

    def compile(self):
        words = ["--security-bits", self.options.security_bits, "--regime", self.options.regime,
                 "--prefer", self.options.prefer]
        progress, result, cost = self._lindero("compile", self.onnx, "-o", self.package, *self.model.options,
                                               *self._threads(), *words)
        starts = [(event["stage"], event["seconds"]) for event in progress if ":" not in event["stage"]]
        ends = [seconds for _, seconds in starts[1:]] + [starts[0][1] + result["compile_seconds"]]
        stages = {name: end - start for (name, start), end in zip(starts, ends)}
        stages["set up the key"] = result["setup_seconds"]
        cost["set_up_peak_bytes"] = result["key"]["time"]["peak_memory_bytes"]
        self.security = result["key"]["security"] | {"parameters": result["key"]["parameters"]}
        if self.input is None:
            self.input = self.model.input(result["facts"], self.folder)
        return stages, cost

    def prove(self):
        progress, result, cost = self._lindero("prove", self.package, *self.input, "-o", self.proof,
                                               *self._threads())
        # In the order in which they began.
        order = [event["stage"].removeprefix("prove: ").replace(" ", "_") for event in progress]
        prover = {name: result["stages"][name] for name in order if name in result["stages"]}
        stages = {"trace": result["trace_seconds"], **_without_verify(prover),
                  "total": result["prove_seconds"],
                  "without_grinding": result["prove_seconds"] - result["grinding_seconds"]}
        cost["prover_peak_bytes"] = result["peak_memory_bytes"]
        return stages, cost

    def verify(self):
        _, result, cost = self._lindero("verify", self.proof, "--key", self.key)
        return result["report"]["seconds"], cost

    def check(self):
        _, result, cost = self._lindero("check", self.package, *self.input, *self._threads())
        return {"trace": result["trace_seconds"], "check": result["check_seconds"]}, cost

    def bare(self):
        printed, cost = measure([self.prover, "bare", "--key", self.key, *self._threads()])
        stages = _without_verify(json.loads(printed)["time"]["stages"])
        drawn = stages.pop("draw")
        total = sum(stages.values())
        return stages | {"total": total, "without_grinding": total - stages["grinding"], "draw": drawn}, cost

    def _threads(self):
        return ["--threads", self.options.threads]

    def _lindero(self, *words):
        printed, cost = measure([self.lindero, "--json", *words], enter=self.group.enter if self.group else None)
        progress, result = events(printed)
        return progress, result, cost


def _without_verify(stages):
    """Without the prover's own verification of its proof, which is not part of proving."""
    return {name: seconds for name, seconds in stages.items() if name != "verify"}
