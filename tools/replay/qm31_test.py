"""The vectorized field against the definition in Python's integers, and against the laws of a field."""

import unittest

import numpy as np

import qm31
from qm31 import P

RANDOM = np.random.default_rng(1)
EDGES = [0, 1, 2, P - 2, P - 1]


def elements(count):
    """Random extension elements, and those made of edge values."""
    edges = np.array(np.meshgrid(*[EDGES] * 4)).reshape(4, -1)
    return np.concatenate([edges.astype(np.uint64), RANDOM.integers(P, size=(4, count), dtype=np.uint64)], axis=1)


def product(x, y):
    """By the definition: (a + b i) + (c + d i) u with i^2 = -1 and u^2 = 2 + i, one monomial at a time."""
    out = [0, 0, 0, 0]
    for j in range(4):
        for k in range(4):
            value = int(x[j]) * int(y[k])
            i, u = j % 2 + k % 2, j // 2 + k // 2
            # u^2 becomes 2 + i: twice the monomial without u^2, once the one with i instead.
            for power, factor in [(i, 2), (i + 1, 1)] if u == 2 else [(i, 1)]:
                out[power % 2 + 2 * (u % 2)] += value * factor * (-1) ** (power // 2)
    return [v % P for v in out]


def one(count):
    return qm31.extension(np.ones(count, dtype=np.uint64))


class FieldTest(unittest.TestCase):
    def same(self, left, right):
        np.testing.assert_array_equal(left, right)
        self.assertTrue((left < P).all())

    def test_reduce(self):
        values = [0, 1, P - 1, P, P + 1, 2 * P, 4 * (P - 1) ** 2, 2**63, 2**64 - 1]
        values += [int(v) for v in RANDOM.integers(2**64, size=1000, dtype=np.uint64)]
        self.same(qm31.reduce(np.array(values, dtype=np.uint64)), np.array([v % P for v in values], dtype=np.uint64))

    def test_signed(self):
        for integer in (0, 1, -1, (P - 1) // 2, -(P - 1) // 2):
            self.assertEqual(qm31.signed(qm31.residues([integer])[0]), integer)

    def test_product_is_the_definition(self):
        x, y = elements(500), elements(500)[:, ::-1]
        self.same(qm31.mul(x, y), np.array([product(*pair) for pair in zip(x.T, y.T)], dtype=np.uint64).T)

    def test_tower(self):
        i, u = (np.eye(4, dtype=np.uint64)[:, [k]] for k in (1, 2))
        self.same(qm31.mul(i, i), qm31.neg(one(1)))
        self.same(qm31.mul(u, u), np.array([[2], [1], [0], [0]], dtype=np.uint64))

    def test_laws(self):
        x = elements(1000)
        y, z = RANDOM.permutation(x, axis=1), RANDOM.permutation(x, axis=1)
        self.same(qm31.mul(x, qm31.mul(y, z)), qm31.mul(qm31.mul(x, y), z))
        self.same(qm31.mul(x, qm31.add(y, z)), qm31.add(qm31.mul(x, y), qm31.mul(x, z)))
        self.same(qm31.sub(qm31.add(x, y), y), x)
        self.same(qm31.add(x, qm31.neg(x)), np.zeros_like(x))

    def test_inverse(self):
        x = elements(1000)
        x = x[:, ~qm31.is_zero(x)]
        self.same(qm31.mul(x, qm31.inverse(x)), one(x.shape[1]))
        base = x[0][x[0] != 0]
        self.same(qm31.mul(base, qm31.inverse(base)), np.ones_like(base))

    def test_frobenius(self):
        # x -> x^p is additive, and of order 4; x^p for p = 2^31 - 1 is x^(2^31) / x.
        def frobenius(x):
            power = x
            for _ in range(31):
                power = qm31.mul(power, power)
            return qm31.mul(power, qm31.inverse(x))

        x, y = RANDOM.integers(1, P, size=(2, 4, 100), dtype=np.uint64)
        self.same(frobenius(qm31.add(x, y)), qm31.add(frobenius(x), frobenius(y)))
        self.same(frobenius(frobenius(frobenius(frobenius(x)))), x)
        self.assertFalse((frobenius(frobenius(x)) == x).all())

    def test_base_and_extension_mix(self):
        x, y = elements(100), RANDOM.integers(P, size=elements(100).shape[1], dtype=np.uint64)
        for operation in (qm31.add, qm31.sub, qm31.mul):
            self.same(operation(x, y), operation(x, qm31.extension(y)))
            self.same(operation(y, x), operation(qm31.extension(y), x))
            self.same(operation(x[:, :1], y), operation(np.repeat(x[:, :1], len(y), axis=1), y))
            self.same(operation(x, y[:1]), operation(x, np.repeat(y[:1], len(y))))

    def test_scan_is_the_recurrence(self):
        for length in (1, 2, 3, 100, 257):
            for resets in (0, 0.1, 1):
                factor, addend = RANDOM.integers(P, size=(2, 4, length), dtype=np.uint64)
                factor[:, RANDOM.random(length) < resets] = 0
                wanted = [addend[:, [0]]]
                for i in range(1, length):
                    wanted.append(qm31.add(qm31.mul(factor[:, [i]], wanted[-1]), addend[:, [i]]))
                self.same(qm31.scan(factor, addend), np.concatenate(wanted, axis=1))

    def test_sums(self):
        x = np.full((4, 100_000), P - 1, dtype=np.uint64)
        wanted = (-np.arange(1, 100_001)) % P
        self.same(qm31.prefix_sums(x), np.tile(wanted.astype(np.uint64), (4, 1)))
        self.same(qm31.total(x), qm31.prefix_sums(x)[:, -1:])


if __name__ == "__main__":
    unittest.main()
