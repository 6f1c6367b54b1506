"""The security figures of pages are those of the tool.

    security_table.py BIN SOURCE                fails where a page has other figures than the tool
    security_table.py BIN SOURCE --measure N    prints the table of tools/provers/README.md anew, of N runs each

The table has, per regime, `--prefer` and number of blocks, what parameters the prover chooses for a char GPT, which is compared,
and times and sizes, which are not. Other pages have sentences and a table with figures: they are compared, too.
"""

import argparse
import json
import math
import re
import resource
import statistics
import subprocess
import tempfile
from pathlib import Path

TABLE = "tools/provers/README.md"
HEADER = "| regime | `--prefer` | blocks | queries | grinding, bits | processor time | proof |"
MODEL = "models/char_gpt/char_gpt.onnx"
OPTIONS = {1: ["--argmax", "--positions", "last:32"], 16: ["--decode", "--context", "carry", "--block", "4"]}
BLOWUPS = {"speed": "1", "balance": "2", "size": "3"}
GRINDING = {
    "pow_bits": "queries", "batching_pow_bits": "batching", "fold_pow_bits": "folds", "out_of_domain_pow_bits": "out of domain",
    "composition_pow_bits": "constraints", "challenge_pow_bits": "challenges",
}
SECURITY_LINES = ["README.md"]
# The degrees of a circuit's challenges: rows of this page that are made again, by what they are called there.
DEGREES_PAGE = "runtime/SOUNDNESS.md"
DEGREES_HEADER = "| circuit | blocks | log2 D | log2 D* | bits of the challenges' term by D | by D* |"
DEGREES = {
    "toy GPT, all logits": ("models/toy_gpt.onnx", []),
    "char GPT, argmax at 32 of 64 positions": (MODEL, OPTIONS[1]),
    "char GPT, decode run in blocks of 4 steps": (MODEL, OPTIONS[16]),
}
# What the least key that `verify` accepts by itself has.
LEAST_PAGE, LEAST = "tools/lindero/MEANING.md", ["--security-bits", "80", "--regime", "list-decoding"]


class Tool:
    def __init__(self, binaries, source, folder):
        self.binaries, self.source, self.folder = binaries, source, folder

    def run(self, *words):
        result = subprocess.run(list(map(str, words)), capture_output=True, text=True, cwd=self.source)
        if result.returncode:
            raise SystemExit(f"{' '.join(map(str, words))}\nexit code {result.returncode}: {result.stderr}")
        return result.stdout

    def compiled(self, model, options):
        home = self.folder / f"{'-'.join([Path(model).stem, *options])}.lindero"
        if not home.exists():
            self.run(self.binaries / "lindero", "compile", model, *options, "-o", home)
        return home

    def package(self, blocks):
        return self.compiled(MODEL, OPTIONS[blocks])

    def prover(self, verb, *words):
        return json.loads(self.run(self.binaries / "lindero-prover-stwo", verb, *words))

    def prove(self, blocks, key):
        """Processor seconds and bytes of one run."""
        text = (self.source / "models/char_gpt/held_out.txt").read_text()
        words = ["--prompt", text[:64]] if blocks == 1 else ["--prompt", text[:33], "--generate", "31"]
        package, proof = self.package(blocks), self.folder / "run.proof"
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        self.run(self.binaries / "lindero", "prove", package, "--key", key, "-o", proof, *words)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, proof.stat().st_size


def cases():
    for blocks in OPTIONS:
        for regime in ("proven", "list-decoding"):
            for prefer, blowup in BLOWUPS.items():
                yield blocks, regime, prefer, ["--regime", regime, "--log-blowup", blowup]


def circuit_of(package):
    """The folder of the circuit: of the bucket, where there is one."""
    return next(package.rglob("circuit.pb")).parent


def chosen(parameters):
    ground = [f"{name} {parameters[field]}" for field, name in GRINDING.items() if parameters[field]]
    return str(parameters["queries"]), ", ".join(ground) or "none"


def rows(tool, measured):
    """The table's rows; times and sizes are of `measured` runs each, the settings of a model in turn."""
    keys, runs = {}, {}
    for blocks, regime, prefer, options in cases():
        package = circuit_of(tool.package(blocks))
        report = tool.prover("parameters", "--package", package, *options)
        keys[blocks, regime, prefer] = tool.folder / f"{blocks}-{regime}-{prefer}.key", report["parameters"]
        if measured:
            tool.prover("setup", "--package", package, "-o", keys[blocks, regime, prefer][0], *options)
    for _ in range(measured):
        for case, (key, _) in keys.items():
            runs.setdefault(case, []).append(tool.prove(case[0], key))
    for case, (_, parameters) in keys.items():
        blocks, regime, prefer = case
        costs = ["", ""]
        if measured:
            seconds, sizes = zip(*runs[case])
            costs = [f"{statistics.median(seconds):.2f} s", f"{round(statistics.median(sizes) / 1000):,} KB"]
        yield [regime, prefer, str(blocks), *chosen(parameters), *costs]


def table_of(page, header=HEADER):
    """Rows of the page's table, as lists of cells."""
    lines = [line.strip() for line in page.splitlines()]
    found = []
    for line in lines[lines.index(header) + 2 :]:
        if not line.startswith("|"):
            break
        found.append([cell.strip().replace("`", "") for cell in line.strip("|").split("|")])
    return found


def differences(tool):
    page = (tool.source / TABLE).read_text()
    written, found = table_of(page), list(rows(tool, 0))
    if len(written) != len(found):
        yield f"{TABLE}: the table has {len(written)} rows, the tool {len(found)}"
    for theirs, ours in zip(written, found):
        if theirs[:5] != ours[:5]:
            yield f"{TABLE}: {theirs[:5]}, the tool says {ours[:5]}"
    # "96.0 bits proven (circle transfer: ...), 101.9 bits list-decoding", of the demo's proof.
    report = tool.prover("parameters", "--package", tool.package(1))
    bits = {regime["regime"]: f"{regime['bits']:.1f} bits {regime['regime']}" for regime in report["security"]["regimes"]}
    for name in SECURITY_LINES:
        text = (tool.source / name).read_text()
        lines = re.findall(r"^    security .*$", text, re.MULTILINE)
        if not lines:
            yield f"{name}: no line of `lindero verify` about security"
        for line in lines:
            for regime in ("proven", "list-decoding"):
                if bits[regime] not in line:
                    yield f"{name}: {line.strip()!r} has not {bits[regime]!r}"
    report = tool.prover("parameters", "--package", tool.package(1), *LEAST)
    bits = {regime["regime"]: regime["bits"] for regime in report["security"]["regimes"]}
    sentence = (
        f"of the char GPT, one made with `{' '.join(LEAST)}` has {bits['list-decoding']:.1f} bits by the conjecture, "
        f"{bits['proven']:.1f} proven"
    )
    if sentence not in " ".join((tool.source / LEAST_PAGE).read_text().split()):
        yield f"{LEAST_PAGE}: it does not say {sentence!r}"


def degrees(tool):
    """Rows of the table of degrees that differ from the tool's."""
    written = {name: cells for name, *cells in table_of((tool.source / DEGREES_PAGE).read_text(), DEGREES_HEADER)}
    for name, (model, options) in DEGREES.items():
        report = tool.prover("parameters", "--package", circuit_of(tool.compiled(model, options)))["security"]
        folds = report["fold_lengths"]
        ours = [str(report["blocks"])]
        for of in ("log_degrees", "log_degrees_of_whole_tables"):
            sums = [member[of][0] for member in report["sizes"]]
            sums += [link[of.replace("degrees", "degree")] for link in report["links"]]
            ours.append(f"{math.log2(sum(2**log_degree for log_degree in sums)):.1f}")
        ours += [f"{folds[of]:.1f}" for of in ("challenges", "challenges_of_whole_tables")]
        if written.get(name) != ours:
            yield f"{DEGREES_PAGE}: {name}: {written.get(name)}, the tool says {ours}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("binaries", type=Path)
    parser.add_argument("source", type=Path)
    parser.add_argument("--measure", type=int, default=0, metavar="N")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        tool = Tool(options.binaries.resolve(), options.source.resolve(), Path(folder))
        if options.measure:
            print(HEADER, "|---|---|---|---|---|---|---|", sep="\n")
            for row in rows(tool, options.measure):
                row[1] = f"`{row[1]}`"
                print(f"| {' | '.join(row)} |")
            return
        found = [*differences(tool), *degrees(tool)]
        print(*found, sep="\n")
        raise SystemExit(1 if found else 0)


main()
