"""What can be said differently about the blocks of a run: more mutations of a "carry" run, whose proof has three."""

from messages import decoded, encoded, keys_of
from relabelings import carry_mutation, tokens_of
from world import BLOCK, LENGTHS, TAPE, tensors


def take(world, blocks):
    """The claim is that of these blocks, the proof has them."""
    for tensor in world.claim["inputs"] + world.claim["outputs"]:
        rows = tensor["rows"] // 3
        tensor["values"] = [value for b in blocks for value in tensor["values"][b * rows : (b + 1) * rows]]
        tensor["rows"] = rows * len(blocks)
        tensor["shape"] = [tensor["rows"], tensor["columns"]]
    take_blocks(world, blocks)


def take_blocks(world, blocks):
    kept = [world.proof.blocks[b] for b in blocks]
    del world.proof.blocks[:]
    world.proof.blocks.extend(kept)


@carry_mutation("token that is handed over, on both sides")
def _(world):
    tape = tensors(world.claim)[TAPE]
    tape[2] = tape[3] = tape[2] ^ 1


@carry_mutation("chosen token that is handed over, on both sides")
def _(world):
    tape = tensors(world.claim)[TAPE]
    tape[5] = tape[6] = tape[5] ^ 1


@carry_mutation("split into blocks of three steps", bare="tensors", full="claim")
def _(world):
    tokens, claim = tokens_of(world), world.claim
    values = {TAPE: tokens[:4] + tokens[3:], LENGTHS: [0, 3, 0, 2, 3, 6, 2, 2], BLOCK: [0, 1]}
    for tensor in claim["inputs"]:
        tensor["values"] = values[tensor["name"]]
        tensor["rows"] = len(tensor["values"])
        tensor["shape"] = [tensor["rows"], tensor["columns"]]
    claim["policy"]["boundary"] = "per-step=3"


@carry_mutation("claim of the first two blocks", bare="tensors", full="tensors")
def _(world):
    proof = decoded("Proof", encoded(world.proof))
    first_two(world)
    world.proof = proof


@carry_mutation("claim and proof of the first two blocks")
def first_two(world):
    take(world, [0, 1])
    world.claim["steps"]["count"] = 4
    world.claim["policy"]["limits"]["steps"] = 2


@carry_mutation("claim and proof of the last two blocks", full="claim")
def _(world):
    take(world, [1, 2])


@carry_mutation("claim and proof with two blocks swapped", full="claim")
def _(world):
    take(world, [0, 2, 1])


@carry_mutation("claim and proof with a block twice", full="claim")
def _(world):
    take(world, [0, 1, 1, 2])


for kind, name in (("inputs", TAPE), ("inputs", LENGTHS), ("inputs", BLOCK), ("outputs", "choices")):
    for change, blocks in (("a block more", [0, 1, 2, 2]), ("a block less", [0, 1])):

        @carry_mutation(f"{name} of {change}", bare="tensors", full="claim")
        def _(world, kind=kind, name=name, blocks=blocks):
            (tensor,) = [tensor for tensor in world.claim[kind] if tensor["name"] == name or kind == "outputs"]
            rows = tensor["rows"] // 3
            tensor["values"] = [value for b in blocks for value in tensor["values"][b * rows : (b + 1) * rows]]
            tensor["rows"] = rows * len(blocks)
            tensor["shape"] = [tensor["rows"], tensor["columns"]]


for name, blocks, bare in (
    ("first two blocks swapped", [1, 0, 2], "transcript"),
    ("last two blocks swapped", [0, 2, 1], "transcript"),
    ("a block dropped", [0, 1], "tensors"),
    ("the first block dropped", [1, 2], "tensors"),
    ("a block twice", [0, 1, 2, 2], "tensors"),
    ("a block in place of another", [0, 1, 1], "transcript"),
):

    @carry_mutation(name, "proof", bare, bare)
    def _(world, blocks=blocks):
        take_blocks(world, blocks)


for b in range(3):

    @carry_mutation(f"block {b} of another run", "proof")
    def _(world, b=b):
        world.proof.blocks[b].CopyFrom(decoded("Proof", world.base["other run"]).blocks[b])


@carry_mutation("all blocks of another run", "proof")
def _(world):
    other = decoded("Proof", world.base["other run"])
    del world.proof.blocks[:]
    world.proof.blocks.extend(other.blocks)
    world.proof.nonce = other.nonce


@carry_mutation("nonce of the proof", "proof")
def _(world):
    world.proof.nonce = bytes([world.proof.nonce[0] ^ 1]) + world.proof.nonce[1:]


@carry_mutation("claimed sums of one block in another", "proof")
def _(world):
    world.proof.blocks[1].claimed_sums = world.proof.blocks[2].claimed_sums


@carry_mutation("claimed sums of two blocks exchanged", "proof")
def _(world):
    one, two = world.proof.blocks[1], world.proof.blocks[2]
    one.claimed_sums, two.claimed_sums = two.claimed_sums, one.claimed_sums


@carry_mutation("claimed sums of another run in a block", "proof")
def _(world):
    world.proof.blocks[1].claimed_sums = decoded("Proof", world.base["other run"]).blocks[1].claimed_sums


@carry_mutation("a fingerprint that no digest asks for, in a later block", "proof", "tensors", "tensors")
def _(world):
    world.proof.blocks[2].fingerprints = bytes(16)


@carry_mutation("key of one pass", "key", "tensors", "claim")
def _(world):
    (world.key,) = keys_of(world.base["key of one pass"])
