"""From an ONNX file to a proof that a stranger verifies, and what that stranger must refuse."""

import functools
import json
import random
import shutil

from harness import CHAR_GPT, HELD_OUT, Models, case, cases, equal, lindero, main, outputs, succeed, temporary_folder
from messages import decoded, encoded

TEXT = HELD_OUT.read_text()
SELECT = ("--argmax", "--positions", "last:32")
USAGE, REJECTED = 2, 13


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
def a_decoding_is_told_from_other_runs():
    package = models.package("char_gpt", "--decode")
    prompt, path = TEXT[:20], models.folder / "decoded.proof"
    proven = succeed("prove", package, "--prompt", prompt, "--generate", 32, "-o", path)["decoded"]
    assert proven["prompt_tokens"] == 20 and proven["generated_tokens"] == 32 and not proven["stopped"]
    text = proven["text"]

    def decoding(proof, *options):
        return lindero("verify", proof, "--key", package / "model.key", "--tokenizer", CHAR_GPT / "tokenizer.json",
                       *options, "--json")

    def accepted(proof, *options):
        run = decoding(proof, *options)
        assert run.code == 0, run.out
        return run.event("result")["decoded"]

    equal(accepted(path), proven, "verified and proven decoding")
    equal(accepted(path, "--prompt", prompt, "--generate", 32), proven, "the decoding that was asked for")
    (stop,) = {i for i, c in zip(proven["tokens"], text) if c == " "}
    stopped = models.folder / "stopped.proof"
    first = succeed("prove", package, "--prompt", prompt, "--generate", 32, "--stop", stop, "-o", stopped)["decoded"]
    assert first["stopped"] and first["text"] == text[: text.index(" ") + 1], first
    equal(accepted(stopped, "--prompt", prompt, "--generate", 32, "--stop", stop), first, "a run that stopped")
    forced = models.folder / "forced.proof"
    other = text[:7] + ("x" if text[7] != "x" else "y") + text[8:]
    given = succeed("prove", package, "--prompt", prompt + other, "-o", forced)["decoded"]
    equal(accepted(forced, "--prompt", prompt + other), given, "text that somebody else chose")
    assert given["given_that_are_choices"] < 51, given
    for proof, *options in [
        (path, "--prompt", prompt[1:], "--generate", 32),  # another prompt
        (path, "--prompt", prompt + text[:5], "--generate", 27),  # a chosen token is called given
        (path, "--prompt", prompt[:-1], "--generate", 33),  # a given token is called chosen
        (path, "--prompt", prompt, "--generate", 33),  # the last token is none of the run
        (path, "--prompt", prompt, "--generate", 31),  # the run goes on
        (path, "--prompt", prompt, "--generate", 32, "--stop", stop),  # it goes on after a stop token
        (path, "--prompt", prompt, "--stop", stop),  # the same, however many tokens it is
        (path, "--prompt", prompt, "--generate", 64),  # longer than the window
        (stopped, "--prompt", prompt, "--generate", 32),  # ended without a stop token
        (forced, "--prompt", prompt, "--generate", 32),  # a token that the model did not choose
    ]:
        run = decoding(proof, *options)
        assert run.code == REJECTED and run.event("error")["name"] == "rejected", f"{options}: {run.out}"
    for options in [("--generate", 32), ("--stop", stop), ("--prompt", "", "--stop", stop), ("--prompt", "")]:
        run = decoding(path, *options)
        assert run.code == USAGE, f"nothing to compare with: {options}: {run.out}"


@case
def runs_make_a_chain_in_their_order_only():
    package, key = models.package("char_gpt", "--decode"), models.package("char_gpt", "--decode") / "model.key"
    a, b, c, other = (models.folder / f"chain_{name}.proof" for name in ("a", "b", "c", "other"))
    first = succeed("prove", package, "--prompt", TEXT[:20], "--generate", 8, "-o", a)["decoded"]
    second = succeed("prove", package, "--from", a, "--generate", 6, "-o", b)["decoded"]
    equal(second["prompt"], first["prompt"] + first["tokens"], "the prompt of the second run")
    third = succeed("prove", package, "--from", b, "--generate", 4, "-o", c)["decoded"]
    succeed("prove", package, "--prompt", TEXT[1:29], "--generate", 6, "-o", other)

    def chain(*proofs):
        return lindero("verify", *proofs, "--chain", "--key", key, "--tokenizer", CHAR_GPT / "tokenizer.json", "--json")

    run = chain(a, b, c)
    assert run.code == 0, run.out
    equal(run.event("result")["decoded"], third, "the last run of a chain")
    for proofs in [(b, a), (a, a), (a, c), (a, b, b), (a, other), (c, b, a)]:
        run = chain(*proofs)
        assert run.code == REJECTED and run.event("error")["name"] == "rejected", f"{proofs}: {run.out}"
    claims = [succeed("verify", proof, "--key", key)["claim"] for proof in (a, b)]
    equal(claims[0]["frontier"]["end"], claims[1]["frontier"]["start"], "the state between two runs")
    equal([claim["policy"]["decode"]["kind"] for claim in claims], ["greedy"] * 2, "decode policies")


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


@cases(("claim", "claim"), ("claimed sums", "claimed_sums", "blocks"), ("commitment", "commitment", "blocks"), ("block", "blocks"))
def a_part_of_another_proof_is_rejected(part, of=None):
    """The parts of proof.proto; both proofs are good, of two inputs, and of one block."""
    key = (models.package("char_gpt", *SELECT) / "model.key").read_bytes()
    first, second = (decoded("Proof", proof_of(TEXT[start : start + 64])[0].read_bytes()) for start in (0, 300))
    equal(encoded(first), proof_of(TEXT[:64])[0].read_bytes(), "encoding")
    to, source = (proof.blocks[0] if of else proof for proof in (first, second))
    assert getattr(to, part) != getattr(source, part)
    if part == "blocks":
        first.blocks[0].CopyFrom(second.blocks[0])
    else:
        setattr(to, part, getattr(source, part))
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
