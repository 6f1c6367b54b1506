"""Runs of a folder are proven one after the other, and each proof is that of the run alone."""

import json

from harness import MODELS, Models, case, equal, lindero, main, succeed, temporary_folder

USAGE, TOKEN = 2, 9
NONCE = ("--nonce", "11" * 32)
RUNS = {"a": [3, 1, 4, 1, 5, 9, 2, 6], "b": [2, 7, 1, 8, 2, 8, 1, 8], "c": [0] * 8}


def write_runs(name, runs):
    path = models.folder / name
    path.mkdir(exist_ok=True)
    for run, tokens in runs.items():
        (path / f"{run}.json").write_text(json.dumps({"input_ids": tokens}))
    return path


def refused(code, words, *arguments):
    run = lindero(*arguments)
    equal(run.code, code, f"exit code; {run.errors}")
    assert words in run.errors, run.errors


@case
def each_proof_is_that_of_the_run_alone():
    package, proofs = models.package("toy_gpt"), models.folder / "proofs"
    result = succeed("prove", package, "--runs", write_runs("runs", RUNS), "-o", proofs, *NONCE)
    equal([run["name"] for run in result["runs"]], sorted(RUNS), "runs")
    for run, tokens in RUNS.items():
        proof, alone = proofs / f"{run}.proof", models.folder / f"{run}.proof"
        succeed("verify", proof, "--key", package / "model.key")
        succeed("prove", package, "--tokens", ",".join(map(str, tokens)), "-o", alone, *NONCE)
        assert proof.read_bytes() == alone.read_bytes(), run
    equal(sorted(path.name for path in proofs.iterdir()), [f"{run}.proof" for run in sorted(RUNS)], "files")


@case
def digests_have_openings_of_their_own():
    package, proofs = models.package("toy_gpt"), models.folder / "hidden"
    succeed("prove", package, "--runs", write_runs("runs", RUNS), "-o", proofs, "--digest", "input_ids")
    for run in RUNS:
        proof = proofs / f"{run}.proof"
        succeed("open", proof, "--key", package / "model.key", "--values", proof.with_suffix(".openings"))


@case
def a_run_that_cannot_be_is_named_and_leaves_those_before_it():
    package, proofs = models.package("toy_gpt"), models.folder / "some"
    runs = write_runs("wrong", {"a": RUNS["a"], "b": [10**6] * 8, "c": RUNS["c"]})
    refused(TOKEN, "wrong/b.json: ", "prove", package, "--runs", runs, "-o", proofs)
    equal([path.name for path in proofs.iterdir()], ["a.proof"], "files")


@case
def what_no_runs_are_is_refused():
    package, runs = models.package("toy_gpt"), write_runs("runs", RUNS)
    refused(USAGE, "--runs takes a package", "prove", MODELS / "toy_gpt.onnx", "--runs", runs)
    (models.folder / "empty").mkdir()
    refused(USAGE, "there is no .json", "prove", package, "--runs", models.folder / "empty")
    twice = write_runs("twice", {"a": RUNS["a"]})
    (twice / "a.npy").write_bytes(b"")
    refused(USAGE, "would have the same proof", "prove", package, "--runs", twice)
    refused(USAGE, "--job", "prove", package, "--runs", runs, "--job", models.folder / "job")


with temporary_folder() as folder:
    models = Models(folder)
    main()
