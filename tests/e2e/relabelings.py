"""What can be said differently about a proof: mutations of the files of a verifier (world.py).

MEMBERS_OF[run] changes single members of the claim of a "forward" run, of a "decode" run in one pass, or of one in blocks that
"carry" context; MUTATIONS[run] all files, of the last only where the blocks are in question.
"""

import json

from messages import decoded
from world import BLOCK, LENGTHS, TAPE, canonical, frontier, joined, sha256, tensors

DECODE_RUNS = ["--tokens", "2,14,10", "--generate", 4, "--stop", "9,13"], ["--tokens", "3,1,4", "--generate", 3]
# Options of compile, of prove, and of prove for another run. The decode runs go on with 10, 10, 10, 15; the other one has three
# blocks, too.
RUNS = {
    "forward": ([], ["--tokens", "3,1,4,1,5,9,2,6"], ["--tokens", "3,1,4,1,5,9,2,7"]),
    "decode": (["--decode"], *DECODE_RUNS),
    # That number of bits takes grinding before every draw: there is a nonce to change.
    "carry": (["--decode", "--context", "carry", "--block", "2", "--security-bits", "104"], *DECODE_RUNS),
}
WHOLE = ("forward", "decode")  # runs of one block

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
    ("bundle digest", ("model", "bundle"), flipped, "transcript", "claim"),
    ("circuit digest", ("model", "members", 0, "circuit"), flipped, "transcript", "claim"),
    ("fixed root", ("model", "members", 0, "fixed_root"), flipped, "transcript", "claim"),
    ("name of a member", ("model", "members", 0, "name"), "part", "transcript", "claim"),
    ("a member more", ("model", "members"), lambda v: v * 2, "transcript", "claim"),
    ("no member", ("model", "members"), [], "transcript", "claim"),
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
    ("format", ("format",), "lindero/claim/2", "transcript", "claim"),
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
        ("token after the run", ("inputs", 0, "values", 7), 5, "transcript", "claim"),
        ("prompt tokens swapped", ("inputs", 0, "values"), exchanged(0, 1), "transcript", "transcript"),
        ("generated tokens swapped", ("inputs", 0, "values"), exchanged(5, 6), "transcript", "transcript"),
        ("border tokens swapped", ("inputs", 0, "values"), exchanged(1, 3), "transcript", "transcript"),
        ("order of lengths", ("inputs", 1, "values"), exchanged(1, 3), "transcript", "claim"),
        ("length", ("inputs", 1, "values", 0), 5, "transcript", "claim"),
        ("length out of range", ("inputs", 1, "values", 0), 9, "tensors", "claim"),
        ("given steps", ("inputs", 1, "values", 1), 1, "transcript", "claim"),
        ("choice after the run", ("outputs", 0, "values", 6), 5, "transcript", "transcript"),
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


@decode_mutation("start after a shorter prompt", full="claim")
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


@mutation("bytes after the claim", "claim", "transcript", "claim")
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


@mutation("claimed sums of another run", "proof")
def _(world):
    world.proof.blocks[0].claimed_sums = decoded("Proof", world.base["other run"]).blocks[0].claimed_sums


@mutation("a bit of the proof", "proof")
def _(world):
    commitment = bytearray(world.proof.blocks[0].commitment)
    commitment[len(commitment) // 2] ^= 1
    world.proof.blocks[0].commitment = bytes(commitment)


@mutation("bytes after the proof", "proof", "encoding", "encoding")
def _(world):
    world.after_proof = bytes(10)


@mutation("unknown field of the proof", "proof", "encoding", "encoding")
def _(world):
    world.after_proof = b"\x7a\x01\x01"


@mutation("bytes after the backend's proof", "proof", "encoding")
def _(world):
    world.proof.blocks[0].commitment += bytes(4)


@mutation("a fingerprint that no digest asks for", "proof", "tensors")
def _(world):
    world.proof.blocks[0].fingerprints = bytes(16)
