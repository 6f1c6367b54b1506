"""Challenges and their grinding, drawn by the verifier and, independently, by transcript.py."""

import functools
import json
import subprocess

from harness import BIN, Models, cases, equal, main, succeed, temporary_folder
from messages import decoded, encoded, key_file, keys_of
from transcript import OtherQueries, Unpaid, transcript

CARRY = ("toy_gpt", "--decode", "--context", "carry", "--block", "2")
ONE, BLOCKS = ("toy_gpt", "--argmax"), CARRY
RUNS = {ONE: ("--tokens", "3,1,4,1,5,9,2,6"), BLOCKS: ("--tokens", "3,1,4", "--generate", "3")}
KINDS = ("challenge_pow_bits", "composition_pow_bits", "out_of_domain_pow_bits", "batching_pow_bits", "fold_pow_bits")


@functools.cache
def proven(model, bits):
    """(model.key, proof) of a run under a key that asks for these bits; None: for those of the package."""
    package = models.package(*model)
    path = models.folder / "asking.key"
    [key] = keys_of((package / "model.key").read_bytes())
    message = decoded("VerifyingKey", key)
    for kind, count in zip(KINDS, bits or ()):
        setattr(message.stwo, kind, count)
    message.security.bits = 90  # less grinding than the package's key has may be asked for
    path.write_bytes(key_file(encoded(message)))
    proof = models.folder / "ground.proof"
    succeed("prove", package, "--key", path, *RUNS[model], "-o", proof)
    succeed("verify", proof, "--key", path)
    return path.read_bytes(), proof.read_bytes()


def backend(verb, key, proof, *options):
    for name, content in (("model.key", key), ("run.proof", proof)):
        (models.folder / name).write_bytes(content)
    command = [BIN / "lindero-prover-stwo", verb, "--key", "model.key", "--proof", "run.proof", *map(str, options)]
    run = subprocess.run(command, cwd=models.folder, capture_output=True, text=True)
    return run.returncode, json.loads(run.stdout)


def blocks_of(proof):
    return len(decoded("Proof", proof).blocks)


@cases(
    ("one block, as compiled", ONE, None),
    ("one block, no grinding", ONE, (0, 0, 0, 0, 0)),
    ("one block, all kinds", ONE, (6, 7, 8, 9, 10)),
    ("one block, folds alone", ONE, (0, 0, 0, 0, 8)),
    ("blocks, as compiled", BLOCKS, None),
    ("blocks, all kinds", BLOCKS, (6, 7, 8, 9, 10)),
    ("blocks, batching alone", BLOCKS, (0, 0, 0, 8, 0)),
)
def both_draw_the_same(model, bits):
    key, proof = proven(model, bits)
    code, _ = backend("verify", key, proof, "--transcript", "drawn.json")
    equal(code, 0, "exit code")
    theirs = json.loads((models.folder / "drawn.json").read_text())
    ours = [[dict(drawn._asdict()) for drawn in of_part] for of_part in transcript(key, proof)]
    equal(len(ours), 1 + blocks_of(proof), "parts")
    assert model == ONE or blocks_of(proof) > 1
    for part, (our, their) in enumerate(zip(ours, theirs, strict=True)):
        for one, other in zip(our, their, strict=True):
            equal(one, other, f"challenges of part {part}")
    names = [drawn["challenge"] for drawn in ours[1]]
    equal(names[:5], ["circuit_2", "composition", "out_of_domain", "batching", "fold_0"], "order")
    if bits:
        wanted = dict(zip(("circuit", "composition", "out", "batching", "fold"), bits))
        for drawn in sum(ours, []):
            equal(drawn["pow_bits"], wanted[drawn["challenge"].split("_")[0]], drawn["challenge"])
            equal(drawn["nonce"] is None, drawn["pow_bits"] == 0, "no nonce")


@cases(*((f"nonce {at} of {name}", model, at) for name, model in (("one block", ONE), ("blocks", BLOCKS)) for at in range(-1, 4)))
def both_refuse_another_nonce(model, at):
    """Nonce -1 is the bundle's, the others are the last block's. One in 64 or less is good by chance: what refuses the
    proof then, another check or the grinding of a later challenge, depends on the order of the checks."""
    key, proof = proven(model, (6, 7, 8, 9, 10))
    part = transcript(key, proof)[0 if at < 0 else -1]
    challenge = [drawn.challenge for drawn in part if drawn.nonce is not None][max(at, 0)]
    unpaid = 0
    for byte in range(8):
        message = decoded("Proof", proof)
        nonces = bytearray(message.nonce if at < 0 else message.blocks[-1].commitment)
        nonces[8 * max(at, 0) + byte] ^= 1
        if at < 0:
            message.nonce = bytes(nonces)
        else:
            message.blocks[-1].commitment = bytes(nonces)
        changed = encoded(message)
        code, answer = backend("verify", key, changed)
        equal(code, 4, "exit code")
        try:
            transcript(key, changed)
        except Unpaid as error:
            if error.challenge == challenge:
                assert "lacks the grinding" in answer["reason"], f"byte {byte}: {answer}"
                unpaid += 1
        except OtherQueries:
            pass
    assert unpaid >= 4, unpaid


@cases(("one block", ONE), ("blocks", BLOCKS))
def tampering_is_noticed_under_grinding(model):
    key, proof = proven(model, (6, 7, 8, 9, 10))
    code, report = backend("tamper", key, proof, "--count", 1500)
    equal((code, report["survivors"]), (0, []), "survivors")


with temporary_folder() as folder:
    models = Models(folder)
    main()
