"""Choices among what masks leave open: the largest element, its index, the largest few, the least.

CHOICES: name -> (Case, whether all outputs are integers, which are equal then). They are proven from the command line by
tests/e2e/kinds_test.py.
"""

import numpy as np

from blocks import Case
from graph import FLOAT, INTEGER, Graph

T, D = 12, 8
LOWEST = np.finfo(np.float32).min


def graph(seed, batch=1, mask=True):
    """Rows [batch, T, D], and maybe which of them are open."""
    inputs = [("x", FLOAT, (batch, T, D))] + ([("mask", INTEGER, (batch, T))] if mask else [])
    return Graph(seed, inputs, opset=18)


def lengths(*given):
    def inputs(rng):
        open_ = (np.arange(T) < np.array(given)[:, None]).astype(np.int64)
        return {"x": rng.standard_normal((len(given), T, D)).astype(np.float32), "mask": open_}
    return inputs


def inverse(g):
    return g.add("Sub", 1.0, g.add("Cast", "mask", to=FLOAT))


def column(g, x, i):
    """One logit for each row."""
    return g.add("Squeeze", g.add("Slice", x, np.array([i]), np.array([i + 1]), np.array([2])), np.array([2]))


def suppressed():
    """Tokens that no model may choose."""
    g = graph(1, mask=False)
    logits = g.linear("x", D, 24)
    mask = np.where(np.isin(np.arange(24), [0, 3, 17]), -1e9, 0.0)
    return g.model(g.add("ArgMax", g.add("Add", logits, mask), axis=-1, keepdims=0), INTEGER)


def span():
    """Where an answer starts and ends, padding and its first row left out."""
    g = graph(2)
    logits = g.linear("x", D, 2)
    closed = g.add("Equal", "mask", np.array(0))
    first = np.where(np.arange(T) == 0, -np.inf, 0.0)[None]
    ends = [g.add("ArgMax", g.add("Add", g.add("Where", closed, np.float32(LOWEST), column(g, logits, i)), first), axis=1, keepdims=0)
            for i in (0, 1)]
    return g.model(ends[0], INTEGER, end=ends[1])


def added():
    """Masks of -10000, and logits of up to a hundred; nothing of the last sentence is open."""
    g = graph(3, batch=3)
    logits = g.add("Mul", column(g, g.linear("x", D, 1), 0), 30.0)
    masked = g.add("Add", logits, g.add("Mul", inverse(g), -10000.0))
    return g.model(g.add("ArgMax", masked, axis=-1, keepdims=0), INTEGER)


def replaced():
    """Where nothing is open, all are one number: the first."""
    g = graph(4, batch=2)
    masked = g.add("Where", g.add("Cast", "mask", to=9), column(g, g.linear("x", D, 1), 0), -10000.0)
    return g.model(g.add("ArgMax", masked, axis=1, keepdims=1), INTEGER)


def three():
    g = graph(5, batch=2)
    masked = g.add("Where", g.add("Cast", "mask", to=9), column(g, g.linear("x", D, 1), 0), np.float32(-np.inf))
    values, _ = g.add("TopK", masked, np.array([3]), outputs=2)
    return g.model(values)


def places():
    g = graph(6, batch=2)
    masked = g.add("Add", column(g, g.linear("x", D, 1), 0), g.add("Mul", inverse(g), LOWEST))
    _, indices = g.add("TopK", masked, np.array([2]), outputs=2)
    return g.model(indices, INTEGER)


def greatest():
    """Of the rows of a sentence, column by column."""
    g = graph(7, batch=2)
    open_ = g.add("Cast", g.add("Unsqueeze", "mask", np.array([2])), to=9)
    return g.model(g.add("ReduceMax", g.add("Where", open_, g.linear("x", D, D), np.float32(-1e9)), np.array([1]), keepdims=0))


def least():
    """Closed ones are far above the others."""
    g = graph(8, batch=2)
    far = g.add("Add", column(g, g.linear("x", D, 1), 0), g.add("Mul", inverse(g), 1e9))
    return g.model(g.add("ArgMin", far, axis=1, keepdims=0), INTEGER)


def least_value():
    g = graph(9, batch=2)
    far = g.add("Sub", g.linear("x", D, D), g.add("Mul", g.add("Unsqueeze", inverse(g), np.array([2])), -65504.0))
    return g.model(g.add("ReduceMin", far, np.array([1]), keepdims=0))


CHOICES = {
    "suppressed_tokens": (Case(suppressed, lambda rng: {"x": rng.standard_normal((1, T, D)).astype(np.float32)}), True),
    "span": (Case(span, lengths(7)), True),
    "mask_of_10000_added": (Case(added, lengths(T, 5, 0)), True),
    "mask_in_place_of_all": (Case(replaced, lengths(4, 0)), True),
    "largest_three": (Case(three, lengths(3, 9)), False),
    "places_of_two": (Case(places, lengths(2, 9)), True),
    "greatest_of_open": (Case(greatest, lengths(1, 8)), False),
    "least_of_open": (Case(least, lengths(5, 8)), True),
    "least_value_of_open": (Case(least_value, lengths(5, 8)), False),
}
