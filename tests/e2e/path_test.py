"""From an ONNX file to a proof that a stranger verifies, and what that stranger must refuse."""

import functools
import json
import random
import shutil

from harness import CHAR_GPT, HELD_OUT, Models, case, cases, equal, lindero, main, outputs, succeed, temporary_folder
from messages import decoded, encoded

TEXT = HELD_OUT.read_text()
SELECT = ("--argmax", "--positions", "last:32")
REJECTED = 13


@functools.cache
def proof_of(prompt):
    """(proof, result of prove) of the char GPT on a prompt."""
    path = models.folder / f"{TEXT.index(prompt)}.proof"
    return path, succeed("prove", models.package("char_gpt", *SELECT), "--prompt", prompt, "-o", path)


def in_empty_folder(proof, key):
    """A folder with these bytes as proof and key, and nothing else."""
    folder = models.folder / "stranger"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    (folder / "run.proof").write_bytes(proof)
    (folder / "model.key").write_bytes(key)
    return folder


def verify(proof, key, *options):
    return lindero("verify", "run.proof", "--key", "model.key", *options, cwd=in_empty_folder(proof, key))


def rejected(proof, key, what):
    run = verify(proof, key)
    assert run.code == REJECTED, f"{what}: exit {run.code}: {run.out}{run.errors}"
    assert run.out == "" and run.errors.startswith("lindero: REJECTED") and run.errors.count("\n") == 1, run.errors


@case
def from_the_model_to_a_verdict():
    package = models.package("char_gpt", *SELECT)
    prompt = TEXT[:64]
    checked = succeed("check", package, "--prompt", prompt)
    assert checked["ok"] and len(outputs(checked)) == 1
    proof, proven = proof_of(prompt)
    folder = in_empty_folder(proof.read_bytes(), (package / "model.key").read_bytes())
    shutil.copy(CHAR_GPT / "tokenizer.json", folder)
    verified = succeed("verify", "run.proof", "--key", "model.key", "--tokenizer", "tokenizer.json", cwd=folder)
    assert verified["verdict"] == "accepted"
    for result in proven, verified:
        equal(outputs(result), outputs(checked), "outputs")
    (read,) = (t["text"] for t in verified["statement"] if t["kind"] == "input")
    equal(read, prompt, "the input as text")
    assert verified["security"]["bits"] >= 96


@case
def from_the_onnx_file_in_one_command():
    folder = models.folder / "one"
    folder.mkdir()
    run = lindero("prove", models.onnx("char_gpt"), *SELECT, "--prompt", TEXT[:40], cwd=folder)
    assert run.code == 0, run.errors
    equal(sorted(path.name for path in folder.iterdir()), ["run.key", "run.proof"], "files")
    assert verify((folder / "run.proof").read_bytes(), (folder / "run.key").read_bytes()).code == 0


@case
def the_key_of_another_model_is_rejected():
    proof, _ = proof_of(TEXT[:64])
    for other in ("char_gpt_massive", *SELECT), ("char_gpt", "--argmax", "--positions", "last:31"), ("nanogpt",):
        rejected(proof.read_bytes(), (models.package(*other) / "model.key").read_bytes(), other)


def stated(values):
    """The values as the claim has them."""
    return f'"values":{json.dumps(values, separators=(",", ":"))}'.encode()


@cases(("an input token", "input", 5), ("an output token", "output", 0))
def the_values_cannot_be_changed(kind, index):
    """A proof is accepted with its own values, and no others."""
    key = (models.package("char_gpt", *SELECT) / "model.key").read_bytes()
    proof, result = proof_of(TEXT[300:364])
    proof = proof.read_bytes()
    assert verify(proof, key).code == 0
    (values,) = (t["values"] for t in result["statement"] if t["kind"] == kind)
    changed = list(values)
    changed[index] ^= 1  # as many digits, and within the vocabulary
    assert proof.count(stated(values)) == 1 and len(stated(values)) == len(stated(changed))
    rejected(proof.replace(stated(values), stated(changed)), key, f"another {kind}")


@cases(("claim", "claim"), ("claims", "claims"), ("commitment", "commitment"))
def a_part_of_another_proof_is_rejected(part):
    """The parts of proof.proto; both proofs are good, of two inputs."""
    key = (models.package("char_gpt", *SELECT) / "model.key").read_bytes()
    first, second = (decoded("Proof", proof_of(TEXT[start : start + 64])[0].read_bytes()) for start in (0, 300))
    equal(encoded(first), proof_of(TEXT[:64])[0].read_bytes(), "encoding")
    assert getattr(first, part) != getattr(second, part)
    setattr(first, part, getattr(second, part))
    rejected(encoded(first), key, part)


@cases(("proof", 0), ("key", 1))
def damage_is_rejected(which):
    """Flipped bits, cut ends, appended bytes. The provers' own tests do this a thousand times."""
    proof, _ = proof_of(TEXT[:64])
    good = [proof.read_bytes(), (models.package("char_gpt", *SELECT) / "model.key").read_bytes()]
    rng = random.Random(which)
    size = len(good[which])
    for i in range(24):
        damaged = bytearray(good[which])
        at = rng.randrange(size)
        damaged[at] ^= 1 << rng.randrange(8)
        pair = list(good)
        pair[which] = bytes(damaged)
        rejected(*pair, f"bit flip at byte {at}")
    for what, damaged in [
        ("empty", b""),
        ("cut by one byte", good[which][:-1]),
        ("half", good[which][: size // 2]),
        ("a byte more", good[which] + b"\0"),
        ("an unknown field", good[which] + b"\x7a\x01\x01"),
        ("twice", good[which] * 2),
        ("the other file", good[1 - which]),
    ]:
        pair = list(good)
        pair[which] = damaged
        rejected(*pair, what)


with temporary_folder() as folder:
    models = Models(folder)
    main()
