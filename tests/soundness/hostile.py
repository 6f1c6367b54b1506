"""hostile [--quick] [--only WORDS] [--jobs 2] [--json FILE] [BUILD]: what a hostile author of models, exponents or keys gets through.

Each case of hostile_cases.py is compiled. It is refused with one line on standard error and nothing left behind, or its package
is read by the readers in C++ and Python and by the prover's setup, `audit` confirms a key of changed exponents, on the first input that the
program accepts `check` holds, and `tamper --adaptive` finds nothing left to a prover that adapts: with that run, or, where no
input that is tried is within the proven ranges, on random main cells alone. Prints what was refused and
why, and what was examined; exit code 1 if anything crashed, was called an internal error, took too long, was refused by
one reader alone, or left something.

--quick: a few cases. --only: cases whose group or name has the words.
"""

import argparse
import collections
import concurrent.futures
import json
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import onnx

from hostile_cases import SOURCE, all_cases, mutated

sys.path.insert(0, str(SOURCE / "tools" / "replay"))
from package import BadInput, Package  # noqa: E402

# The exit codes of a refusal. Others say that the program failed, or that the command line did.
REFUSALS = {3: "model", 4: "unsupported", 5: "unbound dimension", 6: "not finite", 7: "over bound", 8: "input"}
OUT_OF_RANGE, CHECK_FAILED = 10, 14
# However little is left of the model's answers, the circuit is examined.
ANY_PRECISION = ("--min-cosine", "-1", "--max-error", "1e300")
LONGEST, MEMORY = 600, 12 << 30  # seconds and bytes of a command: far above what any case needs
LINE = 4096
CONSTANTS = "constants and shapes "
QUICK = ("exponents: toy seed 1", "exponents: toy seed 7", "exponents: RMSNorm seed 3", CONSTANTS + "qkv zero", CONSTANTS + "every weight -inf",
         CONSTANTS + "attention scale 0", CONSTANTS + "epsilon -1", CONSTANTS + "vocabulary of 1", CONSTANTS + "softmaxes in two tables, carry",
         CONSTANTS + "weights of 24 bits, inputs of 8",
         "constants, exponents of others epsilon -1")


class Finding(Exception):
    """What must not be."""


Ran = collections.namedtuple("Ran", "code out errors")


def run(*command):
    """A command that ends by itself with an exit code of its own."""

    def limit():
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))

    command = [str(word) for word in command]
    try:
        process = subprocess.run(command, capture_output=True, timeout=LONGEST, preexec_fn=limit)
    except subprocess.TimeoutExpired:
        raise Finding(f"{command[1]}: not done after {LONGEST} s") from None
    errors = process.stderr.decode(errors="replace")
    said = errors.strip().splitlines()[-1] if errors.strip() else ""
    if process.returncode < 0:
        raise Finding(f"{command[1]}: {signal.Signals(-process.returncode).name}: {said}")
    if process.returncode == 1:
        raise Finding(f"{command[1]}: an internal error: {said}")
    return Ran(process.returncode, process.stdout.decode(), errors)


def succeed(*command):
    ran = run(*command)
    if ran.code != 0:
        raise Finding(f"{command[1]}: exit code {ran.code}: {ran.errors.strip()}")
    return ran


def event(ran, name):
    found = [each for each in map(json.loads, ran.out.splitlines()) if each["event"] == name]
    if not found:
        raise Finding(f"no event {name}: {ran.out[-200:]}{ran.errors}")
    return found[-1]


class Lab:
    def __init__(self, build, folder):
        self.lindero, self.folder = Path(build) / "bin" / "lindero", Path(folder)
        self.bases, self.lock = {}, threading.Lock()

    def calibrated(self, base, options):
        """The exponents that calibration chooses for a model."""
        with self.lock:
            if (base, options) not in self.bases:
                path, package = self.folder / "base.onnx", self.folder / "base.lindero"
                path.write_bytes(base().SerializeToString())
                succeed(self.lindero, "compile", path, "-o", package, "--no-key", *ANY_PRECISION, *options)
                self.bases[base, options] = json.loads((package / "exponents.json").read_text())
                shutil.rmtree(package)
            return self.bases[base, options]

    def given(self, case, home):
        """The model's file, options of compile, and what was changed in the exponents."""
        path = home / "hostile.onnx"
        path.write_bytes(case.model().SerializeToString())
        if case.exponents is None:
            return path, case.options, ""
        document, said = mutated(self.calibrated(case.base, tuple(case.options)), case.exponents, case.group)
        exponents = home / "exponents.json"
        exponents.write_text(json.dumps(document))
        return path, [*case.options, "--exponents", exponents], said

    def examine(self, numbered):
        """What came of a case."""
        number, case = numbered
        begun, home = time.monotonic(), self.folder / str(number)
        (home / "out").mkdir(parents=True)
        outcome, detail, said = self.judge(case, home)
        shutil.rmtree(home)
        seconds = round(time.monotonic() - begun, 1)
        print(f"{outcome}: {case.group}: {case.name}{': ' if said else ''}{said}: {detail} ({seconds} s)", file=sys.stderr, flush=True)
        return {"group": case.group, "case": case.name, "changed": said, "outcome": outcome, "detail": detail, "seconds": seconds}

    def judge(self, case, home):
        """Outcome, reason or what was examined, and what was changed in the exponents."""
        model, options, said = self.given(case, home)
        package = home / "out" / "it.lindero"
        try:
            ran = run(self.lindero, "compile", model, "-o", package, *ANY_PRECISION, *options)
            if ran.code != 0:
                return "refused", refusal(case, ran, home / "out"), said
            if case.refused is not None:
                raise Finding(f"it compiles, but exit code {case.refused} was right")
            self.read(case, package, model)
            return *self.rank(case, model, package), said
        except Finding as finding:
            return "FOUND", str(finding), said

    def read(self, case, package, model):
        """compile ran the prover's setup. A package has a circuit, or one per bucket."""
        succeed(self.lindero, "inspect", package)
        for circuit in sorted(package.rglob("circuit.pb")):
            try:
                Package(circuit.parent)
            except BadInput as error:
                raise Finding(f"the reader in Python: {error}") from None
        if case.exponents:
            succeed(self.lindero, "audit", model, "--key", package / "model.key")

    def rank(self, case, model, package):
        for given in inputs(model, package.parents[1], "--decode" in case.options):
            ran = run(self.lindero, "check", package, *given)
            if ran.code == 0:
                break
            if ran.code != OUT_OF_RANGE:
                raise Finding(f"check: exit code {ran.code}: {ran.errors.strip()}")
        else:
            given = ["--any-witness"]
        ran = run(self.lindero, "tamper", package, *given, "--adaptive", "--json")
        if ran.code not in (0, CHECK_FAILED):
            raise Finding(f"tamper: exit code {ran.code}: {ran.out.splitlines()[-1]}")
        result = event(ran, "result")
        if ran.code == CHECK_FAILED or result["directions"] != 0:
            wrong = [premise for premise in result["premises"] if premise["wrong"]]
            raise Finding(f"tamper --adaptive: {result['directions']} findings: {json.dumps(result['findings'] + wrong)[:900]}")
        return ("ranked without a run" if given == ["--any-witness"] else "ranked"), sum(rank["cells"] for rank in result["ranks"])


def refusal(case, ran, folder):
    message = ran.errors.strip()
    if ran.code not in REFUSALS:
        raise Finding(f"compile: exit code {ran.code}: {message}")
    if case.refused not in (None, ran.code):
        raise Finding(f"compile: exit code {ran.code}, not {case.refused}: {message}")
    if not message.startswith("lindero: ") or ran.errors.count("\n") != 1 or len(message) > LINE:
        raise Finding(f"compile: not one line of error: {ran.errors}")
    left = sorted(path.name for path in folder.iterdir())
    if left:
        raise Finding(f"compile: left {left} behind")
    return f"{REFUSALS[ran.code]}: {reason(message)}"


def reason(message):
    """An error without the file, node and numbers of its case."""
    message = re.sub(r"^lindero: (/[^:]*: )?(\w+\.\w+ (?=\())?", "", message)
    message = re.sub(r"\s*\((/|[^()]*…)(\([^()]*\)|[^()])*\)|@[\w./]+|\"[^\"]*\"", "", message)
    message = re.sub(r"-?\d[\d.]*(e[+-]?\d+)?|\b-?nan\b|\b-?inf\b", "N", message)
    return message.removeprefix(": ").split("; ")[0][:110]


def inputs(model, folder, decode):
    """Options that give the model an input: several, for programs that refuse some as out of range."""
    graph = onnx.load(model).graph
    (given,) = graph.input
    shape = [size.dim_value for size in given.type.tensor_type.shape.dim]
    rng = np.random.default_rng(1)
    if given.type.tensor_type.elem_type == onnx.TensorProto.INT64:
        vocab, length = graph.output[0].type.tensor_type.shape.dim[-1].dim_value, shape[-1]
        generate = min(4, length) if decode else 0
        length = max(1, length + 1 - generate) if decode else length
        for tokens in ([3, 1, 4, 1, 5, 9, 2, 6], [0] * 8, [vocab - 1] * 8, range(8), *rng.integers(0, vocab, (4, 8))):
            words = ",".join(str(int(token) % vocab) for token in list(tokens)[:length])
            yield ["--tokens", words, *(["--generate", generate] if decode else [])]
        return
    for scale in (0.5, 0.05, 1e-3, 0):
        path = folder / "input.json"
        path.write_text(json.dumps({given.name: (rng.normal(size=shape) * scale).tolist()}))
        yield ["--input", path]


def chosen(arguments):
    for case in all_cases():
        name = f"{case.group} {case.name}"
        if arguments.quick and name not in QUICK:
            continue
        if all(word in name for word in arguments.only):
            yield case


def report(results):
    print("\n| cases | tried | refused | ranked, with a run | ranked, no input runs | cells ranked | found |\n|---|" + "---|" * 6)
    groups = collections.defaultdict(list)
    for result in results:
        groups[result["group"]].append(result)
        groups["all"].append(result)
    groups["all"] = groups.pop("all", [])
    for name, of in groups.items():
        count = collections.Counter(result["outcome"] for result in of)
        cells = sum(result["detail"] for result in of if result["outcome"].startswith("ranked"))
        print(f"| {name} | {len(of)} | {count['refused']} | {count['ranked']} | {count['ranked without a run']} | {cells:,} | {count['FOUND']} |")
    print("\n| refused because | cases |\n|---|---|")
    reasons = collections.Counter(result["detail"] for result in results if result["outcome"] == "refused")
    for why, count in sorted(reasons.items(), key=lambda each: (-each[1], each[0])):
        print(f"| {why.replace('|', '/')} | {count} |")


def main():
    parser = argparse.ArgumentParser(prog="hostile", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build", nargs="?", default=SOURCE / "build")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only", nargs="+", default=[], metavar="WORD")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        lab = Lab(arguments.build, folder)
        with concurrent.futures.ThreadPoolExecutor(arguments.jobs) as pool:
            results = list(pool.map(lab.examine, enumerate(chosen(arguments))))
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=1) + "\n")
    report(results)
    found = [result for result in results if result["outcome"] == "FOUND"]
    for result in found:
        print(f"found: {result['group']}: {result['case']}: {result['changed']}: {result['detail']}")
    sys.exit(1 if found or not results else 0)


if __name__ == "__main__":
    main()
