"""The nodes of a circuit at random points, for tests of polynomial identities.

Each column at an offset, each challenge, each claimed sum and each selector is a variable of its own, with a random residue at each of
several points. The seed is a digest of the circuit, so that nobody writes a circuit for points that are known. `Graph` bounds the
degrees, without which residues would say nothing of the extension: z^p - z is zero at every residue.
"""

import functools
from hashlib import shake_256

import numpy as np

import qm31
from format_rules import F, obey
from graph import Op, ZeroInverse
from qm31 import P, reduce

POINTS = 16  # (2^20 / p)^16 < 2^-175
BINARY = {
    Op.ADD: lambda x, y: reduce(x + y),
    Op.SUB: lambda x, y: reduce(x + (np.uint64(P) - y)),
    Op.MUL: lambda x, y: reduce(x * y),
}


def column_key(table, column, offset=0):
    return (Op.COLUMN, table, column, offset)


def challenge_key(challenge):
    return (Op.CHALLENGE, challenge, 0, 0)


class Points:
    """The values of all nodes at random points, an array of POINTS each."""

    def __init__(self, graph, seed):
        self.graph = graph
        self.cone = functools.cache(self._walked)
        for attempt in range(64):
            self.seed, self.leaves = seed + bytes([attempt]), {}
            try:
                self.values = []
                for i in range(len(graph.ops)):
                    self.values.append(self._apply(i, self.values))
                return
            except ZeroInverse:
                continue
        obey(F.ZERO_INVERSES, False, "an inverse of zero")

    def _walked(self, node):
        cone = self.graph.cone([node], below_scalars=True)
        self.graph.charge(len(cone))
        return cone

    def leaf(self, key):
        if key not in self.leaves:
            digest = shake_256(self.seed + repr(tuple(map(int, key))).encode()).digest(4 * POINTS)
            self.leaves[key] = np.frombuffer(digest, dtype="<u4").astype(np.uint64) % np.uint64(P)
        return self.leaves[key]

    def _key(self, i):
        graph, op = self.graph, self.graph.ops[i]
        if op == Op.COLUMN:
            return column_key(graph.a[i], graph.b[i], graph.offsets[i])
        return (op, graph.a[i] if op in (Op.CHALLENGE, Op.CLAIMED_SUM) else 0, 0, 0)

    def _apply(self, i, values):
        graph, op = self.graph, self.graph.ops[i]
        if op == Op.CONSTANT:
            return np.full(POINTS, graph.a[i], dtype=np.uint64)
        if op in BINARY:
            return BINARY[op](values[graph.a[i]], values[graph.b[i]])
        if op == Op.NEG:
            return qm31.neg(values[graph.a[i]])
        if op == Op.INVERSE:
            if not values[graph.a[i]].all():
                raise ZeroInverse
            return qm31.inverse(values[graph.a[i]])
        return self.leaf(self._key(i))

    def given(self, node, leaves):
        """The node's value where some leaves have other values, of POINTS or of n x POINTS elements."""
        values = _Changed(self.values)
        self.graph.charge(len(self.cone(node)))
        for i in self.cone(node):
            operands = self.graph.operands(i)
            if any(operand in values for operand in operands):
                values[i] = self._apply(i, values)
            elif not operands and self.graph.ops[i] != Op.CONSTANT and self._key(i) in leaves:
                values[i] = leaves[self._key(i)]
        return values[node]


class _Changed(dict):
    """Values that differ from the usual ones."""

    def __init__(self, usual):
        super().__init__()
        self.usual = usual

    def __missing__(self, i):
        return self.usual[i]


@functools.cache
def interpolation(degree):
    """The matrix that makes coefficients of the values at 0, 1, .. degree."""
    rows = []
    for j in range(degree + 1):
        basis, scale = [1], 1
        for k in range(degree + 1):
            if k != j:
                basis = [(a - k * b) % P for a, b in zip([0] + basis, basis + [0])]
                scale = scale * (j - k) % P
        rows.append([a * pow(scale, -1, P) % P for a in basis])
    return np.array(rows, dtype=np.uint64).T
