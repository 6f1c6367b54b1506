"""A proof that is ended at any point goes on where it was, byte by byte the same; several processes make one together."""

import os
import random
import signal
import subprocess
import time

from harness import BIN, MODELS, Models, case, equal, lindero, main, succeed, temporary_folder

USAGE, FILE = 2, 15
RUN = ("--tokens", "3,1,4,1,5,9,2,6", "--nonce", "11" * 32)
KILLED = 20


def package():
    return models.package("toy_gpt", "--boundaries", "per-layer")


def prove(job, proof, *more):
    return ("prove", package(), *RUN, "-o", models.folder / proof, "--job", models.folder / job, *more)


def at_once():
    path = models.folder / "at_once.proof"
    if not path.exists():
        succeed("prove", package(), *RUN, "-o", path)
    return path.read_bytes()


def files(job):
    """The parts of a job, with the time of each."""
    folder = models.folder / job / "parts"
    return {path.name: path.stat().st_mtime_ns for path in folder.glob("*-*")
            if not path.name.endswith(".part")} if folder.exists() else {}


def refused(code, words, *arguments):
    run = lindero(*arguments)
    equal(run.code, code, f"exit code; {run.errors}")
    assert words in run.errors, run.errors


@case
def a_job_makes_the_same_proof():
    succeed(*prove("whole", "whole.proof"))
    assert (models.folder / "whole.proof").read_bytes() == at_once()
    equal(len(files("whole")), 8, "roots and blocks of four members")
    kept = files("whole")
    succeed(*prove("whole", "again.proof"))
    assert (models.folder / "again.proof").read_bytes() == at_once()
    equal(files("whole"), kept, "parts that are there")


@case
def killed_at_any_point_it_goes_on():
    begun = time.monotonic()
    succeed(*prove("timed", "timed.proof"))
    whole = time.monotonic() - begun
    moments, tries, kept = random.Random(5), 0, {}
    while tries < KILLED:
        process = subprocess.Popen([str(BIN / "lindero"), *map(str, prove("killed", "killed.proof"))], stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL, start_new_session=True)
        try:
            process.wait(moments.uniform(0.05, 0.6) * whole)
            # It was done before: the job begins anew.
            equal(process.returncode, 0, "exit code")
            assert (models.folder / "killed.proof").read_bytes() == at_once()
            subprocess.run(["rm", "-r", models.folder / "killed"], check=True)
            kept = {}
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            tries += 1
            now = files("killed")
            assert kept.items() <= now.items(), "what was proven before stays"
            kept = now
    succeed(*prove("killed", "killed.proof"))
    assert (models.folder / "killed.proof").read_bytes() == at_once()
    assert kept.items() <= files("killed").items()


@case
def members_are_proven_by_processes_of_their_own():
    begun = succeed(*prove("shared", "unused.proof", "--trace-only"))
    assert "proof" not in begun and not (models.folder / "unused.proof").exists()
    names = [f"segment{i}" for i in range(4)]
    job = ("--job", models.folder / "shared")
    for place, name in enumerate(reversed(names)):
        done = succeed("prove-member", package(), *job, "--member", name)
        equal((done["proven"], done["missing"]), (place == 3, 3 - place), name)
    for name in names[1:]:
        assert succeed("prove-member", package(), *job, "--member", name)["proven"], name
    kept = files("shared")
    succeed(*prove("shared", "shared.proof"))
    assert (models.folder / "shared.proof").read_bytes() == at_once()
    equal(files("shared"), kept, "nothing is made twice")


@case
def a_decode_run_in_blocks_is_a_job():
    path = models.package("toy_gpt", "--decode", "--context", "carry", "--block", "2")
    run = ("prove", path, "--tokens", "3,1,4", "--generate", "4", "--nonce", "22" * 32)
    succeed(*run, "-o", models.folder / "one.proof")
    succeed(*run, "-o", models.folder / "parts.proof", "--job", models.folder / "decoded")
    # The same tokens by another rule: another claim.
    refused(USAGE, "is of another", *run, "--stop", "2", "-o", models.folder / "x.proof", "--job", models.folder / "decoded")
    equal((models.folder / "parts.proof").read_bytes() == (models.folder / "one.proof").read_bytes(), True, "the same")


@case
def values_by_digest_stay_the_same():
    run = ("--digest", "logits")
    succeed(*prove("hidden", "hidden.proof", *run))
    first = (models.folder / "hidden.openings").read_bytes()
    succeed(*prove("hidden", "hidden.proof", *run))
    equal((models.folder / "hidden.openings").read_bytes(), first, "openings")


@case
def what_is_of_another_run_is_refused():
    succeed(*prove("mine", "mine.proof", "--trace-only"))
    other = ("prove", package(), "--tokens", "1,2,3,4,5,6,7,8", "-o", models.folder / "x.proof", "--job", models.folder / "mine")
    refused(USAGE, "is of another package, key, input or claim", *other)
    refused(USAGE, "is of another package, key, input or claim", *prove("mine", "x.proof", "--label-input", "other"))
    full = models.folder / "full"
    full.mkdir()
    (full / "letter.txt").write_text("mine")
    refused(USAGE, "has other files than those of a job", *prove("full", "x.proof"))
    refused(USAGE, "--job takes a package", "prove", MODELS / "toy_gpt.onnx", *RUN, "-o", models.folder / "x.proof", "--job", full)
    refused(FILE, "no such file", "prove", "nothing.lindero", *RUN, "-o", models.folder / "x.proof", "--job", full)
    refused(USAGE, "there is no", "prove-member", package(), "--job", full, "--member", "segment0")
    refused(USAGE, "--member", "prove-member", package(), "--job", models.folder / "mine", "--member", "segment9")
    trace = models.folder / "mine" / "trace-1.bin"
    trace.write_bytes((models.folder / "mine" / "trace-2.bin").read_bytes())
    run = lindero(*prove("mine", "mine.proof"))
    assert run.code not in (0, -11, -6), run.code
    assert not (models.folder / "mine.proof").exists()


with temporary_folder() as folder:
    models = Models(folder)
    main()
