"""Integers in computations: each is exact, above 2,048 whatever its limbs are.

WHOLES: name -> Case. They are proven from the command line by tests/e2e/kinds_test.py, and equal what is stored.
"""

import numpy as np

from blocks import Case
from graph import FLOAT, INTEGER, Graph

# Around powers of two, with limbs that are equal, zero or at an end of their range.
NUMBERS = np.array([0, 1, -1, 255, 256, -256, 2047, 2048, 2049, -2048, -2049, 65535, 65536, 65537, -65536, 65408, 65663, 98304,
                    -98304, 2**20, 2**20 - 1, -(2**20), -(2**20) - 128, 3 * 2**20])
TOKENS = np.array([0, 5, 127, 128, 255, 256, 2047, 2048, 2049, 20000, 32767, 32768, 32769, 49152, 49407, 50256])
COUNT = 72


def pairs(values):
    def inputs(rng):
        a, b = (rng.integers(0, values.size, (1, COUNT)) for _ in range(2))
        b[:, ::3] = a[:, ::3]
        b[:, 1::3] = (a[:, 1::3] + 1) % values.size
        return {"a": a, "b": b}
    return inputs


def graph(seed, values):
    """Two tensors of numbers that are looked up."""
    g = Graph(seed, [("a", INTEGER, (1, COUNT)), ("b", INTEGER, (1, COUNT))], opset=18)
    return g, g.add("Gather", values, "a"), g.add("Gather", values, "b")


def number(g, condition):
    return g.add("Cast", condition, to=INTEGER)


def comparisons():
    g, a, b = graph(1, NUMBERS)
    ops = ("Greater", "GreaterOrEqual", "Less", "LessOrEqual")
    others = {op.lower(): number(g, g.add(op, a, b)) for op in ops}
    limit = number(g, g.add("Greater", a, np.array(65536)))
    return g.model(number(g, g.add("Equal", a, b)), INTEGER, above_limit=limit, **others)


def extremes():
    g, a, b = graph(2, NUMBERS)
    axes = np.array([1])
    return g.model(g.add("Max", a, b), INTEGER, least=g.add("Min", a, b), least_of_all=g.add("ReduceMin", a, axes),
                   greatest_of_all=g.add("ReduceMax", b, axes), at_most=g.add("Min", a, np.array(65535)))


def sums():
    g, a, b = graph(3, NUMBERS)
    scaled = g.add("Add", g.add("Mul", a, np.array(3)), np.array(70001))
    return g.model(g.add("Add", a, b), INTEGER, difference=g.add("Sub", a, b), negated=g.add("Neg", a), scaled=scaled,
                   all=g.add("ReduceSum", g.add("Gather", TOKENS, "a"), np.array([1])))


def choices():
    g, a, b = graph(4, NUMBERS)
    less = g.add("Less", a, b)
    return g.model(g.add("Where", less, a, b), INTEGER, constant=g.add("Where", less, np.array(65537), b),
                   constants=g.add("Where", less, np.array(1_000_001), np.array(-3)),
                   nothing=g.add("Where", less, a, np.array(0)), kept=g.add("Mul", a, number(g, less)))


def products():
    g, a, b = graph(5, np.array([0, 1, -1, 7, 127, 128, 129, 255, 256, -256, 2047, 2048, 2049, -2048, 4095, 4096, -4097, 8191]))
    return g.model(g.add("Mul", a, b), INTEGER, square=g.add("Mul", a, a))


def tokens():
    """What models ask of ids: which are the same, which is the largest."""
    g = Graph(6, [("ids", INTEGER, (1, 24))], opset=18)
    ids = g.add("Gather", TOKENS, "ids")
    rows, columns = g.add("Unsqueeze", ids, np.array([2])), g.add("Unsqueeze", ids, np.array([1]))
    last = g.add("ArgMax", ids, axis=1, keepdims=0)
    return g.model(number(g, g.add("Equal", rows, columns)), INTEGER, last=last, token=g.add("Gather", TOKENS[::-1].copy(), last))


def thresholds():
    """Which logits are the greatest, the least, among the three greatest: extremes are compared with what they are of."""
    g = Graph(7, [("x", FLOAT, (1, 24, 16))], opset=17)
    logits = g.linear("x", 16, 16)
    values, _ = g.add("TopK", logits, np.array([3]), outputs=2)
    third = g.add("Slice", values, np.array([2]), np.array([3]), np.array([2]))
    pairs = g.add("Max", logits, "x")
    return g.model(number(g, g.add("Equal", logits, g.add("ReduceMax", logits, axes=[2]))), INTEGER,
                   least=number(g, g.add("LessOrEqual", logits, g.add("ReduceMin", logits, axes=[2]))),
                   three=number(g, g.add("GreaterOrEqual", logits, third)), greater=number(g, g.add("Equal", pairs, "x")))


WHOLES = {
    "comparisons": Case(comparisons, pairs(NUMBERS)),
    "extremes": Case(extremes, pairs(NUMBERS)),
    "sums": Case(sums, pairs(NUMBERS[:16])),
    "choices": Case(choices, pairs(NUMBERS)),
    "products": Case(products, pairs(np.arange(18))),
    "thresholds": Case(thresholds, lambda rng: {"x": rng.standard_normal((1, 24, 16)).astype(np.float32)}),
    "tokens": Case(tokens, lambda rng: {"ids": rng.integers(0, 16, (1, 24))}),
}
