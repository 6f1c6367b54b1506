"""Proves many runs of one model in one session, and one by itself: what does the first pay that others do not?"""

import json
import random
import shutil
import statistics

from process import events, measure


def run(lindero, model, folder, python, options):
    package, inputs = folder / f"{model.file_name}.lindero", folder / f"{model.file_name}-runs"
    threads = ["--threads", options.threads]

    def result(*words):
        printed, cost = measure([lindero, "--json", *words, *threads])
        return events(printed)[1], cost

    facts = result("compile", model.file(folder, python), "-o", package, *model.options)[0]["facts"]
    (tensor,) = facts["inputs"]
    shutil.rmtree(inputs, ignore_errors=True)
    inputs.mkdir()
    draw = random.Random(1)
    for number in range(options.runs):
        tokens = [draw.randrange(facts["vocabulary"]) for _ in range(tensor["shape"][-1])]
        (inputs / f"{number:04}.json").write_text(json.dumps({tensor["name"]: tokens}))
    alone, alone_cost = result("prove", package, "--input", inputs / "0000.json", "-o", folder / "alone.proof")
    proofs = folder / "proofs"
    shutil.rmtree(proofs, ignore_errors=True)
    session, cost = result("prove", package, "--runs", inputs, "-o", proofs)
    shutil.rmtree(proofs)

    def seconds(report):
        # Grinding is luck.
        stages = report["time"]["stages"]
        return report["time"]["seconds"] - stages.get("verify", 0) - stages.get("grinding", 0)

    def peak(index):
        return session["runs"][index]["report"]["time"]["peak_memory_bytes"]

    proven = [seconds(run["report"]) for run in session["runs"]]
    return {
        "runs": options.runs,
        "alone": alone["prove_seconds"] - alone["grinding_seconds"],
        "alone_wall": alone_cost["wall"],
        "first": proven[0],
        "median": statistics.median(proven[1:]),
        "wall_of_each": cost["wall"] / options.runs,
        "peak_after_tenth": peak(options.runs // 10),
        "peak_after_last": peak(-1),
    }
