"""What a first user looks for: what a command line says of itself, short answers, files that go on elsewhere."""

import json
import os
import pty
import subprocess

import numpy as np
from harness import BIN, CHAR_GPT, HELD_OUT, Models, case, cases, equal, lindero, main, succeed, temporary_folder

TEXT = HELD_OUT.read_text()
SELECT = ("--argmax", "--positions", "last:32")
INPUT, OUT_OF_RANGE, PACKAGE = 8, 10, 16
PROVER = BIN / "lindero-prover-stwo"


def program(*words):
    return subprocess.run([str(word) for word in words], check=True, capture_output=True, text=True).stdout


def proof():
    """A proof of the char GPT, its package, and the result of prove."""
    path = models.folder / "run.proof"
    package = models.package("char_gpt", *SELECT)
    return path, package, succeed("prove", package, "--prompt", TEXT[:64], "-o", path)


@cases(("of the command line", "lindero", "circuit 1"), ("of lindero-opt", "lindero-opt", "lindero/claim/3"),
       ("of the prover", "lindero-prover-stwo", "stwo-"))
def versions(name, formats):
    first, second = program(BIN / name, "--version").splitlines()
    words = first.split()
    assert words[0] == name and words[1][0].isdigit() and words[2] == "(commit", first
    commit = words[3].rstrip(")")
    assert commit == "unknown" or len(commit) == 12 and int(commit, 16) >= 0, first
    assert second.startswith("formats: ") and formats in second and "proof 4" in second, second


@case
def programs_are_of_one_commit():
    first = {program(BIN / name, "--version").split("(commit ")[1].split(")")[0]
             for name in ("lindero", "lindero-opt", "lindero-prover-stwo")}
    equal(len(first), 1, "commits")


@case
def proving_ends_with_a_short_answer():
    package = models.package("char_gpt", *SELECT)
    words = ["prove", package, "--prompt", TEXT[:64], "-o", models.folder / "short.proof"]
    short = lindero(*words)
    assert short.code == 0, short.errors
    estimate, answer = short.out.split("expected proof size", 1)
    answer = answer.splitlines()[1:]
    assert len(answer) <= 15 and any(line.startswith("output ") for line in answer), answer
    assert "witness cells" in estimate and "every proof commits to" in estimate and "committed once" in estimate
    assert "Prove time by stage" not in short.out and "Cells per region" not in short.out
    long = lindero(*words, "--verbose").out
    assert "Prove time by stage" in long and "Cells per region" in long and "grinding" in long
    decoded = lindero("prove", models.package("char_gpt", "--decode"), "--prompt", "To be", "--generate", 4, "-o",
                      models.folder / "short.proof").out.split("expected proof size", 1)[1].splitlines()[1:]
    assert len(decoded) <= 15 and any(line.startswith("decoded ") for line in decoded), decoded


@case
def verified_values_are_saved():
    path, package, proven = proof()
    saved = models.folder / "out.npz"
    succeed("verify", path, "--key", package / "model.key", "--save-outputs", saved)
    with np.load(saved) as arrays:
        values = {name: arrays[name] for name in arrays.files}
    for tensor in proven["statement"]:
        equal(values.pop(tensor["name"]).flatten().tolist(), tensor["values"], tensor["name"])
    equal(values, {}, "what is left")


@case
def reals_are_saved_beside_the_integers():
    package, path, saved = models.package("toy_gpt"), models.folder / "toy.proof", models.folder / "toy.npz"
    succeed("prove", package, "--tokens", "3,1,4,1", "-o", path)
    verified = succeed("verify", path, "--key", package / "model.key", "--save-outputs", saved)
    (logits,) = verified["claim"]["outputs"]
    equal((logits["shape"], logits["rows"], logits["columns"]), ([1, 8, 16], 8, 16), "shapes")
    assert logits["exponent"] != 0
    with np.load(saved) as arrays:
        integers, reals = arrays[logits["name"]], arrays[logits["name"] + ".real"]
    equal(integers.shape, tuple(logits["shape"]), "shape")
    assert integers.dtype == np.int64 and reals.dtype == np.float64
    equal((integers / 2.0 ** logits["exponent"]).tolist(), reals.tolist(), "reals")


@cases(("of a package", True), ("of a model file", False))
def what_check_saves_is_all_that_a_prover_needs(compiled):
    source = models.package("char_gpt", *SELECT) if compiled else models.onnx("char_gpt")
    folder = models.folder / f"saved-{compiled}"
    succeed("check", source, *([] if compiled else SELECT), "--prompt", TEXT[:20], "--save-trace", folder)
    package = source if compiled else folder / "package"
    key = package / "model.key" if compiled else folder / "model.key"
    program(PROVER, "prove", "--package", package, "--key", key, "--trace", folder / "trace.bin", "--claim",
            folder / "claim.json", "--output", folder / "run.proof")
    verified = succeed("verify", folder / "run.proof", "--key", key)
    equal(verified["claim"], json.loads((folder / "claim.json").read_text()), "claim")


@case
def inspect_reads_keys_and_proofs():
    path, package, proven = proof()
    key = succeed("inspect", package / "model.key")
    assert key["kind"] == "key" and len(key["keys"]) == 1 and key["security"]["bits"] >= 96
    claim = succeed("inspect", path)
    assert claim["kind"] == "proof" and claim["key_digest"] == key["keys"][0]["digest"]
    equal(claim["statement"], [{k: v for k, v in t.items() if k != "text"} for t in proven["statement"]], "statement")
    equal(claim["proof_bytes"], path.stat().st_size, "size")
    assert "NOT VERIFIED" in lindero("inspect", path).out
    run = lindero("inspect", models.onnx("char_gpt"), "--json")
    assert run.code == PACKAGE and "no package, key or proof" in run.event("error")["message"]


@cases(("type", dict(x=np.ones((1, 64), np.int64)), INPUT, "integers"),
       ("shape", dict(x=np.ones((2, 64), np.float32)), INPUT, "shape [2, 64]"),
       ("NaN", dict(x=np.full((1, 64), np.nan, np.float32)), OUT_OF_RANGE, "not a number"),
       ("name", dict(y=np.ones((1, 64), np.float32)), INPUT, "'y'"))
def inputs_are_looked_at_before_a_model_is_compiled(arrays, code, word):
    path = models.folder / "given.npz"
    np.savez(path, **arrays)
    run = lindero("prove", models.onnx("mlp"), "--input", path, "-o", models.folder / "x.proof", "--json")
    error = run.event("error")
    assert run.code == code and word in error["message"], run.out
    stages = {json.loads(line).get("stage") for line in run.out.splitlines()}
    assert "calibrate" not in stages and "import" in stages, stages


@case
def refused_options_are_not_in_the_help():
    words = lindero("prove", "--help").out
    assert "--generate" in words and "--temperature" not in words and "--top-k" not in words
    run = lindero("prove", models.onnx("char_gpt"), "--prompt", "a", "--temperature", 1)
    assert run.code == 2 and "only greedy decoding is proven" in run.errors, run.errors


@case
def progress_goes_on_after_a_note():
    """On a terminal, the line of progress is written again below a note."""
    main_end, own_end = pty.openpty()
    command = [BIN / "lindero", "check", models.onnx("char_gpt"), *SELECT, "--tokenizer", CHAR_GPT / "tokenizer.json",
               "--prompt", "a"]
    process = subprocess.Popen([str(word) for word in command], stdout=own_end, stderr=own_end)
    os.close(own_end)
    seen = b""
    while True:
        try:
            piece = os.read(main_end, 1 << 16)
        except OSError:
            break
        if not piece:
            break
        seen += piece
    assert process.wait() == 0
    after = seen.decode().split("note: ranges come from", 1)[1].split("\n", 1)[1]
    assert after.startswith("\r\x1b[Kmeasure the integers"), repr(after[:80])


with temporary_folder() as folder:
    models = Models(folder)
    main()
