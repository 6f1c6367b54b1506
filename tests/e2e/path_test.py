"""From an ONNX file to a proof that a stranger verifies, and what that stranger must refuse."""

import functools
import random
import shutil

from harness import CHAR_GPT, HELD_OUT, Models, case, cases, equal, lindero, main, outputs, succeed, temporary_folder

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
        (path, "--prompt", prompt, "--generate", 32, "--stop", stop),  # it goes on behind a stop token
        (path, "--prompt", prompt, "--generate", 64),  # longer than the window
        (stopped, "--prompt", prompt, "--generate", 32),  # ended without a stop token
        (forced, "--prompt", prompt, "--generate", 32),  # a token that the model did not choose
    ]:
        run = decoding(proof, *options)
        assert run.code == REJECTED and run.event("error")["name"] == "rejected", f"{options}: {run.out}"


@case
def the_key_of_another_model_is_rejected():
    proof, _ = proof_of(TEXT[:64])
    for other in ("char_gpt_massive", *SELECT), ("char_gpt", "--argmax", "--positions", "last:31"), ("nanogpt",):
        rejected(proof.read_bytes(), (models.package(*other) / "model.key").read_bytes(), other)


def packed(values):
    """The values as a packed field of the statement: sint64, below 64 one byte each, else two."""
    out = b""
    for value in values:
        zigzag = 2 * value
        out += bytes([zigzag]) if zigzag < 128 else bytes([zigzag & 127 | 128, zigzag >> 7])
    return out


@cases(("an input token", "input", 5), ("an output token", "output", 0))
def the_statement_cannot_be_changed(kind, index):
    """A proof is accepted with its own statement, and no other."""
    key = (models.package("char_gpt", *SELECT) / "model.key").read_bytes()
    proof, result = proof_of(TEXT[300:364])
    proof = proof.read_bytes()
    assert verify(proof, key).code == 0
    (values,) = (t["values"] for t in result["statement"] if t["kind"] == kind)
    changed = list(values)
    changed[index] ^= 1  # the encoding keeps its length, the token stays in the vocabulary
    assert proof.count(packed(values)) == 1
    rejected(proof.replace(packed(values), packed(changed)), key, f"another {kind}")


def fields(message):
    """The length-delimited and small integer fields of a Protocol Buffers message: lists of (number, value)."""

    def varint():
        nonlocal at
        value = shift = 0
        while True:
            byte = message[at]
            at += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    found, at = [], 0
    while at < len(message):
        number, wire = divmod(varint(), 8)
        value = varint()
        if wire == 2:
            at += value
            value = message[at - value : at]
        found.append((number, value))
    return found


def message_of(found):
    def varint(value):
        out = b""
        while value >= 128:
            out += bytes([value & 127 | 128])
            value >>= 7
        return out + bytes([value])

    out = b""
    for number, value in found:
        text = isinstance(value, bytes)
        out += varint(8 * number + (2 if text else 0)) + varint(len(value) if text else value) + (value if text else b"")
    return out


@cases(("statement", 3), ("claims", 5), ("commitment", 6))
def a_part_of_another_proof_is_rejected(number):
    """The parts of proof.proto; both proofs are good, of two inputs."""
    key = (models.package("char_gpt", *SELECT) / "model.key").read_bytes()
    first, second = (fields(proof_of(TEXT[start : start + 64])[0].read_bytes()) for start in (0, 300))
    mixed = [(n, dict(second)[n] if n == number else value) for n, value in first]
    equal(message_of(first), proof_of(TEXT[:64])[0].read_bytes(), "encoding")
    assert mixed != first
    rejected(message_of(mixed), key, f"field {number}")


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
