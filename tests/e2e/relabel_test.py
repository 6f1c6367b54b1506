"""Nothing that a proof says can be made to say something else.

Each mutation changes one thing in the claim, the attestation, the proof or the key, in three variants: raw; with every
digest put right; and with the honest signer's signature under it as well, as if the signer were in the plot. All must
be rejected. The table says by which check, and in its last column what the backend's verifier alone says, which knows nothing
of claims but their public tensors: there the transcript has to notice.
"""

import base64
import hashlib
import json
import re
import subprocess

from ed25519 import PrivateKey
from harness import BIN, Models, case, lindero, main, succeed, temporary_folder
from messages import decoded, encoded, key_file, keys_of

REJECTED = 13
TOKENS = "3,1,4,1,5,9,2,6"
VARIANTS = ("raw", "digests", "signed")
# What the checks say, from the inside out: the claim's form and the key's word about it; the attestation; the proof's encoding, the
# tensors of the circuit, its transcript.
CHECKS = {
    "claim: ": "claim",
    "attestation: ": "attestation",
    "key: ": "key",
    "model.json: ": "key",
    "proof: ": "encoding",
    "the proof is not in canonical encoding": "encoding",
    "the proof is malformed: ": "encoding",
    "bytes too many": "encoding",
    "the proof names": "encoding",
    "circuit.pb": "key",
    "the key promises": "key",
    "the proof was made for another key": "key",
    "the proof's fixed columns are not the key's": "key",
    "the claim is malformed": "tensors",
    "the claim has": "tensors",
    "the claim lacks": "tensors",
    "public tensor ": "tensors",
    "the proof must hold": "tensors",
    "the proof lacks the grinding": "transcript",
    "the proof does not hold": "transcript",
    "the claims of group": "transcript",
    "the fingerprint of": "transcript",
    "the proof is malformed": "transcript",
}


def sha256(content):
    return hashlib.sha256(content).hexdigest()


def canonical(value):
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


class World:
    """The files of a verifier, taken apart."""

    def __init__(self, proof, key, attestation):
        self.proof, (self.key,) = decoded("Proof", proof), keys_of(key)
        self.claim = json.loads(self.proof.claim)
        self.claim_bytes = None  # in place of the canonical form of `claim`
        self.behind_proof = b""
        envelope = json.loads(attestation)
        self.envelope, self.statement = envelope, json.loads(base64.b64decode(envelope["payload"]))
        self.statement_bytes = self.envelope_bytes = None
        self.attested = {}  # members of the statement that stay as they are when digests are put right

    def proof_bytes(self):
        self.proof.claim = self.claim_bytes or canonical(self.claim)
        return encoded(self.proof) + self.behind_proof

    def put_digests_right(self):
        self.proof.key_digest = hashlib.sha256(self.key).digest()
        proof = self.proof_bytes()
        digests = {
            "claim": sha256(self.proof.claim),
            "key": sha256(self.key),
            "onnx": self.claim.get("model", {}).get("onnx", "00" * 32),
            "proof": sha256(proof),
        }
        for subject in self.statement["subject"]:
            if subject["name"] in digests and subject["name"] not in self.attested:
                subject["digest"]["sha256"] = digests[subject["name"]]
        if "predicate" not in self.attested:
            self.statement["predicate"]["claim"] = self.claim

    def put_payload(self):
        payload = self.statement_bytes or canonical(self.statement)
        self.envelope["payload"] = base64.b64encode(payload).decode()
        return payload

    def sign(self, key):
        kind, payload = self.envelope["payloadType"].encode(), self.put_payload()
        message = b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload)
        self.envelope["signatures"][0]["sig"] = base64.b64encode(key.sign(message)).decode()

    def files(self):
        return {
            "run.proof": self.proof_bytes(),
            "model.key": key_file(self.key),
            "run.attestation": self.envelope_bytes or canonical(self.envelope),
        }


MUTATIONS = []


def mutation(name, where, bare="transcript", full=None):
    """`where`: claim, attestation, proof or key. `bare`: the check of the backend's verifier that must notice; None: the proof is
    the honest one. `full`: the check that must notice when all is signed again; by default it is not asked for."""

    def add(change):
        MUTATIONS.append((name, where, bare, full, change))
        return change

    return add


def set_member(path, value):
    def change(world):
        at = world.claim
        *parents, last = path
        for parent in parents:
            at = at[parent]
        assert at[last] != value, f"{path} is {value} already"
        at[last] = value(at[last]) if callable(value) else value

    return change


def flipped(digest):
    return f"{int(digest[0], 16) ^ 1:x}{digest[1:]}"


OTHER = {"position": 3, "digest": "ab" * 32}
# Members of the claim: name, path, new value, what the backend's verifier notices, what `lindero verify` notices.
MEMBERS = [
    ("ONNX digest", ("model", "onnx"), flipped, "transcript", "claim"),
    ("external data", ("model", "external"), [{"name": "w", "sha256": "00" * 32}], "transcript", "claim"),
    ("model id", ("model", "id"), flipped, "transcript", "claim"),
    ("bucket", ("model", "bucket"), 16, "transcript", "claim"),
    ("circuit digest", ("model", "circuit"), flipped, "transcript", "claim"),
    ("fixed root", ("model", "fixed_root"), flipped, "transcript", "claim"),
    ("input value", ("inputs", 0, "values", 2), lambda v: v ^ 1, "transcript", "transcript"),
    ("input value out of range", ("inputs", 0, "values", 2), 10**6, "tensors", "claim"),
    ("output value", ("outputs", 0, "values", 5), lambda v: v + 1, "transcript", "transcript"),
    ("order of outputs", ("outputs", 0, "values"), lambda v: [v[1], v[0], *v[2:]], "transcript", "transcript"),
    ("order of inputs", ("inputs", 0, "values"), lambda v: v[::-1], "transcript", "transcript"),
    ("a value less", ("outputs", 0, "values"), lambda v: v[:-1], "tensors", "claim"),
    ("input name", ("inputs", 0, "name"), "prompt", "tensors", "claim"),
    ("output name", ("outputs", 0, "name"), "probabilities", "tensors", "claim"),
    ("output exponent", ("outputs", 0, "exponent"), lambda v: v + 1, "tensors", "claim"),
    ("input range", ("inputs", 0, "high"), lambda v: v + 1, "tensors", "claim"),
    ("input range, low", ("inputs", 0, "low"), lambda v: v - 1, "tensors", "claim"),
    ("arithmetic", ("policy", "arithmetic"), "lindero/integer/2", "transcript", "claim"),
    ("boundary policy", ("policy", "boundary"), "per-layer", "transcript", "claim"),
    ("decode policy", ("policy", "decode", "kind"), "greedy", "transcript", "claim"),
    ("stop tokens", ("policy", "decode", "stop"), [0], "transcript", "claim"),
    ("digests named", ("policy", "digests"), ["logits"], "transcript", "claim"),
    ("limit of the context", ("policy", "limits", "context"), 1024, "transcript", "claim"),
    ("limit of the steps", ("policy", "limits", "steps"), 8, "transcript", "claim"),
    ("first step", ("steps", "first"), 1, "transcript", "claim"),
    ("number of steps", ("steps", "count"), 8, "transcript", "claim"),
    ("start frontier", ("frontier", "start"), OTHER, "transcript", "claim"),
    ("end frontier", ("frontier", "end"), OTHER, "transcript", "claim"),
    ("protocol", ("verifier", "protocol"), "lindero/proof/2", "transcript", "claim"),
    ("backend", ("verifier", "backend"), "plonky3-0.8.0/1", "transcript", "claim"),
    ("backend version", ("verifier", "backend"), lambda v: v.replace("2.3.0", "2.4.0"), "transcript", "claim"),
    ("queries", ("verifier", "parameters", "queries"), lambda v: v + 1, "transcript", "claim"),
    ("blowup", ("verifier", "parameters", "log_blowup"), lambda v: v + 1, "transcript", "claim"),
    ("grinding", ("verifier", "parameters", "pow_bits"), lambda v: v + 1, "transcript", "claim"),
    ("FRI's last layer", ("verifier", "parameters", "log_last_layer_degree"), lambda v: v + 1, "transcript", "claim"),
    ("security bits", ("verifier", "security", "bits"), 128, "transcript", "claim"),
    ("security regime", ("verifier", "security", "regime"), "proven", "transcript", "claim"),
    ("label of the model", ("labels", "model"), "GPT-5", "transcript", "transcript"),
    ("label of the input", ("labels", "input"), "a question", "transcript", "transcript"),
    ("label of the output", ("labels", "output"), "the answer", "transcript", "transcript"),
    ("nonce", ("nonce",), flipped, "transcript", "transcript"),
    ("format", ("format",), "lindero/claim/2", "transcript", "claim"),
]
for name, path, value, bare, full in MEMBERS:
    mutation(name, "claim", bare, full)(set_member(path, value))


@mutation("unknown member", "claim", "transcript", "claim")
def _(world):
    world.claim["approved"] = True


@mutation("unknown member, nested", "claim", "transcript", "claim")
def _(world):
    world.claim["labels"]["licence"] = "MIT"


@mutation("unknown member of a tensor", "claim", "tensors", "claim")
def _(world):
    world.claim["inputs"][0]["unit"] = "token"


@mutation("member left out", "claim", "transcript", "claim")
def _(world):
    del world.claim["nonce"]


@mutation("duplicate member", "claim", "transcript", "claim")
def _(world):
    world.claim_bytes = canonical(world.claim).replace(b'"nonce":', b'"nonce":"%s","nonce":' % (b"00" * 32))


@mutation("duplicate values", "claim", "tensors", "claim")
def _(world):
    world.claim_bytes = canonical(world.claim).replace(b'"inputs":[', b'"inputs":[],"inputs":[')


@mutation("white space", "claim", "transcript", "claim")
def _(world):
    world.claim_bytes = canonical(world.claim).replace(b'"nonce":', b'"nonce": ')


@mutation("bytes behind the claim", "claim", "transcript", "claim")
def _(world):
    world.claim_bytes = canonical(world.claim) + b"\n"


@mutation("inputs and outputs exchanged", "claim", "tensors", "claim")
def _(world):
    world.claim["inputs"], world.claim["outputs"] = world.claim["outputs"], world.claim["inputs"]


@mutation("output given twice", "claim", "tensors", "claim")
def _(world):
    world.claim["outputs"] *= 2


@mutation("values replaced by a digest", "claim", "transcript", "transcript")
def _(world):
    world.claim["outputs"][0].update(values=None, digest="ab" * 32)
    world.claim["policy"]["digests"] = ["logits"]
    world.proof.fingerprints = bytes(16)


@mutation("claim of another run", "claim")
def _(world):
    world.claim = json.loads(decoded("Proof", base["other run"]).claim)


@mutation("claim of another model", "claim", "tensors", "claim")
def _(world):
    world.claim = json.loads(decoded("Proof", base["other model's run"]).claim)


@mutation("proof of another run", "proof")
def _(world):
    claim = world.proof.claim
    world.proof = decoded("Proof", base["other run"])
    assert claim != world.proof.claim


@mutation("proof of another run, with its claim", "proof", None)
def _(world):
    world.proof = decoded("Proof", base["other run"])
    world.claim = json.loads(world.proof.claim)
    # All of it fits, and signed again it would be an honest attestation of that run; so the old one has to stay.
    world.attested = {"claim", "key", "onnx", "proof", "predicate"}


@mutation("table claims of another run", "proof")
def _(world):
    world.proof.claims = decoded("Proof", base["other run"]).claims


@mutation("a bit of the proof", "proof")
def _(world):
    commitment = bytearray(world.proof.commitment)
    commitment[len(commitment) // 2] ^= 1
    world.proof.commitment = bytes(commitment)


@mutation("bytes behind the proof", "proof", "encoding", "encoding")
def _(world):
    world.behind_proof = bytes(10)


@mutation("unknown field of the proof", "proof", "encoding", "encoding")
def _(world):
    world.behind_proof = b"\x7a\x01\x01"


@mutation("bytes behind the backend's proof", "proof", "encoding")
def _(world):
    world.proof.commitment += bytes(4)


@mutation("a fingerprint that no digest asks for", "proof", "tensors")
def _(world):
    world.proof.fingerprints = bytes(16)


@mutation("key of another model", "key", "tensors", "claim")
def _(world):
    (world.key,) = keys_of(base["other key"])


def key_mutation(name, bare="transcript", full="claim"):
    def add(change):
        def apply(world):
            key = decoded("VerifyingKey", world.key)
            change(key)
            world.key = encoded(key)

        mutation(name, "key", bare, full)(apply)
        return change

    return add


@key_mutation("key: one query less", "key")
def _(key):
    key.stwo.queries -= 1


@key_mutation("key: one query less, fewer bits promised", "encoding")
def _(key):
    key.stwo.queries -= 1
    key.security.bits = 90


@key_mutation("key: fewer bits promised")
def _(key):
    key.security.bits = 90


@key_mutation("key: fixed root", "key")
def _(key):
    key.fixed_root = bytes(32)


@key_mutation("key: another model's name on the circuit")
def _(key):
    model = json.loads(key.model)
    model["onnx"] = "ab" * 32
    naming = {name: model[name] for name in ("arithmetic", "exponents", "external", "onnx")}
    model["id"] = sha256(canonical(naming))
    key.model = canonical(model)


@key_mutation("key: no model", full="key")
def _(key):
    key.model = b""


@mutation("key and claim: one query less, fewer bits", "key", "encoding", "encoding")
def _(world):
    key = decoded("VerifyingKey", world.key)
    key.stwo.queries -= 1
    key.security.bits = 90
    world.key = encoded(key)
    world.claim["verifier"]["parameters"]["queries"] -= 1
    world.claim["verifier"]["security"]["bits"] = 90


@mutation("key and claim: another model's name", "key", full="transcript")
def _(world):
    key = decoded("VerifyingKey", world.key)
    model = json.loads(key.model)
    model["onnx"] = "ab" * 32
    naming = {name: model[name] for name in ("arithmetic", "exponents", "external", "onnx")}
    model["id"] = sha256(canonical(naming))
    key.model = canonical(model)
    world.key = encoded(key)
    world.claim["model"].update(onnx=model["onnx"], id=model["id"])


def statement_mutation(name):
    return mutation(name, "attestation", None, "attestation")


def subject_of(world, name):
    (subject,) = [subject for subject in world.statement["subject"] if subject["name"] == name]
    return subject


for name in ("claim", "key", "onnx", "proof"):

    @statement_mutation(f"subject {name}")
    def _(world, name=name):
        subject_of(world, name)["digest"]["sha256"] = "ab" * 32
        world.attested = {name}


@statement_mutation("subject renamed")
def _(world):
    subject_of(world, "onnx")["name"] = "better.onnx"


@statement_mutation("subject left out")
def _(world):
    world.statement["subject"].pop(2)


@statement_mutation("subject added")
def _(world):
    world.statement["subject"].append({"digest": {"sha256": "00" * 32}, "name": "weights"})


@statement_mutation("subjects in another order")
def _(world):
    world.statement["subject"].reverse()


@statement_mutation("another digest beside SHA-256")
def _(world):
    subject_of(world, "proof")["digest"]["sha512"] = "00" * 64


@statement_mutation("predicate type")
def _(world):
    world.statement["predicateType"] = "https://slsa.dev/provenance/v1"


@statement_mutation("statement type")
def _(world):
    world.statement["_type"] = "https://in-toto.io/Statement/v0.1"


@statement_mutation("unknown member of the statement")
def _(world):
    world.statement["approved"] = True


@statement_mutation("unknown member of the predicate")
def _(world):
    world.statement["predicate"]["verdict"] = "harmless"


@statement_mutation("duplicate member of the statement")
def _(world):
    world.statement_bytes = canonical(world.statement).replace(b'"_type":', b'"_type":"x","_type":')


@statement_mutation("predicate of another claim")
def _(world):
    world.statement["predicate"]["claim"] = json.loads(decoded("Proof", base["other run"]).claim)
    world.attested = {"predicate"}


@statement_mutation("label in the predicate")
def _(world):
    world.statement["predicate"]["claim"]["labels"]["model"] = "GPT-5"
    world.attested = {"predicate"}


@statement_mutation("payload type")
def _(world):
    world.envelope["payloadType"] = "application/json"


@statement_mutation("unknown member of the envelope")
def _(world):
    world.envelope["note"] = "checked twice"


@statement_mutation("key id")
def _(world):
    world.envelope["signatures"][0]["keyid"] = "00" * 32


@statement_mutation("two signatures")
def _(world):
    world.envelope["signatures"] *= 2


@statement_mutation("signed by another key")
def _(world):
    world.signer = base["stranger"]
    world.sign(world.signer)


@statement_mutation("signed by another key that names itself")
def _(world):
    world.signer = base["stranger"]
    world.envelope["signatures"][0]["keyid"] = world.signer.id
    world.sign(world.signer)


def verdict(files):
    """The check that rejected, and its words; None if nobody did."""
    folder = models.folder / "verifier"
    folder.mkdir(exist_ok=True)
    for name, content in {**files, "signer.pub": base["signer.pub"]}.items():
        (folder / name).write_bytes(content)
    options = ["--key", "model.key", "--attestation", "run.attestation", "--signer", "signer.pub"]
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
    # The reason stands behind names of programs and files.
    reason = re.split(r"under model\.key: |attest to run\.proof: |stwo verify: ", words)[-1]
    found = [(reason.find(start), check) for start, check in CHECKS.items() if start in reason]
    return min(found)[1] if found else f"a check that is not known here: {words}"


def mutated(change, variant):
    world = World(base["run"], base["key"], base["attestation"])
    world.signer = base["signer"]
    change(world)
    if variant != "raw":
        world.put_digests_right()
    world.put_payload()
    if variant == "signed":
        world.sign(world.signer)
    return world.files()


@case
def the_honest_files_are_accepted():
    for variant in VARIANTS:
        files = mutated(lambda world: None, variant)
        for name, content in (("run.proof", "run"), ("model.key", "key"), ("run.attestation", "attestation")):
            assert files[name] == base[content], f"{variant}: {name} does not come out as it was"
        assert verdict(files) is None and bare_verdict() is None


@case
def every_mutation_is_rejected():
    assert len(MUTATIONS) >= 30
    rows, wrong = [], []
    for name, where, bare, full, change in MUTATIONS:
        caught = {}
        for variant in VARIANTS:
            caught[variant] = verdict(mutated(change, variant))
        # The last variant has every digest right: what is left to object to is the content.
        caught["backend"] = bare_verdict()
        rows.append((where, name, *[caught[column] or "-" for column in (*VARIANTS, "backend")]))
        if None in [caught[variant] for variant in VARIANTS]:
            wrong.append(f"{name}: accepted: {caught}")
        if caught["backend"] != bare:
            wrong.append(f"{name}: the backend's verifier: {caught['backend']}, not {bare}")
        if full and caught["signed"] != full:
            wrong.append(f"{name}: signed again, caught by {caught['signed']}, not {full}")
    header = ("in", "mutation", "raw", "all digests right", "signed again", "backend alone")
    widths = [max(len(row[i]) for row in [header, *rows]) for i in range(len(header))]
    for row in [header, *rows]:
        print("  ".join(word.ljust(width) for word, width in zip(row, widths)).rstrip())
    print(f"{len(rows)} mutations in {len(VARIANTS)} variants")
    assert not wrong, "\n".join(wrong)


BUCKETS = ("toy_gpt", "--decode", "--buckets", "4,8")
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
    package, folder = models.package(*BUCKETS), models.folder
    file = (package / "model.key").read_bytes()
    keys = dict(zip((4, 8), keys_of(file)))
    for bucket in keys:
        succeed("prove", package / f"bucket-{bucket}", "--key", package / "model.key", "--tokens", "3,1,4",
                "--generate", 2, "-o", folder / f"{bucket}.proof")
    succeed("attest", folder / "4.proof", "--key", package / "model.key", "--onnx", models.onnx("toy_gpt"), "--sign",
            folder / "signer.pem", "-o", folder / "4.attestation")
    long = json.loads(decoded("Proof", (folder / "8.proof").read_bytes()).claim)

    def mutated(members, named, variant):
        world = World((folder / "4.proof").read_bytes(), key_file(keys[4]), (folder / "4.attestation").read_bytes())
        world.key = keys[named]
        world.proof.key_digest = hashlib.sha256(world.key).digest()
        if members is None:
            world.claim = long
        else:
            world.claim["model"].update({member: long["model"][member] for member in members})
        if variant != "raw":
            world.put_digests_right()
        world.put_payload()
        if variant == "signed":
            world.sign(base["signer"])
        return {**world.files(), "model.key": file}

    for variant in VARIANTS:
        assert verdict(mutated((), 4, variant)) is None and bare_verdict() is None, variant
    for name, (members, named, bare, full) in PASSED_OFF.items():
        caught = [verdict(mutated(members, named, variant)) for variant in VARIANTS]
        print(f"  {name}: {', '.join(map(str, caught))}; the backend alone: {bare_verdict()}")
        assert None not in caught and (bare_verdict(), caught[2]) == (bare, full), name


@case
def a_prover_who_lies_from_the_start_is_rejected():
    """The transcript is about the lie then, and holds: it is for `lindero verify` to compare claim and key."""
    folder, package = models.folder, models.package("toy_gpt")
    succeed("check", package, "--tokens", TOKENS, "--save-trace", folder / "run")
    files = ["--package", package, "--key", package / "model.key", "--trace", folder / "run" / "trace.bin"]
    tried = 0
    for name, path, value, bare, full in MEMBERS:
        if (bare, full) != ("transcript", "claim"):
            continue
        world = World(base["run"], base["key"], base["attestation"])
        set_member(path, value)(world)
        (folder / "claim.json").write_bytes(canonical(world.claim))
        command = [BIN / "lindero-prover-stwo", "prove", *files, "--claim", folder / "claim.json", "-o", folder / "lie.proof"]
        subprocess.run(command, check=True, capture_output=True)
        world.proof = decoded("Proof", (folder / "lie.proof").read_bytes())
        world.put_digests_right()
        world.put_payload()
        world.sign(base["signer"])
        assert verdict(world.files()) == "claim", name
        assert bare_verdict() is None, name
        tried += 1
    assert tried >= 20, tried


def prepare():
    package, other = models.package("toy_gpt"), models.package("toy_gpt", "--argmax")
    folder = models.folder
    for name in ("signer", "stranger"):
        succeed("keygen", "-o", folder / f"{name}.pem")
    labels = ["--label-input", "digits", "--label-output", "scores"]
    for name, source, tokens in (("a", package, TOKENS), ("b", package, TOKENS[:-1] + "7"), ("c", other, TOKENS)):
        succeed("prove", source, "--tokens", tokens, "-o", folder / f"{name}.proof", *labels)
    options = ["--onnx", models.onnx("toy_gpt"), "--sign", folder / "signer.pem", "-o", folder / "a.attestation"]
    succeed("attest", folder / "a.proof", "--key", package / "model.key", *options)
    read = lambda name: (folder / name).read_bytes()
    return {
        "run": read("a.proof"),
        "other run": read("b.proof"),
        "other model's run": read("c.proof"),
        "key": (package / "model.key").read_bytes(),
        "other key": (other / "model.key").read_bytes(),
        "attestation": read("a.attestation"),
        "signer": PrivateKey(read("signer.pem").decode()),
        "stranger": PrivateKey(read("stranger.pem").decode()),
        "signer.pub": read("signer.pub"),
    }


with temporary_folder() as folder:
    models = Models(folder)
    base = prepare()
    main()
