"""Nothing that a proof says can be made to say something else.

Each mutation changes one thing in the claim, the attestation, the proof or the key, in three variants: raw; with every
digest put right; and with the honest signer's signature under it as well, as if the signer were in the plot. All must
be rejected. The table says by which check, and in its last column what the backend's verifier alone says, which knows nothing
of claims but their public tensors: there the transcript has to notice. All of it twice: on a forward run, and on a
decode run, whose claim says more. And on a decode run in blocks what concerns the blocks: their claim, and how proofs are put
together from them.
"""

import functools
import hashlib
import json
import re
import subprocess

import block_relabelings  # adds mutations
import key_relabelings  # adds mutations
from ed25519 import PrivateKey
from harness import BIN, Models, case, cases, lindero, main, succeed, temporary_folder
from messages import decoded, key_file, keys_of
from relabelings import MEMBERS_OF, MUTATIONS, RUNS, set_member
from world import World, canonical

REJECTED = 13
VARIANTS = ("raw", "digests", "signed")
# What the checks say, from the inside out: the claim's form and the key's word about it; the attestation; the proof's encoding, the
# tensors of the circuit, its transcript.
CHECKS = {
    "claim: ": "claim",
    "a token stands after the decode run": "claim",
    "tape and lengths are none of a decode run": "claim",
    "the run goes on after": "claim",
    "the run has": "claim",
    "attestation: ": "attestation",
    "key: ": "key",
    "model.json: ": "key",
    "proof: ": "encoding",
    "the proof is not in canonical encoding": "encoding",
    "the proof is malformed: ": "encoding",
    "bytes too many": "encoding",
    "the proof is too short": "encoding",
    "the proof names": "encoding",
    "circuit.pb": "key",
    "the key promises": "key",
    "the key's bundle": "key",
    "the proof was made for another key": "key",
    "the proof's fixed columns are not the key's": "key",
    "the claim is malformed": "tensors",
    "the claim has": "tensors",
    "the claim is of": "tensors",
    "the claim lacks": "tensors",
    "public tensor ": "tensors",
    "the proof must hold": "tensors",
    "there are": "tensors",
    "the proof lacks the grinding": "transcript",
    "the proof does not hold": "transcript",
    "the claims of group": "transcript",
    "the fingerprint of": "transcript",
    "the proof is malformed": "transcript",
}


def verdict(files):
    """The check that rejected, and its words; None if nobody did."""
    folder = models.folder / "verifier"
    folder.mkdir(exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    options = ["--key", "model.key", "--attestation", "run.attestation", "--signer", models.folder / "signer.pub"]
    run = lindero("verify", "run.proof", *options, cwd=folder)
    assert run.code in (0, REJECTED), f"exit {run.code}: {run.errors}"
    return None if run.code == 0 else check_of(run.errors)


def bare_verdict():
    """What the backend's verifier says about proof and key of the last verdict."""
    command = [BIN / "lindero-prover-stwo", "verify", "--key", "model.key", "--proof", "run.proof"]
    run = subprocess.run(command, cwd=models.folder / "verifier", capture_output=True, text=True)
    assert run.returncode in (0, 4), f"exit {run.returncode}: {run.stderr}"
    return None if run.returncode == 0 else check_of(run.stderr)


def check_of(words):
    # The reason stands after names of programs and files.
    reason = re.split(r"under model\.key: |attest to run\.proof: |stwo verify: ", words)[-1]
    found = [(reason.find(start), check) for start, check in CHECKS.items() if start in reason]
    return min(found)[1] if found else f"a check that is not known here: {words}"


def mutated(base, change, variant):
    world = World(base)
    change(world)
    if variant != "raw":
        world.put_digests_right()
    world.put_payload()
    if variant == "signed":
        world.sign(world.signer)
    return world.files()


def each_run(function):
    return cases(*[(f"a {run} run", run) for run in RUNS])(function)


@each_run
def the_honest_files_are_accepted(run):
    base = base_of(run)
    for variant in VARIANTS:
        files = mutated(base, lambda world: None, variant)
        for name, content in (("run.proof", "run"), ("model.key", "key"), ("run.attestation", "attestation")):
            assert files[name] == base[content], f"{variant}: {name} does not come out as it was"
        assert verdict(files) is None and bare_verdict() is None


def leaves(value, path=""):
    """The values of a claim by the paths of their members; those of a list's members together."""
    if isinstance(value, dict):
        found = [leaves(member, f"{path}.{name}") for name, member in value.items()]
    elif isinstance(value, list) and value and isinstance(value[0], dict):
        found = [leaves(member, f"{path}[]") for member in value]
    else:
        return {path: [value]}
    return {name: sum((part.get(name, []) for part in found), []) for part in found for name in part}


@each_run
def every_member_of_the_claim_is_changed(run):
    honest, left = leaves(World(base_of(run)).claim), set()
    for name, path, value, bare, full in MEMBERS_OF[run]:
        world = World(base_of(run))
        set_member(path, value)(world)
        changed = leaves(world.claim)
        left |= {path for path in honest if changed.get(path) != honest[path]}
    assert left == set(honest), f"no mutation changes {sorted(set(honest) - left)}"


@each_run
def every_mutation_is_rejected(run):
    assert len(MUTATIONS[run]) >= 30
    rows, wrong = [], []
    for name, where, bare, full, change in MUTATIONS[run]:
        caught = {}
        for variant in VARIANTS:
            caught[variant] = verdict(mutated(base_of(run), change, variant))
        # The last variant has every digest right: what is left to object to is the content.
        caught["backend"] = bare_verdict()
        rows.append((where, name, *[caught[column] or "-" for column in (*VARIANTS, "backend")]))
        if None in [caught[variant] for variant in VARIANTS]:
            wrong.append(f"{name}: accepted: {caught}")
        if caught["backend"] not in (bare.split(" or ") if bare else [None]):
            wrong.append(f"{name}: the backend's verifier: {caught['backend']}, not {bare}")
        if full and caught["signed"] not in full.split(" or "):
            wrong.append(f"{name}: signed again, caught by {caught['signed']}, not {full}")
    header = ("in", f"mutation of a {run} run", "raw", "all digests right", "signed again", "backend alone")
    widths = [max(len(row[i]) for row in [header, *rows]) for i in range(len(header))]
    for row in [header, *rows]:
        print("  ".join(word.ljust(width) for word, width in zip(row, widths)).rstrip())
    print(f"{len(rows)} mutations in {len(VARIANTS)} variants")
    assert not wrong, "\n".join(wrong)


BUCKETS = ("--decode", "--buckets", "4,8")
# A proof in bucket 4, passed off as one in bucket 8 by one who has the keys of both: what its claim takes over from a proof in
# bucket 8, which key it names; what the backend's verifier notices, what `lindero verify` notices when all is signed again.
PASSED_OFF = {
    "bucket": (("bucket",), 4, "transcript", "claim"),
    "circuit": (("circuit",), 4, "transcript", "claim"),
    "fixed root": (("fixed_root",), 4, "transcript", "claim"),
    "bucket, circuit and fixed root": (("bucket", "circuit", "fixed_root"), 4, "transcript", "claim"),
    "key": ((), 8, "tensors", "claim"),
    "key and bucket": (("bucket",), 8, "tensors", "claim"),
    "key, bucket, circuit and fixed root": (("bucket", "circuit", "fixed_root"), 8, "tensors", "claim"),
    "key and the whole claim": (None, 8, "encoding", "encoding"),
}


@case
def a_run_of_one_bucket_is_not_one_of_another():
    package, folder = models.package("toy_gpt", *BUCKETS), models.folder
    file = (package / "model.key").read_bytes()
    keys = dict(zip((4, 8), keys_of(file)))
    for bucket in keys:
        succeed("prove", package / f"bucket-{bucket}", "--key", package / "model.key", "--tokens", "3,1,4",
                "--generate", 2, "-o", folder / f"{bucket}.proof")
    succeed("attest", folder / "4.proof", "--key", package / "model.key", "--onnx", models.onnx("toy_gpt"), "--sign",
            folder / "signer.pem", "-o", folder / "4.attestation")
    base = {"run": (folder / "4.proof").read_bytes(), "attestation": (folder / "4.attestation").read_bytes(), **signers}
    long = json.loads(decoded("Proof", (folder / "8.proof").read_bytes()).claim)

    def passed_off(members, named, variant):
        world = World({**base, "key": key_file(keys[named])})
        world.proof.key_digest = hashlib.sha256(world.key).digest()
        if members is None:
            world.claim = long
        else:
            for name in members:
                if name == "bucket":
                    world.claim["model"][name] = long["model"][name]
                else:
                    world.claim["model"]["members"][0][name] = long["model"]["members"][0][name]
        if variant != "raw":
            world.put_digests_right()
        world.put_payload()
        if variant == "signed":
            world.sign(world.signer)
        return {**world.files(), "model.key": file}

    for variant in VARIANTS:
        assert verdict(passed_off((), 4, variant)) is None and bare_verdict() is None, variant
    for name, (members, named, bare, full) in PASSED_OFF.items():
        caught = [verdict(passed_off(members, named, variant)) for variant in VARIANTS]
        print(f"  {name}: {', '.join(map(str, caught))}; the backend alone: {bare_verdict()}")
        assert None not in caught and (bare_verdict(), caught[2]) == (bare, full), name


# What a claim of a run in blocks says about them, or of the run that they make up.
OF_BLOCKS = ("boundary", "bucket", "count", "end", "position", "context")


@each_run
def a_prover_who_lies_from_the_start_is_rejected(run):
    """The transcript is about the lie then, and holds: it is for `lindero verify` to compare claim, key and run."""
    base, folder = base_of(run), models.folder
    succeed("check", base["package"], *RUNS[run][1], "--save-trace", folder / f"trace-of-{run}")
    circuit = next(base["package"].glob("bucket-*"), base["package"])
    files = ["--package", circuit, "--key", base["package"] / "model.key"]
    for trace in sorted((folder / f"trace-of-{run}").glob("trace*.bin")):
        files += ["--trace", trace]
    tried, lies = 0, OF_BLOCKS if run == "carry" else None
    for name, path, value, bare, full in MEMBERS_OF[run]:
        if (bare, full) != ("transcript", "claim") or path[0] in ("inputs", "outputs"):
            continue
        if lies and path[-1] not in lies:
            continue
        world = World(base)
        set_member(path, value)(world)
        world.put_frontier_right()
        (folder / "claim.json").write_bytes(canonical(world.claim))
        command = [BIN / "lindero-prover-stwo", "prove", *files, "--claim", folder / "claim.json", "-o", folder / "lie.proof"]
        subprocess.run(command, check=True, capture_output=True)
        world.proof = decoded("Proof", (folder / "lie.proof").read_bytes())
        world.put_digests_right()
        world.put_payload()
        world.sign(world.signer)
        assert verdict(world.files()) == "claim", name
        assert bare_verdict() is None, name
        tried += 1
    assert tried >= (8 if lies else 20), tried


@functools.cache
def base_of(run):
    """The honest run, another one of the same package, and one of another model."""
    compiled, proven, other = RUNS[run]
    package, stranger = models.package("toy_gpt", *compiled), models.package("toy_gpt", "--argmax")
    files = {name: models.folder / f"{run}-{name}" for name in ("run", "other run", "other model's run", "attestation")}
    labels = ["--label-input", "digits", "--label-output", "scores"]
    succeed("prove", package, *proven, "-o", files["run"], *labels)
    succeed("prove", package, *other, "-o", files["other run"], *labels)
    succeed("prove", stranger, *RUNS["forward"][1], "-o", files["other model's run"], *labels)
    options = ["--onnx", models.onnx("toy_gpt"), "--sign", models.folder / "signer.pem", "-o", files["attestation"]]
    succeed("attest", files["run"], "--key", package / "model.key", *options)
    return {
        **{name: path.read_bytes() for name, path in files.items()},
        "package": package,
        "key": (package / "model.key").read_bytes(),
        "key of one pass": (models.package("toy_gpt", "--decode") / "model.key").read_bytes(),
        "other key": (stranger / "model.key").read_bytes(),
        **signers,
    }


def new_signer(name):
    path = models.folder / f"{name}.pem"
    succeed("keygen", "-o", path)
    return PrivateKey(path.read_text())


with temporary_folder() as folder:
    models = Models(folder)
    signers = {name: new_signer(name) for name in ("signer", "stranger")}
    main()
