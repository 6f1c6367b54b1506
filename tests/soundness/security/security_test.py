"""The security that the prover prints is that of formulas written down a second time, and that of other implementations.

    security_test.py BIN SOURCE

BIN has `lindero` and `lindero-prover-stwo`. Differences of up to 0.2 bits are allowed: the tool rounds down to tenths, looks less
closely for the best radius, and other implementations take the largest fold for all of them.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

BIN, SOURCE = Path(sys.argv[1]), Path(sys.argv[2])
HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(SOURCE / "tools" / "replay")]
sys.setrecursionlimit(1 << 20)

import bits  # noqa: E402
import sizes  # noqa: E402
from package import Bundle  # noqa: E402

TOLERANCE = 0.2
MODELS = {
    "toy": (["models/toy_gpt.onnx"], []),
    "char GPT": (["models/char_gpt/char_gpt.onnx"], ["--argmax", "--positions", "last:32"]),
    "blocks": (["models/toy_gpt.onnx"], ["--decode", "--context", "carry", "--block", "2"]),
}


def references():
    failed = 0
    lines = [line for line in (HERE / "references.tsv").read_text().splitlines() if not line.startswith("#")]
    for line in lines:
        source, height, quotients, constraints, blowup, queries, pow_bits, radius, term, expected = line.split("\t")
        circuit = bits.Sizes(int(height), int(quotients), int(constraints), (24, 17))
        parameters = bits.Parameters(int(blowup), int(queries), int(pow_bits))
        name, *m = radius.split()
        found = getattr(bits, name)(circuit, parameters, *map(int, m))
        ours = bits.bits(bits.errors(circuit, parameters, found)[term])
        if abs(ours - float(expected)) >= TOLERANCE:
            failed += 1
            print(f"FAILED {line}: {ours:.3f}")
    print(f"{len(lines)} figures of other implementations, {failed} differ")
    return failed + (len(lines) < 25)


def same_sizes(name, printed, package):
    ours, failed = sizes.of_package(package), 0
    for member in ("log_height", "quotients", "constraints"):
        if printed[member] != ours[member]:
            failed += 1
            print(f"FAILED {name}: {member} is {printed[member]}, here {ours[member]}")
    for member in ("log_degrees", "log_degrees_of_whole_tables"):
        for theirs, degree in zip(printed[member], ours[member], strict=True):
            if abs(theirs - degree) > 1e-6:
                failed += 1
                print(f"FAILED {name}: log2 D is {theirs}, here {degree} ({member})")
    return failed


def same_links(name, printed, bundle):
    ours, whole = sizes.links(bundle), sizes.links(bundle, declared=False)
    theirs = [(link["log_degree"], link["log_degree_of_whole_tables"]) for link in printed]
    same = len(theirs) == len(ours) and all(
        abs(a - c) < 1e-6 and abs(b - d) < 1e-6 for (a, b), c, d in zip(theirs, ours, whole))
    if same and bool(ours) == (name == "blocks"):
        return 0
    print(f"FAILED {name}: log2 of the degrees of links are {theirs}, here {list(zip(ours, whole))}")
    return 1


def same_runs(name, package):
    """Declared is what the fixed columns have, no more, and folds are shorter than tables: else there is nothing to declare."""
    runs, failed = sizes.runs(package), 0
    for scan, (declared, longest) in runs.items():
        if declared != longest:
            failed += 1
            print(f"FAILED {name}: {scan} declares runs of {declared} rows, and has {longest}")
    heights = {table.name: table.height for table in package.tables}
    if all(declared == heights[scan.split(".")[0]] for scan, (declared, _) in runs.items()):
        failed += 1
        print(f"FAILED {name}: no scan is shorter than its table")
    return failed


def same_bits(name, report):
    """Differences of every regime, every term, and the whole."""
    security = report["security"]
    parameters, failed = bits.Parameters(**report["parameters"]), 0

    def circuit_of(log_degrees):
        members = tuple(bits.Sizes(of["log_height"], of["quotients"], of["constraints"], tuple(of[log_degrees]))
                        for of in security["sizes"])
        links = tuple(link[log_degrees.replace("degrees", "degree")] for link in security["links"])
        return bits.Bundle(members, links, int(security["steps"]))

    circuit, folds = circuit_of("log_degrees"), security["fold_lengths"]
    for member, log_degrees in (("challenges", "log_degrees"), ("challenges_of_whole_tables", "log_degrees_of_whole_tables")):
        whole = circuit_of(log_degrees)
        ours = bits.bits(bits.of_bundle(whole, parameters, bits.rate)["challenges"])
        if abs(folds[member] - ours) >= TOLERANCE or ours < folds["least_of_whole_tables"]:
            failed += 1
            print(f"FAILED {name}, {member}: {folds[member]:.1f}, here {ours:.3f}")
    totals = {printed["regime"]: printed["bits"] for printed in security["regimes"]}
    if totals["best known attack"] < max(totals.values()):
        failed += 1
        print(f"FAILED {name}: an attack breaks what is promised: {totals}")
    for printed in security["regimes"]:
        regime = printed["regime"]
        terms = bits.best(circuit, parameters, regime)
        pairs = {"all together": (printed["bits"], bits.bits(sum(terms.values())))}
        # The best radius is another one here than there: then terms differ, and the whole does not.
        if regime == "best known attack" or terms == bits.of_bundle(circuit, parameters, bits.elias):
            pairs |= {term: (value, bits.bits(terms[term])) for term, value in printed["terms"].items()}
        for term, (theirs, ours) in pairs.items():
            if abs(theirs - ours) >= TOLERANCE:
                failed += 1
                print(f"FAILED {name}, {regime}, {term}: {theirs:.1f}, here {ours:.3f}")
        least = min(printed["terms"], key=printed["terms"].get)
        if printed["terms"][printed["binding"]] != printed["terms"][least] or printed["round_by_round"] != max(
                printed["terms"][least], 0):
            failed += 1
            print(f"FAILED {name}, {regime}: {printed['binding']} does not bind")
    return failed


def model(name, files, options):
    failed, cases = 0, 0
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "package"
        command = [BIN / "lindero", "compile", SOURCE / files[0], *options, "-o", home]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        home = next(home.rglob("circuit.pb")).parent  # of the bucket, where there is one
        bundle = Bundle(home)
        [package] = bundle.members
        for regime in ("proven", "list-decoding"):
            for blowup in ("1", "2", "3"):
                for target in ("60", "96", "100"):
                    words = ["--regime", regime, "--log-blowup", blowup, "--security-bits", target]
                    command = [BIN / "lindero-prover-stwo", "parameters", "--package", home, *words]
                    result = subprocess.run(command, capture_output=True, text=True, check=True)
                    report = json.loads(result.stdout)
                    if not cases:
                        failed += same_sizes(name, report["security"]["sizes"][0], package)
                        failed += same_links(name, report["security"]["links"], bundle)
                        failed += same_runs(name, package)
                    cases += 1
                    failed += same_bits(f"{name}, {' '.join(words)}", report)
                    reached = {entry["regime"]: entry["bits"] for entry in report["security"]["regimes"]}[regime]
                    if reached < float(target):
                        failed += 1
                        print(f"FAILED {name}: {reached} bits of {' '.join(words)}")
    print(f"{name}: {cases} parameters, {failed} differences")
    return failed


def main():
    failed = references()
    for name, (files, options) in MODELS.items():
        failed += model(name, files, options)
    sys.exit(failed > 0)


main()
