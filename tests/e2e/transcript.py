"""The challenges of a proof, computed from key and proof alone, with hashlib.

It shares nothing with the Rust of tools/provers but the Protocol Buffers schemas: the order is that of the list at the head of
tools/provers/stwo-verifier/src/transcript.rs, the bytes are those of codec.rs beside it. Whether the proof holds is not looked at;
whether its challenges are paid for is.
"""

import hashlib
from collections import namedtuple

from messages import decoded, keys_of

P = 2**31 - 1
WIDTH = 4  # of an extension element, in base field elements
PROTOCOL = b"lindero/stwo proof, version 5".ljust(32, b"\0")
CONSTANT, COLUMN, CHALLENGE, CLAIMED_SUM, IS_FIRST, IS_LAST, ADD, SUB, MUL, NEG, INVERSE = range(11)

# `values` are lists of four residues.
Drawn = namedtuple("Drawn", "challenge pow_bits nonce values")


class Unpaid(Exception):
    """A nonce that is not good for the bits that the key asks for."""

    def __init__(self, challenge, bits, nonce):
        super().__init__(f"{challenge}: {nonce} is not good for {bits} bits")
        self.challenge = challenge


class OtherQueries(Exception):
    """The challenges ask for other rows than the proof answers."""


def blake2s(*parts):
    return hashlib.blake2s(b"".join(parts)).digest()


def number(value, width):
    return value.to_bytes(width, "little")


class Channel:
    def __init__(self, digest=bytes(32)):
        self.digest, self.hashes, self.drawn = digest, 0, []

    def absorb(self, *parts):
        self.digest, self.hashes = blake2s(self.digest, *parts), 0

    def words(self):
        hashed = blake2s(self.digest, number(self.hashes, 4), b"\0")
        self.hashes += 1
        return [int.from_bytes(hashed[i : i + 4], "little") for i in range(0, 32, 4)]

    def grind(self, what, bits, nonce):
        inner = blake2s(number(0x12345678, 4), bytes(12), self.digest, number(bits, 4))
        hashed = int.from_bytes(blake2s(inner, number(nonce, 8))[:16], "little")
        if hashed % 2**bits:
            raise Unpaid(what, bits, nonce)
        self.absorb(number(nonce, 8))

    def draw(self, what, bits, nonces, count=1):
        nonce = None
        if bits:
            nonce = nonces.nonce()
            self.grind(what, bits, nonce)
        values = []
        while len(values) < count:
            words = self.words()
            if max(words) < 2 * P:
                residues = [word % P for word in words]
                values += [residues[:WIDTH], residues[WIDTH:]]
        self.drawn.append(Drawn(what, bits, nonce, values[:count]))

    def queries(self, log_domain, count):
        positions = []
        while len(positions) < count:
            positions += [word % 2**log_domain for word in self.words()]
        return set(positions[:count])


class Reader:
    def __init__(self, content):
        self.content, self.at = content, 0

    def take(self, count):
        assert self.at + count <= len(self.content), "the bytes end too soon"
        self.at += count
        return self.content[self.at - count : self.at]

    def count(self):
        return int.from_bytes(self.take(4), "little")

    def nonce(self):
        return int.from_bytes(self.take(8), "little")

    def finish(self):
        assert self.at == len(self.content), f"{len(self.content) - self.at} bytes are left over"


class Shape:
    """What lengths follow from the circuit."""

    def __init__(self, circuit):
        self.circuit = circuit
        self.log_height = max(table.log_height for table in circuit.tables)
        self.fixed = {(t, c, 0) for t, table in enumerate(circuit.tables) for c, column in enumerate(table.columns)
                      if column.phase == 0}
        self.offsets = {(t, c): {0} for t, table in enumerate(circuit.tables) for c, column in enumerate(table.columns)
                        if column.phase > 0}
        for table in circuit.tables:
            self._read(table)
        self.fixed = self.fixed or {(IS_FIRST, self.log_height)}
        phases = {column.phase for table in circuit.tables for column in table.columns}
        self.tree_of_phase = {phase: tree for tree, phase in enumerate(sorted({0} | phases))}

    def _read(self, table):
        """Adds at which rows the constraints of a table read which columns."""
        nodes, seen, stack = self.circuit.nodes, set(), [constraint.node for constraint in table.constraints]
        while stack:
            i = stack.pop()
            if i in seen:
                continue
            seen.add(i)
            node = nodes[i]
            if node.op in (ADD, SUB, MUL):
                stack += [node.a, node.b]
            elif node.op in (NEG, INVERSE):
                stack.append(node.a)
            elif node.op in (IS_FIRST, IS_LAST):
                self.fixed.add((node.op, table.log_height))
            elif node.op == COLUMN and (node.a, node.b) in self.offsets:
                self.offsets[node.a, node.b].add(node.offset)
            elif node.op == COLUMN:
                self.fixed.add((node.a, node.b, node.offset))

    def columns(self):
        """(base columns, values opened out of domain), over all trees."""
        columns = values = len(self.fixed) + 2 * WIDTH  # and the composition polynomial
        for (t, c), offsets in self.offsets.items():
            table = self.circuit.tables[t]
            width = WIDTH if table.columns[c].phase >= 2 else 1
            period = len(offsets) == 3 and table.log_height < self.log_height
            columns += width
            values += width * (len(offsets) + period)
        return columns, values

    def challenges(self, phase):
        return sum(challenge.phase == phase for challenge in self.circuit.challenges)


class Member:
    """What the blocks of a member have in common."""

    def __init__(self, key, member, root):
        content = key.circuits[member.circuit]
        self.root, self.digest, self.parameters = root, hashlib.sha256(content).digest(), key.stwo
        self.shape = Shape(decoded("Circuit", content))
        of = self.parameters
        self.log_domain = self.shape.log_height + of.log_blowup
        self.folds = 1 + -(-(self.shape.log_height - of.fold_step - of.log_last_layer_degree) // of.fold_step)
        own = 1 if of.challenge_pow_bits and self.shape.challenges(2) else 0
        after = [of.composition_pow_bits, of.out_of_domain_pow_bits, of.batching_pow_bits] + [of.fold_pow_bits] * self.folds
        self.nonces = own + sum(bits > 0 for bits in after)

    def absorb(self, channel):
        of, tables = self.parameters, self.shape.circuit.tables
        config = (of.pow_bits, of.log_blowup, of.queries, of.log_last_layer_degree, of.fold_step, self.log_domain, 0, 0)
        channel.absorb(*(number(value, 4) for value in config))
        channel.absorb(self.digest)
        for value in (len(tables), *(table.log_height for table in tables)):
            channel.absorb(number(value, 8))
        channel.absorb(self.root)

    def shared(self):
        return [challenge.name for challenge in self.shape.circuit.challenges if challenge.phase == 1]


def transcript(key_file, proof):
    """The challenges of the bundle, then those of each block, as lists of Drawn."""
    proof = decoded("Proof", proof)
    [content] = [key for key in keys_of(key_file) if hashlib.sha256(key).digest() == proof.key_digest]
    key = decoded("VerifyingKey", content)
    members = [Member(key, member, root) for member, root in zip(key.bundle.members, key.fixed_roots, strict=True)]
    steps, rest = divmod(len(proof.blocks), len(members))
    assert steps and not rest, "blocks of steps that are not whole"
    readers = [Reader(block.commitment) for block in proof.blocks]
    blocks = list(zip(members * steps, readers))
    nonces = [Reader(reader.take(8 * member.nonces)) for member, reader in blocks]
    roots = [[reader.take(32) for _ in range(len(member.shape.tree_of_phase) + 1)] for member, reader in blocks]

    bundle = Channel()
    bundle.absorb(PROTOCOL)
    bundle.absorb(hashlib.sha256(content).digest())
    bundle.absorb(hashlib.sha256(proof.claim).digest())
    bundle.absorb(number(len(members), 8))
    bundle.absorb(number(steps, 8))
    for member in members:
        member.absorb(bundle)
    for index, of_block in enumerate(roots):
        for value in divmod(index, len(members)):
            bundle.absorb(number(value, 8))
        bundle.absorb(of_block[1])
    nonce = Reader(proof.nonce)
    shared = dict.fromkeys(name for member in members for name in member.shared())
    if shared:
        bundle.draw("circuit_1", key.stwo.challenge_pow_bits, nonce, len(shared))
    nonce.finish()

    drawn = [bundle.drawn]
    for index, (member, reader) in enumerate(blocks):
        channel = Channel(bundle.digest)
        channel.absorb(number(index, 8))
        _block(channel, member, proof.blocks[index], reader, nonces[index], roots[index])
        drawn.append(channel.drawn)
    return drawn


def _block(channel, member, block, reader, nonces, roots):
    shape, parameters = member.shape, member.parameters
    trees = shape.tree_of_phase
    for phase in (0, 1, 2):
        if phase in trees:
            channel.absorb(roots[trees[phase]])
    if shape.challenges(2):
        channel.draw("circuit_2", parameters.challenge_pow_bits, nonces, shape.challenges(2))
    if 3 in trees:
        channel.absorb(roots[trees[3]])
    channel.absorb(block.claimed_sums)
    channel.absorb(block.fingerprints)
    channel.draw("composition", parameters.composition_pow_bits, nonces)
    channel.absorb(roots[-1])
    channel.draw("out_of_domain", parameters.out_of_domain_pow_bits, nonces)
    columns, values = shape.columns()
    channel.absorb(reader.take(4 * WIDTH * values))
    channel.draw("batching", parameters.batching_pow_bits, nonces)
    nonce, queries = reader.nonce(), reader.count()
    reader.take(4 * columns * queries)
    for _ in roots:
        reader.take(32 * reader.count())
    for layer in range(member.folds):
        channel.absorb(reader.take(32))
        channel.draw(f"fold_{layer}", parameters.fold_pow_bits, nonces)
        reader.take(4 * WIDTH * reader.count())
        reader.take(32 * reader.count())
    nonces.finish()
    channel.absorb(reader.take(4 * WIDTH * 2**parameters.log_last_layer_degree))
    reader.finish()
    channel.grind("queries", parameters.pow_bits, nonce)
    if len(channel.queries(member.log_domain, parameters.queries)) != queries:
        raise OtherQueries()
