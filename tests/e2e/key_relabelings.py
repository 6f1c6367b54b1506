"""What can be said differently by keys and by attestations: more mutations of runs of one block."""

import json

from messages import decoded, encoded, keys_of
from relabelings import mutation
from world import canonical, sha256


@mutation("key of another model", "key", "tensors", "claim")
def _(world):
    (world.key,) = keys_of(world.base["other key"])


def key_mutation(name, bare="transcript", full="claim"):
    def add(change):
        def apply(world):
            key = decoded("VerifyingKey", world.key)
            change(key)
            world.key = encoded(key)

        mutation(name, "key", bare, full)(apply)
        return change

    return add


# Values of a query too many are no encoding, unless its position is another one's, too.
LESS = "encoding or transcript"


def drop_query(key):
    key.stwo.queries -= 1


def promise_less(key):
    key.security.bits = 90


def rename_model(key):
    model = json.loads(key.model)
    model["onnx"] = "ab" * 32
    naming = {name: model[name] for name in ("arithmetic", "exponents", "external", "onnx")}
    model["id"] = sha256(canonical(naming))
    key.model = canonical(model)
    return model


key_mutation("key: one query less", "key")(drop_query)
key_mutation("key: fewer bits promised")(promise_less)
key_mutation("key: another model's name on the circuit")(rename_model)


@key_mutation("key: one query less, fewer bits promised", LESS)
def _(key):
    drop_query(key)
    promise_less(key)


@key_mutation("key: fixed root", "key")
def _(key):
    key.fixed_roots[0] = bytes(32)


@key_mutation("key: name of a member")
def _(key):
    key.bundle.members[0].name = "part"


@key_mutation("key: members in two places", "key", "key")
def _(key):
    key.bundle.members.add(name="again")
    key.fixed_roots.append(key.fixed_roots[0])


@key_mutation("key: no model", full="key")
def _(key):
    key.model = b""


@mutation("key and claim: one query less, fewer bits", "key", LESS, LESS)
def _(world):
    key = decoded("VerifyingKey", world.key)
    drop_query(key)
    promise_less(key)
    world.key = encoded(key)
    world.claim["verifier"]["parameters"]["queries"] -= 1
    world.claim["verifier"]["security"]["bits"] = 90


@mutation("key and claim: another model's name", "key", full="transcript")
def _(world):
    key = decoded("VerifyingKey", world.key)
    model = rename_model(key)
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
    world.statement["predicate"]["claim"] = json.loads(decoded("Proof", world.base["other run"]).claim)
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
    world.signer = world.base["stranger"]
    world.sign(world.signer)


@statement_mutation("signed by another key that names itself")
def _(world):
    world.signer = world.base["stranger"]
    world.envelope["signatures"][0]["keyid"] = world.signer.id
    world.sign(world.signer)
