#!/usr/bin/env python3
"""forger_test.py [--all] BUILD: a cheating prover that adapts, against the real verifier.

Each lie (lies.py) is committed by build/tests/lindero-forger, which then sees the challenges and solves for every cell that
the circuit leaves it. Against the circuits that the compiler emits, no attempt may be accepted. Against the same circuits with
a fault, the forger must find it and be believed: that shows that it can. Prints a table of what was tried and what refused it.

--all: the lies about the char GPT that take longer, and every freedom for each lie.
"""

import argparse
import collections
import hashlib
import json
import pathlib
import re
import subprocess
import sys
import tempfile
import time

import numpy as np

import forger_bundles
import lies
from package import Bundle

SOURCE = pathlib.Path(__file__).resolve().parents[2]
CHAR = SOURCE / "models" / "char_gpt"
HELD_OUT = (CHAR / "held_out.txt").read_text()
TOY = SOURCE / "models" / "toy_gpt.onnx"

# How a package is compiled; the bucket that proves.
CIRCUITS = {
    "toy": (TOY, ["--argmax"], ""),
    "decode": (TOY, ["--decode"], "bucket-8"),
    "carry": (TOY, ["--decode", "--context", "carry", "--block", "2"], "bucket-8"),
    "cut": (TOY, ["--argmax", "--boundaries", "per-layer"], ""),
    "cut finely": (TOY, ["--argmax", "--boundaries", "per-region"], ""),
    "char": (CHAR / "char_gpt.onnx", ["--argmax", "--positions", "last:32"], ""),
    "char decode": (CHAR / "char_gpt.onnx", ["--decode", "--buckets", "32"], "bucket-32"),
    "char carry": (CHAR / "char_gpt.onnx", ["--decode", "--context", "carry", "--block", "16"], "bucket-64"),
}
# The constraint without which a gathered cell is free where no copy binds it.
HOLE = "no factor where none ends"

Row = collections.namedtuple("Row", "circuit lie tried accepted refused")


class Lab:
    row = Row

    def __init__(self, build, folder, everything):
        self.build, self.folder, self.everything = pathlib.Path(build), pathlib.Path(folder), everything
        self.rows, self.wrong = [], []
        self.runs, self.packages, self.count = {}, {}, 0

    def compiled(self, name):
        """The package that proves, and the one that runs."""
        if name not in self.packages:
            onnx, options, bucket = CIRCUITS[name]
            whole = self.folder / name.replace(" ", "-")
            self.succeed("compile", onnx, "-o", whole, *options)
            self.packages[name] = whole / bucket, whole
        return self.packages[name]

    def succeed(self, *words):
        subprocess.run([self.build / "bin" / "lindero", *map(str, words)], check=True, stdout=subprocess.DEVNULL)

    def run(self, name, *words, package=None):
        """An honest run of a circuit."""
        key = name, package, words
        if key not in self.runs:
            proves, runs = self.compiled(name)
            out = self.new("run")
            self.succeed("check", package or runs, *words, "--save-trace", out)
            self.runs[key] = lies.Run.read(Bundle(proves), out)
        return self.runs[key]

    def new(self, what):
        self.count += 1
        return self.folder / f"{what}-{self.count}"

    def attempts(self, package, lie, freedoms, *words, digests=()):
        """What the forger tried, and the folder with the last proof and its key."""
        out = self.new("lie")
        traces = [word for block in range(lie.write(out, digests)) for word in ("--trace", out / f"trace-{block}.bin")]
        command = [self.build / "tests" / "lindero-forger", "--package", package, "--claim", out / "claim.json", *traces,
                   "--openings", out / "openings.json", "--freedoms", freedoms, "--save", out, *words]
        done = subprocess.run(list(map(str, command)), capture_output=True, text=True)
        assert done.returncode == 0, f"lindero-forger: {done.stderr}"
        return [json.loads(line) for line in done.stdout.splitlines()], out

    def show(self, circuit, what, package, lie, *words, freedoms="free", believed=False, digests=()):
        """Shows a lie to the verifier; only where the circuit has a fault may one attempt be accepted, and then one must be."""
        begun = time.monotonic()
        freedoms = "all" if self.everything and freedoms == "free" and not believed else freedoms
        attempts, out = self.attempts(package, lie, freedoms, *words, digests=digests)
        refused = collections.defaultdict(list)
        for of in attempts:
            if not of["accepted"]:
                refused[reason(of["said"])].append(of["freedom"] + (f" ({of['blocks']})" if of["blocks"] else ""))
        accepted = [of for of in attempts if of["accepted"]]
        cells, free = max(of["cells"] for of in attempts), max(of["free"] for of in attempts)
        tried = f"{len(attempts)} attempts; {cells:,} cells, {free:,} that no constraint binds"
        by = f"{accepted[0]['freedom']}: {accepted[0]['used'][0]}" if accepted else ""
        refused = "; ".join(f"{check} ({', '.join(freedoms)})" for check, freedoms in sorted(refused.items()))
        self.rows.append(Row(circuit, what, tried, by, refused))
        print(f"{circuit}: {what} ({time.monotonic() - begun:.1f} s)", file=sys.stderr, flush=True)
        if bool(accepted) != believed or attempts[0]["accepted"]:
            said = "; ".join(f"{of['freedom']}: {of['said']}" for of in attempts)
            self.wrong.append(f"{circuit}, {what}: {'accepted' if accepted else 'nothing accepted'} ({said})")
        return out

    def honest(self, name, run):
        attempts, _ = self.attempts(self.compiled(name)[0], run, "none")
        if not attempts[0]["accepted"]:
            self.wrong.append(f"{name}: the honest run is refused: {attempts[0]['said']}")

    def faulty(self, name, dropped=None, edit=None, member=None):
        """The circuit, or that of a member, with a fault."""
        if edit is None:
            edit = lambda circuit: lies.drop(circuit, dropped)
        return lies.edited(self.compiled(name)[0], self.new("faulty"), edit, member)

    def unrepaired(self, name):
        return self.faulty(name, lambda table, constraint: constraint == HOLE)


def reason(said):
    """Which check it was that refused."""
    for pattern, name in [(r"link \d+: the claimed sums of group (\S+?),? ", r"sum of the link \1"), (r"the claimed sums of group (\S+) do not", r"sum of \1"),
                          ("OODS", "a constraint"), ("fingerprint of", "opening"), ("another shape", "the claim's shape"),
                          (r"there are \d+ blocks", "number of blocks"), ("the proof names", "the block's shape"),
                          ("fixed columns are not", "root of the fixed columns")]:
        if found := re.search(pattern, said):
            return found.expand(name)
    return said


# Forward runs ------------------------------------------------------------------------------------


def toy(lab):
    package, _ = lab.compiled("toy")
    run = lab.run("toy", "--tokens", "3,1,4,1,5,9,2,6")
    other = lab.run("toy", "--tokens", "7,7,0,2,11,3,15,1")
    lab.honest("toy", run)
    of_other_weights = lies.weights_of(package, lab.new("weights"))
    text, mix = lies.text(run, [5, 6, 7, 8, 9, 10, 11, 12]), lies.mix(run, other)
    weights = lab.run("toy", "--tokens", "3,1,4,1,5,9,2,6", package=of_other_weights)
    assert (weights.values[lies.output(run)] != run.values[lies.output(run)]).any()
    lab.show("toy", "output of choice", package, text, freedoms="all")
    lab.show("toy", "output of another input", package, mix)
    lab.show("toy", "input altered", package, lies.input_altered(run))
    lab.show("toy", "weights of another model", package, weights)
    lab.show("toy", "fixed columns of another model", of_other_weights, weights, "--fixed", package)
    lab.show("toy", "public sum altered", package, lies.stated(run, 1))
    lab.show("toy", "public sum altered, by digest", package, lies.stated(run, 1), freedoms="all", digests=[lies.output(run)])
    hole = lab.unrepaired("toy")
    forged = lab.show("toy without the repair", "output of choice", hole, text, believed=True)
    refused_by_version(lab, forged)
    lab.show("toy without the repair", "output of another input", hole, mix, believed=True)
    lab.show("toy without the repair", "weights of another model", hole, weights, believed=True)
    planted(lab, run, mix)


def planted(lab, run, mix):
    """Faults of other kinds, each of which another freedom makes use of."""
    of_input, of_output = lies.input_altered(run), lies.stated(run, 1)
    for table, constraint, lie in [
        ("operands", "fold", mix),
        ("operands", "tensors.0", mix),
        ("results", "tensors.sum", mix),
        ("argmax", "lookups.0", of_input),
        ("argmax", "lookups.sum", of_input),
        ("argmax", "public:logits_argmax.sum", of_output),
    ]:
        hole = lab.faulty("toy", lambda t, c: (t, c) == (table, constraint))
        lab.show(f"toy without {table}.{constraint}", "a lie", hole, lie, believed=True)
    lab.show("toy, copies in one place", "a lie", lab.faulty("toy", edit=lies.one_place), mix, believed=True)
    lab.show("toy, copies drawn early", "a lie", lab.faulty("toy", edit=lies.drawn_early), mix, believed=True)


def refused_by_version(lab, forged):
    """The forged proof and its key as those of a version before the repair: the shipped verifier names the reason."""
    key, proof = (forged / "key").read_bytes(), (forged / "proof").read_bytes()
    inner = inner_key(key)
    older = re.sub(rb"stwo-2\.3\.0/\d", b"stwo-2.3.0/3", inner)
    assert older != inner and len(older) == len(inner)
    (forged / "old-key").write_bytes(key.replace(inner, older))
    digests = hashlib.sha256(inner).digest(), hashlib.sha256(older).digest()
    assert proof.count(digests[0]) == 1
    (forged / "old-proof").write_bytes(proof.replace(*digests))
    verify = [lab.build / "bin" / "lindero-prover-stwo", "verify", "--key", forged / "old-key", "--proof", forged / "old-proof"]
    done = subprocess.run(list(map(str, verify)), capture_output=True, text=True)
    lab.rows.append(Row("toy of the version before", "output of choice", "its key", "", "version of the key"))
    if done.returncode != 4 or "SECURITY.md" not in done.stderr:
        lab.wrong.append(f"a key of the version before: exit code {done.returncode}: {done.stderr}")


def inner_key(content):
    """The bytes of the one key of a key file: field 2 of the message."""
    assert content[:3] == b"\x08\x02\x12"
    size, shift, at = 0, 0, 3
    while True:
        byte = content[at]
        size, shift, at = size | (byte & 0x7F) << shift, shift + 7, at + 1
        if byte < 0x80:
            assert at + size == len(content)
            return content[at:]


def char(lab):
    package, _ = lab.compiled("char")
    run = lab.run("char", "--prompt", HELD_OUT[:64])
    vocabulary = next(t.high for t in run.publics if t.kind == 1)
    text = lies.text(run, [7 * i % vocabulary for i in range(32)])
    lab.show("char", "output of choice", package, text)
    lab.show("char without the repair", "output of choice", lab.unrepaired("char"), text, believed=True)
    if lab.everything:
        mix = lies.mix(run, lab.run("char", "--prompt", HELD_OUT[64:128]))
        lab.show("char", "output of another input", package, mix)
        lab.show("char without the repair", "output of another input", lab.unrepaired("char"), mix, believed=True)
        lab.show("char", "input altered", package, lies.input_altered(run))
        other = lies.weights_of(package, lab.new("weights"))
        lab.show("char", "weights of another model", package, lab.run("char", "--prompt", HELD_OUT[:64], package=other))
        lab.show("char", "public sum altered", package, lies.stated(run, 1))


# Decode runs -------------------------------------------------------------------------------------


def decode(lab, name="decode", words=("--tokens", "3,1,4", "--generate", "3")):
    package, _ = lab.compiled(name)
    run = lab.run(name, *words)
    token = lies.token_of_last_step(run, 11)
    lab.show(name, "token of a step", package, token)
    lab.show(f"{name} without the repair", "token of a step", lab.unrepaired(name), token, believed=True)
    lab.show(name, "step dropped", package, lies.step_dropped(run, 3))
    lab.show(name, "public sum altered", package, lies.stated(run, 0))


def carry(lab):
    package, _ = lab.compiled("carry")
    run = lab.run("carry", "--tokens", "3,1,4,1", "--generate", "2")
    context = lies.another_context(run, lab.run("carry", "--tokens", "9,1,4,1", "--generate", "2"))
    lab.show("carry", "keys and values of another context", package, context)
    tokens = lies.all_tokens(lab.run("carry", "--tokens", "3,1,4,1,5", "--generate", "1"), 3)
    lab.show("carry", "tokens of choice", package, tokens)
    lab.show("carry without the repair", "tokens of choice", lab.unrepaired("carry"), tokens, believed=True)


def char_carry(lab):
    package, _ = lab.compiled("char carry")
    run = lab.run("char carry", "--prompt", HELD_OUT[:51], "--generate", "1")
    lab.honest("char carry", run)
    tokens = lies.all_tokens(run, 20)
    lab.show("char carry", "tokens of choice", package, tokens)
    lab.show("char carry without the repair", "tokens of choice", lab.unrepaired("char carry"), tokens, believed=True)
    lab.show("char carry", "token of a step", package, lies.token_of_last_step(run, 11))
    # Another first character, and the same from the second block on.
    first = "T" if HELD_OUT[0] != "T" else "B"
    other = lab.run("char carry", "--prompt", first + HELD_OUT[1:51], "--generate", "1")
    lab.show("char carry", "keys and values of another context", package, lies.another_context(run, other))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build", nargs="?", default=SOURCE / "build")
    parser.add_argument("--all", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        lab = Lab(arguments.build, folder, arguments.all)
        toy(lab), decode(lab), carry(lab), char(lab)
        forger_bundles.cut(lab, HOLE), forger_bundles.network(lab)
        if lab.everything:
            decode(lab, "char decode", ("--prompt", HELD_OUT[:12], "--generate", "8"))
            char_carry(lab)
    print("| circuit | lie | freedoms tried | accepted by way of | refused by |\n|---|---|---|---|---|")
    for row in lab.rows:
        print("| " + " | ".join(row) + " |")
    if lab.wrong:
        sys.exit("forger_test: " + "\n".join(lab.wrong))


if __name__ == "__main__":
    main()
