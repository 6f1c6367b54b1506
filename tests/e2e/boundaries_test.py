"""Models cut into several proofs: members of one bundle, linked, verified as one file, with the integers of the whole."""

import hashlib
import json
import shutil
import subprocess
import sys

from harness import BIN, ROOT, Models, case, cases, equal, lindero, main, outputs, statement, succeed, temporary_folder
from messages import decoded, encoded, keys_of

sys.path.insert(0, str(ROOT / "tools" / "replay"))
from package import schema  # noqa: E402

REJECTED = 13
MODELS = {"toy_gpt": ("--tokens", "3,1,4,1,5,9,2,6"), "char_gpt": ("--prompt", "To be, or not to be,"),
          "family_llama": ("--tokens", "3,1,2")}
MEMBERS = {("toy_gpt", "per-layer"): 4, ("toy_gpt", "per-region"): 15, ("char_gpt", "per-layer"): 6,
           ("family_llama", "per-region"): 22}
FILES = ("circuit.pb", "fixed.bin", "program.pb")


# A block whose input, real numbers, is read by its norm and added again: in two members.
SKIPPED = "block_clip_at_50"


def package(name, policy):
    return models.package(name, "--boundaries", policy) if policy else models.package(name)


def checked(name, policy):
    return succeed("check", package(name, policy), *MODELS[name])


def bundle(path):
    return schema("Bundle").FromString((path / "bundle.pb").read_bytes())


@case
def fused_is_the_package_without_boundaries():
    for file in FILES:
        ours, theirs = ((package("toy_gpt", policy) / file).read_bytes() for policy in ("fused", ""))
        equal(hashlib.sha256(ours).hexdigest(), hashlib.sha256(theirs).hexdigest(), file)


@cases(*((f"{name} {policy}", name, policy) for name, policy in MEMBERS))
def the_integers_are_those_of_the_whole(name, policy):
    path = package(name, policy)
    equal(len(bundle(path).members), MEMBERS[name, policy], "members")
    equal(statement(checked(name, policy)), statement(checked(name, "")), "public values")
    shown = succeed("inspect", path)
    equal(len(shown["links"]), len(bundle(path).links), "links")


@cases(("toy by layer", "toy_gpt", "per-layer"), ("toy by region", "toy_gpt", "per-region"),
       ("char GPT by layer", "char_gpt", "per-layer"), ("copies and products by region", "family_llama", "per-region"))
def it_is_proven_and_verified_as_one(name, policy):
    path, proof = package(name, policy), models.folder / f"{name}-{policy}.proof"
    proven = succeed("prove", path, *MODELS[name], "-o", proof)
    verified = succeed("verify", proof, "--key", path / "model.key")
    equal(statement(verified), statement(proven), "what is verified")
    equal(outputs(verified), outputs(checked(name, "")), "outputs")
    equal(verified["claim"]["policy"]["boundary"], f"segments={MEMBERS[name, policy]}", "boundary")
    equal(len(verified["claim"]["model"]["members"]), MEMBERS[name, policy], "members of the claim")
    other = lindero("verify", proof, "--key", package(name, "") / "model.key")
    assert other.code == REJECTED, f"exit {other.code}: {other.errors}"


@case
def a_plugin_places_them_by_its_own_rule():
    plugin = BIN.parent / "plugins" / "cut_narrowest.so"
    path = models.package("toy_gpt", "--boundaries", "cut-narrowest{segments=3}", "--load-pass-plugin", plugin)
    equal(len(bundle(path).members), 3, "members")
    equal(statement(succeed("check", path, *MODELS["toy_gpt"])), statement(checked("toy_gpt", "")), "public values")


@case
def an_input_crosses():
    path, proof, given = package(SKIPPED, "per-region"), models.folder / "skipped.proof", models.folder / "skipped.json"
    given.write_text(json.dumps({"x": [[[(7 * row + 3 * column) % 11 / 4 - 1 for column in range(8)] for row in range(6)]]}))
    first = succeed("inspect", path)["links"][0]
    equal((first["from"], first["to"]), ("segment0", "segment3"), "the ends of the input's link")
    succeed("prove", path, "--input", given, "-o", proof)
    verified = succeed("verify", proof, "--key", path / "model.key")
    equal(outputs(verified), outputs(succeed("check", package(SKIPPED, ""), "--input", given)), "outputs")


def saved():
    """The toy by layer with traces, as a prover takes it."""
    folder = models.folder / "saved"
    if not folder.exists():
        succeed("check", package("toy_gpt", "per-layer"), *MODELS["toy_gpt"], "--save-trace", folder)
    return folder


def proof_of(path, key, traces, name):
    words = [word for trace in traces for word in ("--trace", trace)]
    proof = models.folder / f"{name}.proof"
    done = subprocess.run([BIN / "lindero-prover-stwo", "prove", "--package", path, "--key", key, *words, "--claim",
                           saved() / "claim.json", "--output", proof], capture_output=True, text=True, timeout=300)
    return done, proof


def replayed(path, traces):
    done = subprocess.run([sys.executable, ROOT / "tools/replay/replay.py", path, "--trace", *traces, "--statement",
                           saved() / "statement.pb", "--json"], capture_output=True, text=True, timeout=300)
    assert done.returncode in (0, 1), done.stderr
    return [(f["kind"], f["name"]) for f in json.loads(done.stdout)["failures"]]


def traces():
    return [saved() / f"trace-{block}.bin" for block in range(MEMBERS["toy_gpt", "per-layer"])]


@case
def the_replay_accepts_it():
    equal(replayed(package("toy_gpt", "per-layer"), traces()), [], "failures")


@case
def what_another_input_gives_is_not_taken():
    """Each member's trace is right by itself; together they are of two runs."""
    other = models.folder / "other"
    succeed("check", package("toy_gpt", "per-layer"), "--tokens", "6,2,9,5,1,4,1,3", "--save-trace", other)
    mixed = traces()
    mixed[2] = other / "trace-2.bin"
    failures = replayed(package("toy_gpt", "per-layer"), mixed)
    assert failures and all(kind == "link" for kind, _ in failures), failures
    done, proof = proof_of(package("toy_gpt", "per-layer"), package("toy_gpt", "per-layer") / "model.key", mixed, "mixed")
    assert done.returncode != 0 and "do not cancel" in done.stderr, done.stderr


@cases(("dropped", lambda b: b.members.pop()),
       ("in another order", lambda b: b.members.reverse()),
       ("without a link", lambda b: b.links.pop()),
       ("linked crosswise", lambda b: cross(b)))
def a_bundle_is_the_keys(change):
    changed = models.folder / "changed"
    shutil.rmtree(changed, ignore_errors=True)
    shutil.copytree(package("toy_gpt", "per-layer"), changed)
    message = bundle(changed)
    change(message)
    (changed / "bundle.pb").write_bytes(encoded(message))
    run = lindero("prove", changed, *MODELS["toy_gpt"], "-o", models.folder / "changed.proof")
    assert run.code and "bundle" in run.errors, f"exit {run.code}: {run.errors}"


def cross(message):
    """Each of two links takes what the other gives."""
    one, other = message.links[0].ends[1].group, message.links[2].ends[1].group
    message.links[0].ends[1].group, message.links[2].ends[1].group = other, one
    message.links[0].ends[1].member, message.links[2].ends[1].member = (message.links[2].ends[1].member,
                                                                        message.links[0].ends[1].member)


@case
def the_key_says_the_assignment():
    [content] = keys_of((package("toy_gpt", "per-layer") / "model.key").read_bytes())
    record = json.loads(decoded("VerifyingKey", content).model)
    equal(record["boundary"], "segments=4", "boundary")
    assert len(set(record["options"]["segments"])) == 4, record["options"]


@case
def an_audit_makes_the_key_again():
    path = package("toy_gpt", "per-layer")
    succeed("audit", models.onnx("toy_gpt"), "--key", path / "model.key")


@cases(("an unknown policy", ("--boundaries", "by-luck"), "by-luck"),
       ("a decode run", ("--boundaries", "per-layer", "--decode"), "--context=carry"))
def refused(arguments, words):
    run = lindero("compile", models.onnx("toy_gpt"), "-o", models.folder / "refused", "--no-key", *arguments)
    assert run.code and words in run.errors, f"exit {run.code}: {run.errors}"


with temporary_folder() as folder:
    models = Models(folder)
    main()
