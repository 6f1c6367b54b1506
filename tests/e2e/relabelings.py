"""What can be said differently about a proof: the files of a verifier taken apart, and the mutations of them.

MEMBERS_OF[run] changes single members of the claim of a "forward" run, of a "decode" run in one pass, or of one in blocks that
"carry" context; MUTATIONS[run] all files, of the last only where the blocks are in question.
"""

import base64
import hashlib
import json

from messages import decoded, encoded, key_file, keys_of

DECODE_RUNS = ["--tokens", "2,14,10", "--generate", 4, "--stop", "9,13"], ["--tokens", "3,1,4", "--generate", 3]
# Options of compile, of prove, and of prove for another run. The decode runs go on with 10, 10, 10, 15; the other one has three
# blocks, too.
RUNS = {
    "forward": ([], ["--tokens", "3,1,4,1,5,9,2,6"], ["--tokens", "3,1,4,1,5,9,2,7"]),
    "decode": (["--decode"], *DECODE_RUNS),
    # So many bits take grinding before every draw: there is a nonce to change.
    "carry": (["--decode", "--context", "carry", "--block", "2", "--security-bits", "104"], *DECODE_RUNS),
}
WHOLE = ("forward", "decode")  # runs of one block
TAPE, LENGTHS, BLOCK = "decode/tape", "decode/lengths", "decode/block"


def sha256(content):
    return hashlib.sha256(content).hexdigest()


def canonical(value):
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def frontier(claim, tokens):
    """The state behind tokens, as a claim names it."""
    state = {"model": claim["model"]["id"], "position": len(tokens), "tokens": tokens}
    return {"digest": sha256(canonical(state)), "position": len(tokens)}


def tensors(claim):
    return {tensor["name"]: tensor["values"] for tensor in claim["inputs"]}


def joined(tape, lengths):
    """The tokens on the tape of all blocks; each but the first starts with the last one of the block before."""
    width = len(tape) // max(1, len(lengths) // 4)
    return tape[:1] + [token for i, token in enumerate(tape) if i % max(1, width)]


class World:
    """The files of a verifier, taken apart."""

    def __init__(self, base):
        self.base = base
        self.proof, self.signer = decoded("Proof", base["run"]), base["signer"]
        (self.key,) = keys_of(base["key"])
        self.claim = json.loads(self.proof.claim)
        self.frontier = json.loads(self.proof.claim)["frontier"]
        self.claim_bytes = None  # in place of the canonical form of `claim`
        self.behind_proof = b""
        envelope = json.loads(base["attestation"])
        self.envelope, self.statement = envelope, json.loads(base64.b64decode(envelope["payload"]))
        self.statement_bytes = self.envelope_bytes = None
        self.attested = {}  # members of the statement that stay as they are when digests are put right

    def proof_bytes(self):
        self.proof.claim = self.claim_bytes or canonical(self.claim)
        return encoded(self.proof) + self.behind_proof

    def put_frontier_right(self):
        """Of a decode run that can be read; a frontier that was changed stays."""
        tape, lengths = map(tensors(self.claim).get, (TAPE, LENGTHS))
        if tape and lengths and self.claim["frontier"] == self.frontier:
            tokens, ends = joined(tape, lengths), {"start": lengths[-1] + 1, "end": lengths[-3] + 1}
            self.claim["frontier"] = {end: frontier(self.claim, tokens[:position]) for end, position in ends.items()}

    def put_digests_right(self):
        self.put_frontier_right()
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


MUTATIONS = {run: [] for run in RUNS}


def mutation(name, where, bare="transcript", full=None, runs=WHOLE):
    """`where`: claim, attestation, proof or key. `bare`: the check of the backend's verifier that must notice; None: the proof is
    the honest one. `full`: the check that must notice when all is signed again; by default it is not asked for."""

    def add(change):
        for run in runs:
            MUTATIONS[run].append((name, where, bare, full, change))
        return change

    return add


def set_member(path, value):
    def change(world):
        at = world.claim
        *parents, last = path
        for parent in parents:
            at = at[parent]
        before = json.dumps(at[last])
        at[last] = value(at[last]) if callable(value) else value
        assert json.dumps(at[last]) != before, f"{path} is {before} already"

    return change


def flipped(digest):
    return f"{int(digest[0], 16) ^ 1:x}{digest[1:]}"


def exchanged(i, j):
    def exchange(values):
        values[i], values[j] = values[j], values[i]
        return values

    return exchange


OTHER = {"position": 4, "digest": "ab" * 32}
# Members of every claim: name, path, new value, what the backend's verifier notices, what `lindero verify` notices.
MEMBERS = [
    ("ONNX digest", ("model", "onnx"), flipped, "transcript", "claim"),
    ("external data", ("model", "external"), [{"name": "w", "sha256": "00" * 32}], "transcript", "claim"),
    ("model id", ("model", "id"), flipped, "transcript", "claim"),
    ("bucket", ("model", "bucket"), 16, "transcript", "claim"),
    ("circuit digest", ("model", "circuit"), flipped, "transcript", "claim"),
    ("fixed root", ("model", "fixed_root"), flipped, "transcript", "claim"),
    ("input value out of range", ("inputs", 0, "values", 2), 10**6, "tensors", "claim"),
    ("output value", ("outputs", 0, "values", 5), lambda v: v ^ 1, "transcript", "transcript"),
    ("order of outputs", ("outputs", 0, "values"), exchanged(0, 1), "transcript", "transcript"),
    ("a value less", ("outputs", 0, "values"), lambda v: v[:-1], "tensors", "claim"),
    ("arithmetic", ("policy", "arithmetic"), "lindero/integer/2", "transcript", "claim"),
    ("boundary policy", ("policy", "boundary"), "per-layer", "transcript", "claim"),
    ("digests named", ("policy", "digests"), ["logits"], "transcript", "claim"),
    ("limit of the context", ("policy", "limits", "context"), 1024, "transcript", "claim"),
    ("start frontier", ("frontier", "start"), OTHER, "transcript", "claim"),
    ("end frontier", ("frontier", "end"), OTHER, "transcript", "claim"),
    ("protocol", ("verifier", "protocol"), "lindero/proof/2", "transcript", "claim"),
    ("backend", ("verifier", "backend"), "plonky3-0.8.0/1", "transcript", "claim"),
    ("backend version", ("verifier", "backend"), lambda v: v.replace("2.3.0", "2.4.0"), "transcript", "claim"),
    ("queries", ("verifier", "parameters", "queries"), lambda v: v + 1, "transcript", "claim"),
    ("blowup", ("verifier", "parameters", "log_blowup"), lambda v: v + 1, "transcript", "claim"),
    ("grinding", ("verifier", "parameters", "pow_bits"), lambda v: v + 1, "transcript", "claim"),
    ("grinding of challenges", ("verifier", "parameters", "challenge_pow_bits"), lambda v: v + 1, "transcript", "claim"),
    ("grinding of the composition", ("verifier", "parameters", "composition_pow_bits"), lambda v: v + 1, "transcript", "claim"),
    ("grinding of the point", ("verifier", "parameters", "out_of_domain_pow_bits"), lambda v: v + 1, "transcript", "claim"),
    ("grinding of the batching", ("verifier", "parameters", "batching_pow_bits"), lambda v: v + 1, "transcript", "claim"),
    ("grinding of folds", ("verifier", "parameters", "fold_pow_bits"), lambda v: v + 1, "transcript", "claim"),
    ("folding step", ("verifier", "parameters", "fold_step"), lambda v: v + 1, "transcript", "claim"),
    ("FRI's last layer", ("verifier", "parameters", "log_last_layer_degree"), lambda v: v + 1, "transcript", "claim"),
    ("security bits", ("verifier", "security", "bits"), 128, "transcript", "claim"),
    ("security regime", ("verifier", "security", "regime"), "list-decoding", "transcript", "claim"),
    ("label of the model", ("labels", "model"), "GPT-5", "transcript", "transcript"),
    ("label of the input", ("labels", "input"), "a question", "transcript", "transcript"),
    ("label of the output", ("labels", "output"), "the answer", "transcript", "transcript"),
    ("nonce", ("nonce",), flipped, "transcript", "transcript"),
    ("format", ("format",), "lindero/claim/3", "transcript", "claim"),
]
MEMBERS_OF_TENSORS = [
    ("name", "prompt"),
    ("rows", lambda v: v + 1),
    ("columns", lambda v: v + 1),
    ("low", lambda v: v - 1),
    ("high", lambda v: v + 1),
    ("exponent", lambda v: v + 1),
    ("digest", "ab" * 32),
]
MEMBERS += [
    (f"{member} of an {kind[:-1]}", (kind, 0, member), value, "tensors", "claim")
    for kind in ("inputs", "outputs")
    for member, value in MEMBERS_OF_TENSORS
]
MEMBERS += [
    (f"shape of an {kind[:-1]}", (kind, 0, "shape"), lambda v: [1, *v], "transcript", "claim")
    for kind in ("inputs", "outputs")
]
MEMBERS += [("an input that nobody reads", ("model", "unread"), ["mask"], "transcript", "claim")]
# Of every decode run.
MEMBERS_OF_DECODING = [
    ("choice of a given step", ("outputs", 0, "values", 0), lambda v: v ^ 1, "transcript", "transcript"),
    ("choice of the last step", ("outputs", 0, "values", 5), lambda v: v ^ 1, "transcript", "transcript"),
    ("a token less", ("inputs", 0, "values"), lambda v: v[:-1], "tensors", "claim"),
    ("order of inputs", ("inputs",), exchanged(0, 1), "tensors", "claim"),
    ("forward", ("policy", "decode", "kind"), "forward", "transcript", "claim"),
    ("teacher-forced", ("policy", "decode", "kind"), "teacher-forced", "transcript", "claim"),
    ("sampled", ("policy", "decode", "kind"), "sampled", "transcript", "claim"),
    ("stop token added", ("policy", "decode", "stop"), [9, 11, 13], "transcript", "transcript"),
    ("stop token removed", ("policy", "decode", "stop"), [9], "transcript", "transcript"),
    ("no stop tokens", ("policy", "decode", "stop"), [], "transcript", "transcript"),
    ("stop token replaced", ("policy", "decode", "stop", 1), 12, "transcript", "transcript"),
    ("stop tokens reordered", ("policy", "decode", "stop"), [13, 9], "transcript", "claim"),
    ("stop token twice", ("policy", "decode", "stop"), [9, 9, 13], "transcript", "claim"),
    ("stop token inside", ("policy", "decode", "stop"), [9, 10, 13], "transcript", "claim"),
    ("stop token at the end", ("policy", "decode", "stop"), [9, 13, 15], "transcript", "transcript"),
    ("higher limit", ("policy", "limits", "steps"), 5, "transcript", "claim"),
    ("lower limit", ("policy", "limits", "steps"), 3, "transcript", "claim"),
    ("no limit", ("policy", "limits", "steps"), 0, "transcript", "claim"),
    ("first step", ("steps", "first"), 1, "transcript", "claim"),
    ("a step less", ("steps", "count"), 5, "transcript", "claim"),
    ("a step more", ("steps", "count"), 7, "transcript", "claim"),
    ("start position", ("frontier", "start", "position"), 2, "transcript", "claim"),
    ("start digest", ("frontier", "start", "digest"), flipped, "transcript", "claim"),
    ("no start", ("frontier", "start"), None, "transcript", "claim"),
    ("end position", ("frontier", "end", "position"), 6, "transcript", "claim"),
    ("end digest", ("frontier", "end", "digest"), flipped, "transcript", "claim"),
    ("no end", ("frontier", "end"), None, "transcript", "claim"),
]
# Three blocks: of the tape 2, 14, 10; 10, 10, 10; 10, 10, 15, of the lengths 0, 2, 0, 2; 2, 4, 2, 2; 4, 6, 2, 2.
MEMBERS_OF_BLOCKS = [
    ("first token of the prompt", ("inputs", 0, "values", 0), lambda v: v ^ 1, "transcript", "transcript"),
    ("token within a block", ("inputs", 0, "values", 4), lambda v: v ^ 1, "transcript", "transcript"),
    ("last token of a block", ("inputs", 0, "values", 2), lambda v: v ^ 1, "transcript", "claim"),
    ("first token of a block", ("inputs", 0, "values", 3), lambda v: v ^ 1, "transcript", "claim"),
    ("last generated token", ("inputs", 0, "values", 8), lambda v: v ^ 1, "transcript", "transcript"),
    ("tapes of two blocks swapped", ("inputs", 0, "values"), lambda v: v[:3] + v[6:] + v[3:6], "transcript", "claim"),
    ("tape without the seams", ("inputs", 0, "values"), lambda v: v[:3] + v[4:6] + v[7:] + [0, 0], "transcript", "claim"),
    ("lengths of two blocks swapped", ("inputs", 1, "values"), lambda v: v[:4] + v[8:] + v[4:8], "transcript", "claim"),
    ("a block ends early", ("inputs", 1, "values", 1), 1, "transcript", "claim"),
    ("a block starts late", ("inputs", 1, "values", 4), 3, "transcript", "claim"),
    ("a gap between blocks", ("inputs", 1, "values"), [0, 1, 0, 1, 2, 4, 2, 2, 4, 6, 2, 2], "transcript", "claim"),
    ("the last block starts the run again", ("inputs", 1, "values"), [0, 2, 0, 2, 2, 4, 2, 2, 0, 2, 2, 2], "transcript", "claim"),
    ("a given token in the first block", ("inputs", 1, "values", 3), 1, "transcript", "claim"),
    ("a given token in a later block", ("inputs", 1, "values", 7), 3, "transcript", "claim"),
    ("length out of range", ("inputs", 1, "values", 9), 9, "tensors", "claim"),
    ("number of a block", ("inputs", 2, "values", 1), 2, "transcript", "claim"),
    ("numbers of blocks swapped", ("inputs", 2, "values"), exchanged(0, 2), "transcript", "claim"),
    ("a later block called the first", ("inputs", 2, "values", 2), 0, "transcript", "claim"),
    ("blocks numbered from one", ("inputs", 2, "values"), [1, 2, 3], "transcript", "claim"),
    ("number of a block out of range", ("inputs", 2, "values", 2), 4, "tensors", "claim"),
    ("choices of two blocks swapped", ("outputs", 0, "values"), lambda v: v[2:4] + v[:2] + v[4:], "transcript", "transcript"),
    ("one pass", ("policy", "boundary"), "whole", "transcript", "claim"),
    ("blocks of other steps", ("policy", "boundary"), "per-step=4", "transcript", "claim"),
    ("steps of a block, written otherwise", ("policy", "boundary"), "per-step=02", "transcript", "claim"),
    ("range of a block's number", ("inputs", 2, "high"), 4, "tensors", "claim"),
    ("rows of a block's number", ("inputs", 2, "rows"), 2, "tensors", "claim"),
]
MEMBERS_OF = {
    "forward": [
        ("input value", ("inputs", 0, "values", 2), lambda v: v ^ 1, "transcript", "transcript"),
        ("order of input values", ("inputs", 0, "values"), lambda v: v[::-1], "transcript", "transcript"),
        ("decode policy", ("policy", "decode", "kind"), "greedy", "transcript", "claim"),
        ("stop tokens", ("policy", "decode", "stop"), [0], "transcript", "claim"),
        ("limit of the steps", ("policy", "limits", "steps"), 8, "transcript", "claim"),
        ("first step", ("steps", "first"), 1, "transcript", "claim"),
        ("number of steps", ("steps", "count"), 8, "transcript", "claim"),
    ],
    "decode": [
        ("first token of the prompt", ("inputs", 0, "values", 0), lambda v: v ^ 1, "transcript", "transcript"),
        ("last token of the prompt", ("inputs", 0, "values", 2), lambda v: v ^ 1, "transcript", "transcript"),
        ("first generated token", ("inputs", 0, "values", 3), lambda v: v ^ 1, "transcript", "transcript"),
        ("last generated token", ("inputs", 0, "values", 6), lambda v: v ^ 1, "transcript", "transcript"),
        ("token behind the run", ("inputs", 0, "values", 7), 5, "transcript", "claim"),
        ("prompt tokens swapped", ("inputs", 0, "values"), exchanged(0, 1), "transcript", "transcript"),
        ("generated tokens swapped", ("inputs", 0, "values"), exchanged(5, 6), "transcript", "transcript"),
        ("border tokens swapped", ("inputs", 0, "values"), exchanged(1, 3), "transcript", "transcript"),
        ("order of lengths", ("inputs", 1, "values"), exchanged(1, 3), "transcript", "claim"),
        ("length", ("inputs", 1, "values", 0), 5, "transcript", "claim"),
        ("length out of range", ("inputs", 1, "values", 0), 9, "tensors", "claim"),
        ("given steps", ("inputs", 1, "values", 1), 1, "transcript", "claim"),
        ("choice behind the run", ("outputs", 0, "values", 6), 5, "transcript", "transcript"),
        *MEMBERS_OF_DECODING,
    ],
    "carry": [*MEMBERS_OF_BLOCKS, *MEMBERS_OF_DECODING],
}
for run in RUNS:
    MEMBERS_OF[run] = MEMBERS + MEMBERS_OF[run]
    for name, path, value, bare, full in MEMBERS_OF[run]:
        mutation(name, "claim", bare, full, [run])(set_member(path, value))


def decode_mutation(name, bare="transcript", full="transcript", runs=("decode", "carry")):
    return mutation(name, "claim", bare, full, runs)


def carry_mutation(name, where="claim", bare="transcript", full="transcript"):
    return mutation(name, where, bare, full, ["carry"])


def tokens_of(world):
    values = tensors(world.claim)
    return joined(values[TAPE], values[LENGTHS])[: values[LENGTHS][-3] + 1]


def tell(world, tokens, prompt):
    """The claim is that of the run of these tokens, but for the choices that are shown."""
    claim, chosen, steps = world.claim, len(tokens) - prompt, len(tokens) - 1
    found = tensors(claim)
    before = len(found[LENGTHS]) // 4
    block = len(found[TAPE]) // before - 1
    # The last block may be empty; there is one more where the steps need it.
    starts = range(0, max(steps, before * block), block)
    values = {
        TAPE: [token for start in starts for token in (tokens[start : start + block + 1] + [0] * block)[: block + 1]],
        LENGTHS: [min(at, most) for start in starts for most in (steps, prompt - 1) for at in (start, start + block)],
        BLOCK: list(range(len(starts))),
    }
    for tensor in claim["inputs"]:
        tensor["values"] = values[tensor["name"]]
        tensor["rows"] = len(tensor["values"])
        tensor["shape"] = [tensor["rows"], tensor["columns"]]
    (choices,) = claim["outputs"]
    choices["values"] += [0] * (block * (len(starts) - before))
    choices["rows"] = len(choices["values"])
    choices["shape"] = [choices["rows"], choices["columns"]]
    claim["steps"]["count"] = steps
    claim["policy"]["limits"]["steps"] = chosen
    if chosen == 0:
        claim["policy"]["decode"] = {"kind": "teacher-forced", "stop": []}


@decode_mutation("run of a step less")
def _(world):
    tell(world, tokens_of(world)[:-1], 3)


@decode_mutation("run of a step more", runs=["decode"])
@carry_mutation("run of a block more", bare="tensors", full="tensors")
def _(world):
    tell(world, [*tokens_of(world), 15], 3)


@decode_mutation("run without a step")
def _(world):
    tokens = tokens_of(world)
    tell(world, tokens[:5] + tokens[6:], 3)


@decode_mutation("given token passed off as chosen")
def _(world):
    tell(world, tokens_of(world), 2)


@decode_mutation("chosen token passed off as given")
def _(world):
    tell(world, tokens_of(world), 4)


@decode_mutation("all tokens passed off as given")
def _(world):
    tell(world, tokens_of(world), 7)


@decode_mutation("end by a stop token, under a higher limit")
def _(world):
    world.claim["policy"]["decode"]["stop"] = [15]
    world.claim["policy"]["limits"]["steps"] = 5


@decode_mutation("start behind a shorter prompt", full="claim")
def _(world):
    world.claim["frontier"]["start"] = frontier(world.claim, tokens_of(world)[:2])


@decode_mutation("end where the run starts", full="claim")
def _(world):
    world.claim["frontier"]["end"] = world.claim["frontier"]["start"]


@decode_mutation("frontier of another model", full="claim")
def _(world):
    other = {"model": {"id": flipped(world.claim["model"]["id"])}}
    world.claim["frontier"]["end"] = frontier(other, tokens_of(world))


@decode_mutation("tokens replaced by a digest", full="claim")
def _(world):
    world.claim["inputs"][0].update(values=None, digest="ab" * 32)
    world.claim["policy"]["digests"] = [TAPE]
    for block in world.proof.blocks:
        block.fingerprints = bytes(16)


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
    world.claim["policy"]["digests"] = [world.claim["outputs"][0]["name"]]
    world.proof.blocks[0].fingerprints = bytes(16)


@mutation("claim of another run", "claim")
def _(world):
    world.claim = json.loads(decoded("Proof", world.base["other run"]).claim)


@mutation("claim of another model", "claim", "tensors", "claim")
def _(world):
    world.claim = json.loads(decoded("Proof", world.base["other model's run"]).claim)


@mutation("proof of another run", "proof")
def _(world):
    claim = world.proof.claim
    world.proof = decoded("Proof", world.base["other run"])
    assert claim != world.proof.claim


@mutation("proof of another run, with its claim", "proof", None)
def _(world):
    world.proof = decoded("Proof", world.base["other run"])
    world.claim = json.loads(world.proof.claim)
    # All of it fits, and signed again it would be an honest attestation of that run; so the old one has to stay.
    world.attested = {"claim", "key", "onnx", "proof", "predicate"}


@mutation("table claims of another run", "proof")
def _(world):
    world.proof.blocks[0].claimed_sums = decoded("Proof", world.base["other run"]).blocks[0].claimed_sums


@mutation("a bit of the proof", "proof")
def _(world):
    commitment = bytearray(world.proof.blocks[0].commitment)
    commitment[len(commitment) // 2] ^= 1
    world.proof.blocks[0].commitment = bytes(commitment)


@mutation("bytes behind the proof", "proof", "encoding", "encoding")
def _(world):
    world.behind_proof = bytes(10)


@mutation("unknown field of the proof", "proof", "encoding", "encoding")
def _(world):
    world.behind_proof = b"\x7a\x01\x01"


@mutation("bytes behind the backend's proof", "proof", "encoding")
def _(world):
    world.proof.blocks[0].commitment += bytes(4)


@mutation("a fingerprint that no digest asks for", "proof", "tensors")
def _(world):
    world.proof.blocks[0].fingerprints = bytes(16)


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
    key.fixed_root = bytes(32)


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
