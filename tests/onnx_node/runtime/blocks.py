"""Small transformers, each with one thing that exports of public models have and a compiler may misread.

BLOCKS: name -> Case. They are proven from the command line by tests/e2e/kinds_test.py.
"""

from dataclasses import dataclass
from typing import Callable

import numpy as np

from graph import FLOAT, HALF, INTEGER, Graph

T, D, HEADS, MLP, VOCABULARY = 6, 8, 2, 16, 20
WIDTH = D // HEADS
HALF_STEPS = 5e-3  # roundings of sums to 11 bits


@dataclass
class Case:
    make: Callable
    inputs: Callable = lambda rng: {"x": rng.standard_normal((1, T, D))}
    tolerance: float = 1e-5  # of what the importer's interpreter says, of the largest element


def reals(seed, *shape, element=FLOAT, opset=17, name="x"):
    return Graph(seed, [(name, element, shape or (1, T, D))], opset)


def tokens(seed, *others, batch=1, opset=17):
    """A graph, and what embeds its ids, with positions."""
    g = Graph(seed, [("ids", INTEGER, (batch, T)), *others], opset)
    return g, g.add("Add", g.add("Gather", g.weights(VOCABULARY, D), "ids"), g.weights(T, D))


def ids(batch=1):
    return lambda rng: {"ids": rng.integers(0, VOCABULARY, (batch, T))}


# Parts of a block.

def norm(g, x, epsilon=1e-5):
    return g.add("LayerNormalization", x, 1 + g.weights(D) / 8, g.weights(D), epsilon=epsilon)


def written_out(g, x, epsilon=1e-5, dtype=np.float32, correction=1.0, outside=False):
    """A norm of nodes; its variance may be that of a sample, and epsilon added to its root."""
    constant = lambda value: np.asarray(value, dtype)
    d = g.add("Sub", x, g.add("ReduceMean", x, axes=[-1]))
    variance = g.add("ReduceMean", g.add("Pow", d, constant(2)), axes=[-1])
    if correction != 1:
        variance = g.add("Mul", variance, constant(correction))
    if not outside:
        variance = g.add("Add", variance, constant(epsilon))
    root = g.add("Sqrt", variance)
    normal = g.add("Div", d, g.add("Add", root, constant(epsilon)) if outside else root)
    scaled = g.add("Mul", normal, (1 + g.weights(D) / 8).astype(dtype))
    return g.add("Add", scaled, g.weights(D).astype(dtype))


def masked(g, scores, how):
    lower = np.tril(np.ones((T, T), bool))
    if how == "where":
        return g.add("Where", lower, scores, np.float32(-np.inf))
    if how == "add":
        return g.add("Add", scores, np.where(lower, 0.0, np.finfo(np.float32).min))
    return scores


def heads(g, x, perm, batch):
    return g.add("Transpose", g.add("Reshape", x, np.array([batch, T, HEADS, WIDTH])), perm=perm)


def attention(g, x, mask="where", batch=1, normal_heads=False, past=None, dtype=np.float32):
    weights = lambda *shape: g.weights(*shape).astype(dtype)
    qkv = g.add("Add", g.add("MatMul", x, weights(D, 3 * D)), weights(3 * D))
    if g.opset < 13:
        q, k, v = g.add("Split", qkv, outputs=3, axis=2, split=[D, D, D])
    elif g.opset < 18:
        q, k, v = g.add("Split", qkv, np.array([D, D, D]), outputs=3, axis=-1)
    else:
        q, k, v = g.add("Split", qkv, outputs=3, axis=-1, num_outputs=3)
    q, k, v = (heads(g, part, [0, 2, 1, 3], batch) for part in (q, k, v))
    if normal_heads:
        q, k = (g.add("LayerNormalization", part, 1 + g.weights(WIDTH) / 8, g.weights(WIDTH)) for part in (q, k))
    if past is not None:
        k, v = (g.add("Concat", past, part, axis=2) for part in (k, v))
    scores = g.add("MatMul", q, g.add("Transpose", k, perm=[0, 1, 3, 2]))
    scores = masked(g, g.add("Mul", scores, np.asarray(WIDTH**-0.5, dtype)), mask)
    mixed = g.add("MatMul", g.add("Softmax", scores, axis=-1), v)
    joined = g.add("Reshape", g.add("Transpose", mixed, perm=[0, 2, 1, 3]), np.array([batch, T, D]))
    return g.add("Add", g.add("MatMul", joined, weights(D, D)), weights(D))


def gelu(g, h, dtype=np.float32):
    constant = lambda value: np.asarray(value, dtype)
    inner = g.add("Add", g.add("Erf", g.add("Div", h, constant(2**0.5))), constant(1))
    return g.add("Mul", g.add("Mul", h, inner), constant(0.5))


def mlp(g, x, function=gelu):
    return g.linear(function(g, g.linear(x, D, MLP)), MLP, D)


def block(g, x, normalize=norm, function=gelu, **options):
    x = g.add("Add", x, attention(g, normalize(g, x), **options))
    return g.add("Add", x, mlp(g, normalize(g, x), function))


def ended(g, x, columns=5, normalize=norm):
    return g.model(g.linear(normalize(g, x), D, columns))


def plain(g, x, **options):
    return ended(g, block(g, x, **options))


# Kinds.

def of_opset_11():
    """Sizes, axes and bounds are attributes; the first token is cut out, the last axis is named by its number."""
    g, x = tokens(81, opset=11)
    x = block(g, x, normalize=written_out, mask="add")
    first = g.add("Squeeze", g.add("Slice", x, np.array([0]), np.array([1]), np.array([1])), axes=[1])
    first = g.add("Clip", g.linear(first, D, D), np.float32(-1), np.float32(1))
    return g.model(g.add("Softmax", g.linear(first, D, 5)))


def logarithms():
    """No value below zero has one."""
    g = reals(91)
    return ended(g, g.add("Log", "x"))


def least_of_small():
    """Nothing brings inputs of another size to that of these."""
    g = reals(92)
    return g.model(g.add("Mul", g.add("ReduceMin", "x", axes=[2], keepdims=0), np.float32(3)))


def positive(largest):
    return lambda rng: {"x": largest * (0.1 + 0.9 * rng.random((1, T, D)))}


def stored_in_8_bits():
    """Weights of 8 bits with a scale per column, biases of 32, and activations that are rounded to 8 bits and back."""
    g = reals(94)

    def rounded(x, scale, zero):
        given = np.float32(scale), np.uint8(zero)
        return g.add("DequantizeLinear", g.add("QuantizeLinear", x, *given), *given)

    def linear(x, inner, outer, scale):
        weight = g.rng.integers(-127, 128, (inner, outer)).astype(np.int8)
        scales = (0.001 + 0.002 * g.rng.random(outer)).astype(np.float32)
        bias = g.add("DequantizeLinear", g.rng.integers(-500, 500, outer).astype(np.int32), scales * np.float32(scale), axis=0)
        return g.add("Add", g.add("MatMul", x, g.add("DequantizeLinear", weight, scales, axis=1)), bias)

    h = g.add("Relu", linear(rounded("x", 0.03, 128), D, MLP, 0.03))
    h = linear(rounded(h, 0.01, 0), MLP, D, 0.01)
    return ended(g, g.add("Add", "x", rounded(h, 0.01, 130)))


def half_precision(function):
    """Inputs, weights and sums of 16 bits; norms of 32, with casts around them."""
    g = reals(21, element=HALF)
    half = np.float16

    def normal(x):
        return g.add("Cast", written_out(g, g.add("Cast", x, to=FLOAT)), to=HALF)

    def linear(x, inner, outer):
        return g.add("Add", g.add("MatMul", x, g.weights(inner, outer).astype(half)), g.weights(outer).astype(half))

    x = g.add("Add", "x", attention(g, normal("x"), mask=None, dtype=half))
    x = g.add("Add", x, linear(function(g, linear(normal(x), D, MLP)), MLP, D))
    return g.model(linear(normal(x), D, 5), HALF)


def clipped(*bounds):
    return lambda: plain(reals(31), "x", function=lambda g, h: g.add("Clip", g.add("Mul", h, 4.0), *bounds))


def of_tokens(seed, **options):
    def make():
        g, x = tokens(seed, batch=options.get("batch", 1))
        return plain(g, x, **options)
    return make


def empty_past():
    """A cache that holds no token yet; its sizes are copied by 0."""
    g, x = tokens(41)
    none = g.add("Reshape", np.zeros((1, HEADS, 0, WIDTH), np.float32), np.array([1, HEADS, 0, WIDTH]))
    return plain(g, x, past=none)


def split_by_number(columns):
    """Parts of one size, and a smaller last one."""
    g, x = tokens(42, opset=18)
    parts = g.add("Split", block(g, x), outputs=3, axis=-1, num_outputs=3)
    sizes = [3, 3, 2]
    y = g.linear(parts[0], sizes[0], columns)
    for part, size in zip(parts[1:], sizes[1:]):
        y = g.add("Add", y, g.linear(part, size, columns))
    return g.model(y)


def split_and_drop():
    """One of two parts is read by nobody."""
    g, x = tokens(43, opset=18)
    first, _ = g.add("Split", norm(g, block(g, x)), outputs=2, axis=-1, num_outputs=2)
    return g.model(g.add("MatMul", first, g.weights(D // 2, 5)))


def input_and_constant():
    g = reals(51)
    return plain(g, g.add("Add", "x", g.weights(T, D)), mask=None)


def patches(scale, bias):
    """A projection of patches, and positions."""
    def make():
        g = reals(52, 1, T, 12)
        x = g.add("MatMul", "x", g.weights(12, D) / np.float32(scale))
        x = g.add("Add", x, g.weights(D)) if bias else x
        return plain(g, g.add("Add", x, g.weights(T, D)), mask=None)
    return make


def position_ids():
    g = Graph(53, [("ids", INTEGER, (1, T)), ("position_ids", INTEGER, (1, T))])
    places = g.add("Gather", g.weights(2 * T, D), "position_ids")
    return plain(g, g.add("Add", g.add("Gather", g.weights(VOCABULARY, D), "ids"), places))


def unread_inputs():
    g, x = tokens(54, ("attention_mask", INTEGER, (1, T)), ("token_type_ids", INTEGER, (1, T)))
    return plain(g, x)


def scale_per_position():
    """The scale of a norm has the shape of its input."""
    def normal(g, x):
        return g.add("LayerNormalization", x, 1 + g.weights(1, T, D) / 8, g.weights(1, T, D), axis=-1)
    g, x = tokens(61)
    return plain(g, x, normalize=normal)


def sample_deviation():
    """The variance of a sample, and epsilon outside of the root."""
    def normal(g, x):
        return written_out(g, x, 1e-6, correction=D / (D - 1), outside=True)
    g, x = tokens(62)
    return ended(g, block(g, x, normalize=normal), normalize=normal)


def embedded(rows, epsilon=1e-5, normalize=norm):
    """Embeddings times a factor per token of the vocabulary, and nothing added before the first norm."""
    def make():
        g = Graph(63, [("ids", INTEGER, (1, T))])
        table = g.weights(VOCABULARY, D) * np.asarray(rows, np.float32)
        normal = lambda g, x: normalize(g, x, epsilon)
        x = g.add("Gather", table.astype(np.float32), "ids")
        return ended(g, block(g, x, normalize=normal), normalize=normal)
    return make


def factors(**of):
    found = np.ones((VOCABULARY, 1), np.float32)
    for token, factor in of.items():
        found[int(token[1:])] = factor
    return found


def far_block():
    """A norm comes first, so that nothing else reads the means."""
    g = reals(65)
    return plain(g, written_out(g, "x"), mask=None)


def vector():
    """A product with a vector has an axis less."""
    g, x = tokens(71)
    return g.model(g.add("MatMul", norm(g, block(g, x, mask=None)), g.weights(D)))


def pooled(axes, keep):
    """The mean of all tokens, and a linear."""
    def make():
        g, x = tokens(72, opset=18)
        mean = g.add("ReduceMean", norm(g, block(g, x, mask=None)), np.array(axes), keepdims=keep)
        if keep:
            return g.model(g.linear(mean, D, 3))
        return g.model(g.add("Gemm", mean, g.weights(D, 3), g.weights(3)))
    return make


def class_probabilities(position):
    g, x = tokens(73)
    one = g.add("Gather", norm(g, block(g, x)), np.int64(position), axis=1)
    return g.model(g.add("Softmax", g.add("Gemm", one, g.weights(D, 4), g.weights(4)), axis=-1))


def quick_gelu(g, h):
    return g.add("Mul", h, g.add("Sigmoid", g.add("Mul", h, 1.702)))


def far_rows(rng):
    """Rows, each about a mean of its own that dwarfs what tells its elements apart."""
    means = np.array([0, 12, 100, -100, 300, -300])
    return {"x": rng.standard_normal((1, T, D)) + means[:, None]}


def pixels(rng):
    return {"x": rng.integers(0, 256, (1, T, 12))}


def patch(rng):
    return {"x": rng.standard_normal((1, T, 12))}


def places(*of):
    return lambda rng: {"ids": rng.integers(0, VOCABULARY, (1, T)), "position_ids": np.array([of])}


def masks(rng):
    return {"ids": rng.integers(0, VOCABULARY, (1, T)), "attention_mask": np.ones((1, T), np.int64),
            "token_type_ids": np.zeros((1, T), np.int64)}


def these(*of):
    return lambda rng: {"ids": np.array([of])}


def unit_rows():
    """Of rows of very different sizes, each by its own."""
    g = reals(70)
    return g.model(g.add("LpNormalization", "x", axis=-1, p=2))


def rows_of_sum_one(floor=None):
    """By the sum of magnitudes, as exporters write it out; a row of zeros stays one where there is a floor."""
    def make():
        g = reals(71)
        size = g.add("ReduceL1", "x", axes=[-1]) if floor else g.add("ReduceSum", g.add("Abs", "x"), np.array([-1]))
        return g.model(g.add("Div", "x", g.add("Max", size, floor) if floor else size))
    return make


def small_rows(rng):
    return {"x": rng.standard_normal((1, T, D)) * 10.0 ** -np.arange(0, 3, 0.5)[:T, None]}


BLOCKS = {
    "unit_rows": Case(unit_rows, small_rows),
    "rows_of_sum_one": Case(rows_of_sum_one(), small_rows),
    "rows_of_sum_one_or_zero": Case(rows_of_sum_one(1e-12), lambda rng: {"x": small_rows(rng)["x"] * (np.arange(T) != 2)[:, None]}),
    "batch_of_two": Case(of_tokens(1, batch=2), ids(2)),
    "batch_of_three_unmasked": Case(of_tokens(2, batch=3, mask=None), ids(3)),
    "batch_of_two_added_mask": Case(of_tokens(3, batch=2, mask="add"), ids(2)),
    "clip_at_6": Case(clipped(0.0, 6.0)),
    "clip_at_50": Case(clipped(0.0, 50.0), lambda rng: {"x": 3 * rng.standard_normal((1, T, D))}),
    "clip_open_above": Case(clipped(0.0)),
    "clip_open_below": Case(clipped("", 0.5)),
    "half_precision_relu": Case(lambda: half_precision(lambda g, h: g.add("Relu", h)), tolerance=HALF_STEPS),
    "half_precision_gelu": Case(lambda: half_precision(lambda g, h: gelu(g, h, np.float16)), tolerance=HALF_STEPS),
    "quick_gelu": Case(of_tokens(4, function=quick_gelu), ids()),
    "empty_past": Case(empty_past, ids()),
    "split_by_number": Case(lambda: split_by_number(5), ids()),
    "split_and_drop": Case(split_and_drop, ids()),
    "input_and_constant": Case(input_and_constant),
    "patches": Case(patches(1, bias=True), patch),
    "patches_without_bias": Case(patches(1, bias=False), patch),
    "pixels": Case(patches(128, bias=True), pixels),
    "pixels_unscaled": Case(patches(1, bias=True), pixels),
    "position_ids": Case(position_ids, places(0, 1, 2, 3, 4, 5)),
    "position_ids_of_padded_left": Case(position_ids, places(1, 1, 0, 1, 2, 11)),
    "unread_inputs": Case(unread_inputs, masks),
    "norm_scale_per_position": Case(scale_per_position, ids()),
    "norm_sample_deviation": Case(sample_deviation, ids()),
    "norm_tiny_epsilon": Case(embedded(1e-3, 1e-12), ids()),
    "norm_zero_row": Case(embedded(factors(_7=0.0)), these(7, 1, 2, 7, 3, 19)),
    "norm_massive_token": Case(embedded(factors(_5=300.0)), these(5, 1, 2, 3, 5, 19)),
    "norm_massive_token_written_out": Case(embedded(factors(_5=300.0), normalize=written_out), these(5, 1, 2, 3, 4, 19)),
    "norm_far_means": Case(lambda: ended(reals(64), "x", normalize=written_out), far_rows),
    "norm_far_means_in_a_block": Case(far_block, far_rows),
    "norms_of_heads": Case(of_tokens(5, normal_heads=True), ids()),
    "norms_of_heads_batch_of_two": Case(of_tokens(6, normal_heads=True, batch=2), ids(2)),
    "product_with_a_vector": Case(vector, ids()),
    "mean_of_tokens": Case(pooled([1], 0), ids()),
    "mean_of_tokens_kept": Case(pooled([-2], 1), ids()),
    "stored_in_8_bits": Case(stored_in_8_bits),
    "logarithms": Case(logarithms, positive(2)),
    "least_of_small": Case(least_of_small, positive(0.02)),
    "of_opset_11": Case(of_opset_11, ids()),
    "class_probabilities": Case(lambda: class_probabilities(0), ids()),
    "class_probabilities_of_last": Case(lambda: class_probabilities(T - 1), ids()),
}
