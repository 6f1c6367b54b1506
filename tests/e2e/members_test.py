"""A bundle of three members that differ (samples::network of tools/provers/testkit), over several steps: proven and verified, its
transcript computed a second time, its traces replayed. WRITE_SAMPLE in the environment is the example of that name there.
"""

import json
import os
import shutil
import subprocess
import sys

from harness import BIN, ROOT, case, cases, equal, main, temporary_folder
from messages import decoded, encoded, keys_of
from transcript import transcript

sys.path.insert(0, str(ROOT / "tools" / "replay"))
from package import schema  # noqa: E402

WRITE_SAMPLE = os.environ["WRITE_SAMPLE"]
MEMBERS, STEPS = ("squares", "sums", "table"), 3
QUICK = ("--security-bits", "20", "--log-blowup", "1", "--pow-bits", "4")


def run(*words):
    return subprocess.run([*map(str, words)], capture_output=True, text=True, timeout=300)


def backend(verb, *words):
    return run(BIN / "lindero-prover-stwo", verb, *words)


def traces(package):
    return [package / ("trace.bin" if block == 0 else f"trace{block}.bin") for block in range(STEPS * len(MEMBERS))]


def made(name):
    """The package, with its traces, claim and statement."""
    package = folder / name
    if not package.exists():
        done = run(WRITE_SAMPLE, package, "network", STEPS)
        equal(done.returncode, 0, done.stderr)
        claim = json.loads((package / "claim.json").read_text())
        statement = schema("Statement")(format=1)
        for kind, tensors in enumerate((claim["inputs"], claim["outputs"])):
            for tensor in tensors:
                statement.tensors.add(name=tensor["name"], kind=kind, rows=tensor["rows"], columns=tensor["columns"],
                                      values=tensor["values"])
        (package / "statement.pb").write_bytes(encoded(statement))
    return package


def proven():
    package = made("proven")
    key, proof = package / "model.key", package / "run.proof"
    if not proof.exists():
        done = backend("setup", "--package", package, "--output", key, *QUICK)
        equal(done.returncode, 0, done.stderr)
        each = [word for trace in traces(package) for word in ("--trace", trace)]
        done = backend("prove", "--package", package, "--key", key, *each, "--claim", package / "claim.json", "--output", proof)
        equal(done.returncode, 0, done.stderr)
    return key, proof


@case
def a_key_has_each_member_and_each_circuit():
    key, _ = proven()
    [content] = keys_of(key.read_bytes())
    message = decoded("VerifyingKey", content)
    equal([member.name for member in message.bundle.members], list(MEMBERS), "members")
    equal((len(message.circuits), len(message.fixed_roots)), (3, 3), "circuits and roots")
    report = json.loads(backend("describe", "--key", key).stdout)["keys"][0]
    equal([member["name"] for member in report["members"]], list(MEMBERS), "members in describe")
    equal([link["ends"] for link in report["security"]["links"]], [2, 2, 2, 2], "ends of the links")


@case
def both_draw_the_same():
    key, proof = proven()
    drawn = folder / "drawn.json"
    done = backend("verify", "--key", key, "--proof", proof, "--transcript", drawn)
    equal(done.returncode, 0, done.stderr)
    ours = [[dict(part._asdict()) for part in parts] for parts in transcript(key.read_bytes(), proof.read_bytes())]
    equal(json.loads(drawn.read_text()), ours, "challenges")
    equal(len(ours), 1 + STEPS * len(MEMBERS), "parts")
    equal(len(ours[0][0]["values"]), 5, "challenges that all blocks share")


@case
def tampering_is_noticed():
    key, proof = proven()
    done = backend("tamper", "--key", key, "--proof", proof, "--count", 2000)
    equal((done.returncode, json.loads(done.stdout)["survivors"]), (0, []), "survivors")


def replayed(package, order=None):
    paths = [traces(package)[block] for block in order or range(STEPS * len(MEMBERS))]
    done = run(sys.executable, ROOT / "tools/replay/replay.py", package, "--trace", *paths, "--statement",
               package / "statement.pb", "--json")
    return done.returncode, [] if done.returncode not in (0, 1) else [
        (f["block"], f["kind"], f["name"]) for f in json.loads(done.stdout)["failures"]]


@case
def the_replay_accepts_it():
    equal(replayed(made("replayed")), (0, []), "verdict")


# Blocks 0 to 8: the members of three steps.
@cases(
    ("two steps' tables", (0, 1, 5, 3, 4, 2, 6, 7, 8), [(block, "link", "range") for block in (0, 1, 3, 4)]),
    ("two steps' squares", (3, 1, 2, 0, 4, 5, 6, 7, 8), None),
    ("two steps' sums", (0, 4, 2, 3, 1, 5, 6, 7, 8), None),
)
def the_replay_finds_what_is_exchanged(order, found):
    code, failures = replayed(made("replayed"), order)
    equal(code, 1, "exit code")
    assert any(kind == "link" for _, kind, _ in failures), failures
    assert found is None or failures == found, failures


@cases(
    ("a trace too few", lambda bundle: None, 8),
    ("fewer steps than the run has", lambda bundle: setattr(bundle, "most_steps", 2), 9),
    ("members in another order", lambda bundle: bundle.members.reverse(), 9),
    ("a path for a name", lambda bundle: setattr(bundle.members[0], "name", "../members/squares"), 9),
)
def bad_input(change, count):
    package = folder / "changed"
    shutil.rmtree(package, ignore_errors=True)
    shutil.copytree(made("replayed"), package)
    bundle = schema("Bundle").FromString((package / "bundle.pb").read_bytes())
    change(bundle)
    (package / "bundle.pb").write_bytes(encoded(bundle))
    equal(replayed(package, range(count))[0], 2, "exit code of the replay")
    if count == 9:
        done = backend("setup", "--package", package, "--output", package / "other.key", *QUICK)
        assert (done.returncode == 0) == (bundle.most_steps == 2), done.stderr


@case
def members_have_no_bundle_of_their_own():
    package = folder / "nested"
    shutil.copytree(made("replayed"), package)
    key = package / "nested.key"
    equal(backend("setup", "--package", package, "--output", key, *QUICK).returncode, 0, "exit code without one")
    shutil.copy(package / "bundle.pb", package / "members" / "sums" / "bundle.pb")
    done = backend("setup", "--package", package, "--output", key, *QUICK)
    assert done.returncode and "F34: " in done.stderr + done.stdout, done.stderr
    equal(replayed(package)[0], 2, "exit code of the replay")


@case
def lindero_takes_packages_with_programs():
    done = run(BIN / "lindero", "inspect", made("replayed"))
    assert done.returncode and "program.pb" in done.stderr, done.stderr



with temporary_folder() as folder:
    main()
