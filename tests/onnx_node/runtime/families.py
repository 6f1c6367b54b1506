"""What families of public transformers do differently, each in a small model of its own.

FAMILIES: name -> Case. They are proven from the command line by tests/e2e/kinds_test.py.
"""

import numpy as np

from blocks import D, HEADS, MLP, T, VOCABULARY, WIDTH, Case, gelu, ids, mlp, norm, reals, tokens
from graph import BOOLEAN, FLOAT, INTEGER, Graph

LOWEST = float(np.finfo(np.float32).min)
LOWER = np.tril(np.ones((T, T), bool))


def root_mean_square(g, x, width=D):
    mean = g.add("ReduceMean", g.add("Pow", x, 2.0), axes=[-1])
    return g.add("Mul", g.add("Div", x, g.add("Sqrt", g.add("Add", mean, 1e-5))), 1 + g.weights(width) / 8)


def gated(g, x):
    gate = g.add("MatMul", x, g.weights(D, MLP))
    product = g.add("Mul", g.add("Mul", gate, g.add("Sigmoid", gate)), g.add("MatMul", x, g.weights(D, MLP)))
    return g.add("MatMul", product, g.weights(MLP, D))


def capped(g, x, cap):
    return g.add("Mul", g.add("Tanh", g.add("Div", x, cap)), cap)


def split(g, x, count, batch, length):
    return g.add("Transpose", g.add("Reshape", x, np.array([batch, length, count, WIDTH])), perm=[0, 2, 1, 3])


def frequencies():
    return 1 / 10000 ** (np.arange(0, WIDTH, 2) / WIDTH)


def tables():
    angles = np.outer(np.arange(T), frequencies())
    return [f(np.concatenate([angles, angles], -1))[None, None].astype(np.float32) for f in (np.cos, np.sin)]


def rotated(g, x, cos, sin):
    """By halves."""
    first = g.add("Slice", x, np.array([0]), np.array([WIDTH // 2]), np.array([3]))
    second = g.add("Slice", x, np.array([WIDTH // 2]), np.array([WIDTH]), np.array([3]))
    turned = g.add("Concat", g.add("Neg", second), first, axis=-1)
    return g.add("Add", g.add("Mul", x, cos), g.add("Mul", turned, sin))


def rotated_in_pairs(g, x, cos, sin):
    even = g.add("Slice", x, np.array([0]), np.array([WIDTH]), np.array([3]), np.array([2]))
    odd = g.add("Slice", x, np.array([1]), np.array([WIDTH]), np.array([3]), np.array([2]))
    cos, sin = cos[..., : WIDTH // 2], sin[..., : WIDTH // 2]
    a = g.add("Sub", g.add("Mul", even, cos), g.add("Mul", odd, sin))
    b = g.add("Add", g.add("Mul", even, sin), g.add("Mul", odd, cos))
    pairs = g.add("Concat", *(g.add("Unsqueeze", part, np.array([4])) for part in (a, b)), axis=4)
    return g.add("Reshape", pairs, np.array([1, -1, T, WIDTH]))


def attention(g, x, memory=None, length=T, batch=1, groups=HEADS, rotate=None, normal=False, bias=None, cap=None,
              mask=None, guard=False, weights=False, join=None):
    """`mask` is added to the scores; `groups` are the heads of keys and values; `join` joins those to a past."""
    linear = lambda y, width: g.add("MatMul", y, g.weights(D, width))
    q = split(g, linear(x, D), HEADS, batch, T)
    k, v = (split(g, linear(memory or x, groups * WIDTH), groups, batch, length) for _ in range(2))
    if normal:
        q, k = (root_mean_square(g, part, WIDTH) for part in (q, k))
    if rotate:
        q, k = rotate(q), rotate(k)
    if join:
        k, v = join("keys", k), join("values", v)
    if groups != HEADS:
        repeat = HEADS // groups
        k, v = (g.add("Reshape", g.add("Expand", g.add("Unsqueeze", part, np.array([2])),
                                       np.array([batch, groups, repeat, length, WIDTH])),
                      np.array([batch, HEADS, length, WIDTH])) for part in (k, v))
    scores = g.add("Mul", g.add("MatMul", q, g.add("Transpose", k, perm=[0, 1, 3, 2])), WIDTH**-0.5)
    if cap:
        scores = capped(g, scores, cap)
    for term in (bias, mask):
        if term is not None:
            scores = g.add("Add", scores, term)
    p = g.add("Softmax", scores, axis=-1)
    if guard:
        p = g.add("Where", g.add("IsNaN", p), 0.0, p)
    if weights:
        return p
    mixed = g.add("Reshape", g.add("Transpose", g.add("MatMul", p, v), perm=[0, 2, 1, 3]), np.array([batch, T, D]))
    return g.add("MatMul", mixed, g.weights(D, D))


def block(g, x, normalize=norm, feed=mlp, **options):
    x = g.add("Add", x, attention(g, normalize(g, x), **options))
    return g.add("Add", x, feed(g, normalize(g, x)))


def causal(value=-np.inf):
    return np.where(LOWER, 0.0, value)


def ended(g, x, normalize=norm, cap=None):
    logits = g.linear(normalize(g, x), D, VOCABULARY)
    return g.model(capped(g, logits, cap) if cap else logits)


def llama(rotation=rotated, end_cap=None, **options):
    def make():
        g, x = tokens(101)
        rotate = lambda part: rotation(g, part, *tables())
        options.setdefault("groups", 1)
        x = block(g, x, root_mean_square, gated, rotate=rotate, mask=causal(), **options)
        return ended(g, x, root_mean_square, end_cap)
    return make


def positions_given():
    g, x = tokens(102, ("positions", INTEGER, (1, T)))
    rows = g.add("Unsqueeze", g.add("Cast", "positions", to=FLOAT), np.array([1]))
    angles = g.add("Transpose", g.add("MatMul", frequencies()[None, :, None], rows), perm=[0, 2, 1])
    angles = g.add("Unsqueeze", g.add("Concat", angles, angles, axis=-1), np.array([1]))
    cos, sin = g.add("Cos", angles), g.add("Sin", angles)
    return ended(g, block(g, x, root_mean_square, gated, rotate=lambda part: rotated(g, part, cos, sin), mask=causal()))


def biased(bias, **options):
    def make():
        g, x = tokens(103)
        return ended(g, block(g, x, bias=bias, **options))
    return make


def alibi():
    distance = np.arange(T)[None] - np.arange(T)[:, None]
    return (2.0 ** -np.arange(1, HEADS + 1))[None, :, None, None] * distance


def crossed():
    g = Graph(104, [("x", FLOAT, (1, T, D)), ("memory", FLOAT, (1, 9, D))])
    x = g.add("Add", "x", attention(g, norm(g, "x"), mask=causal()))
    x = g.add("Add", x, attention(g, norm(g, x), memory="memory", length=9))
    return ended(g, g.add("Add", x, mlp(g, norm(g, x))))


def sentences(batch):
    """Ids, the mask of padding, and the mask as it is added to scores."""
    g, x = tokens(105, ("mask", INTEGER, (batch, T)), batch=batch)
    keys = g.add("Cast", g.add("Unsqueeze", "mask", np.array([1, 2])), to=FLOAT)
    return g, x, g.add("Mul", g.add("Sub", 1.0, keys), LOWEST)


def padded(batch, lower=False):
    def make():
        g, x, mask = sentences(batch)
        if lower:
            mask = g.add("Max", g.add("Add", mask, causal(LOWEST)), LOWEST)
        return ended(g, block(g, x, batch=batch, mask=mask))
    return make


def embedded():
    """Mean over the tokens that are no padding, of length one."""
    g, x, mask = sentences(2)
    x = norm(g, block(g, x, batch=2, mask=mask))
    weights = g.add("Cast", g.add("Unsqueeze", "mask", np.array([2])), to=FLOAT)
    total = g.add("ReduceSum", g.add("Mul", x, weights), np.array([1]), keepdims=0)
    mean = g.add("Div", total, g.add("Max", g.add("ReduceSum", weights, np.array([1]), keepdims=0), 1e-9))
    length = g.add("Sqrt", g.add("ReduceSum", g.add("Mul", mean, mean), np.array([1])))
    return g.model(g.add("Div", mean, g.add("Max", length, 1e-12)))


def padded_left(guard):
    """Causal, with padding before the sentence: rows that see nothing."""
    def make():
        g, x = tokens(106, ("mask", INTEGER, (1, T)))
        both = g.add("And", LOWER[None, None], g.add("Cast", g.add("Unsqueeze", "mask", np.array([1, 2])), to=BOOLEAN))
        mask = g.add("Where", both, 0.0, np.float32(-np.inf) if guard else LOWEST)
        return ended(g, block(g, x, mask=mask, guard=guard))
    return make


def padded_both_ways():
    """A row sees a key if neither is padding, which embeddings are multiplied by, too."""
    g, x = tokens(119, ("mask", INTEGER, (1, T)))
    keys = g.add("Unsqueeze", "mask", np.array([1, 2]))
    both = g.add("Mul", keys, g.add("Unsqueeze", g.add("Squeeze", keys, np.array([2])), np.array([3])))
    x = g.add("Mul", norm(g, x), g.add("Cast", g.add("Unsqueeze", "mask", np.array([2])), to=FLOAT))
    closed = g.add("Where", g.add("Cast", both, to=BOOLEAN), 0.0, np.float32(LOWEST))
    return ended(g, block(g, x, mask=closed))


def kept():
    g = Graph(107, [("x", FLOAT, (1, T, D)), ("keep", BOOLEAN, (1, T))])
    mask = g.add("Where", g.add("Unsqueeze", "keep", np.array([1, 2])), 0.0, np.float32(-np.inf))
    return ended(g, block(g, "x", mask=mask))


def counted_positions():
    """Of tokens that are no padding, which is token 1."""
    g = Graph(108, [("ids", INTEGER, (1, T))], 17)
    real = g.add("Cast", g.add("Not", g.add("Equal", "ids", np.int64(1))), to=INTEGER)
    places = g.add("Add", g.add("Mul", g.add("CumSum", real, np.int64(1)), real), np.int64(1))
    x = g.add("Add", g.add("Gather", g.weights(VOCABULARY, D), "ids"), g.add("Gather", g.weights(T + 2, D), places))
    keys = g.add("Unsqueeze", g.add("Cast", real, to=FLOAT), np.array([1, 2]))
    return ended(g, block(g, x, mask=g.add("Mul", g.add("Sub", 1.0, keys), LOWEST)))


def continued():
    """After a past of fixed length, which is returned with what is new."""
    shape = (1, HEADS, 3, WIDTH)
    g = Graph(114, [("x", FLOAT, (1, T, D)), ("past_keys", FLOAT, shape), ("past_values", FLOAT, shape)])
    present = {}

    def join(name, part):
        present[name] = g.add("Concat", f"past_{name}", part, axis=2)
        return present[name]

    seen = np.concatenate([np.zeros((T, 3)), causal()], axis=1)
    y = g.linear(norm(g, block(g, "x", mask=seen, join=join)), D, 5)
    return g.model(y, **{f"present_{name}": value for name, value in present.items()})


def moved_tokens():
    """Tokens come first, batch second, behind a token of the model's own."""
    g = Graph(116, [("ids", INTEGER, (2, T))])
    own = np.full((2, 1), 7)
    shifted = g.add("Concat", own, g.add("Slice", "ids", np.array([0]), np.array([T - 1]), np.array([1])), axis=1)
    x = g.add("Gather", g.weights(VOCABULARY, D), g.add("Transpose", shifted, perm=[1, 0]))
    return ended(g, block(g, g.add("Transpose", x, perm=[1, 0, 2]), batch=2, mask=causal()))


def learned_queries():
    """Constants ask, in several heads or one, and the probabilities that constants make mix what is computed."""
    g = Graph(117, [("x", FLOAT, (1, T, D))])
    k, v = (split(g, g.linear("x", D, D), HEADS, 1, T) for _ in range(2))
    queries = g.weights(1, HEADS, 3, WIDTH) * 4
    p = g.add("Softmax", g.add("MatMul", queries, g.add("Transpose", k, perm=[0, 1, 3, 2])), axis=-1)
    x = g.add("Reshape", g.add("Transpose", g.add("MatMul", p, v), perm=[0, 2, 1, 3]), np.array([1, 3, D]))
    x = g.add("MatMul", np.abs(g.weights(1, 2, 3)), g.add("Tanh", x))
    return g.model(g.linear(norm(g, x), D, 5))


def boxes():
    """Corners are looked up, and so is how far they are apart."""
    g = Graph(120, [("boxes", INTEGER, (1, T, 2))])
    first, last = (g.add("Gather", "boxes", np.int64(i), axis=2) for i in range(2))
    x = g.add("Add", *(g.add("Gather", g.weights(VOCABULARY, D), part) for part in (first, last)))
    apart = g.add("Gather", g.weights(VOCABULARY, D), g.add("Sub", last, first))
    return ended(g, block(g, g.add("Add", x, apart)))


def last_token():
    g, x = tokens(109, ("mask", INTEGER, (1, T)))
    x = block(g, x, mask=causal())
    last = g.add("Sub", g.add("ReduceSum", "mask", np.array([1]), keepdims=0), np.array([1]))
    return ended(g, g.add("Gather", g.add("Squeeze", x, np.array([0])), last, axis=0))


def first_tokens_before_norm(scale):
    """Rows are picked out of a stream that no norm reads whole, and that is wide where a token is massive."""
    def make():
        g = Graph(115, [("ids", INTEGER, (1, T))])
        table = g.weights(VOCABULARY, D)
        table[5] *= scale
        x = block(g, g.add("Gather", table, "ids"), mask=causal())
        return ended(g, g.add("Gather", x, np.array([0, 3]), axis=1))
    return make


def end_token():
    """The features at the largest id."""
    g, x = tokens(110)
    x = norm(g, block(g, x, mask=causal()))
    end = g.add("Unsqueeze", g.add("ArgMax", "ids", axis=1, keepdims=0), np.array([1]))
    return g.model(g.add("MatMul", g.add("GatherND", x, end, batch_dims=1), g.weights(D, 5)))


def attention_weights():
    g, x = tokens(111)
    return g.model(attention(g, norm(g, x), mask=causal(), weights=True))


def patches():
    g = Graph(112, [("pixels", FLOAT, (1, 3, 8, 12))])
    x = g.add("Conv", "pixels", g.rng.standard_normal((D, 3, 4, 4)) / 7, g.weights(D), kernel_shape=[4, 4], strides=[4, 4])
    x = g.add("Transpose", g.add("Reshape", x, np.array([1, D, T])), perm=[0, 2, 1])
    x = norm(g, block(g, g.add("Add", x, g.weights(1, T, D))))
    return g.model(g.linear(g.add("Gather", x, np.int64(0), axis=1), D, 5))


def larger(op):
    def make():
        g = reals(113)
        a, b = (g.linear("x", D, MLP) for _ in range(2))
        return g.model(g.linear(op(g, a, b), MLP, D))
    return make


def numbers(**shapes):
    return lambda rng: {name: rng.standard_normal(shape) for name, shape in shapes.items()}


def masks(*lengths, left=False):
    rows = np.array([[int(i < length) for i in range(T)] for length in lengths])
    return lambda rng: {"ids": rng.integers(0, VOCABULARY, rows.shape), "mask": rows[:, ::-1] if left else rows}


TOKENS = ids()
FAMILIES = {
    "llama": Case(llama(), TOKENS),
    "llama_rotated_in_pairs": Case(llama(rotated_in_pairs, groups=HEADS), TOKENS),
    "llama_normal_heads": Case(llama(normal=True), TOKENS),
    "llama_capped_logits": Case(llama(end_cap=2.0), TOKENS),
    "rotary_positions_given": Case(positions_given, lambda rng: {**TOKENS(rng), "positions": np.arange(T)[None]}),
    "alibi": Case(biased(alibi(), mask=causal()), TOKENS),
    "relative_bias": Case(biased(np.random.default_rng(5).standard_normal((1, HEADS, T, T)), normalize=root_mean_square), TOKENS),
    "sliding_window": Case(biased(np.where(LOWER & ~np.tril(LOWER, -3), 0.0, -np.inf)), TOKENS),
    "capped_scores": Case(biased(causal(), cap=5.0), TOKENS),
    "cross_attention": Case(crossed, numbers(x=(1, T, D), memory=(1, 9, D))),
    "padding": Case(padded(1), masks(4)),
    "padding_none": Case(padded(1), masks(T)),
    "padding_batch_of_three": Case(padded(3), masks(T, 4, 2)),
    "padding_causal": Case(padded(2, lower=True), masks(T, 3)),
    "padding_both_ways": Case(padded_both_ways, masks(4)),
    "padding_left": Case(padded_left(False), masks(4, left=True)),
    "padding_left_guarded": Case(padded_left(True), masks(4, left=True)),
    "sentence_embedding": Case(embedded, masks(T, 3)),
    "keys_kept": Case(kept, lambda rng: {"x": rng.standard_normal((1, T, D)), "keep": np.array([[1, 0, 1, 1, 0, 1]], bool)}),
    "positions_counted": Case(counted_positions, lambda rng: {"ids": np.array([[7, 3, 12, 5, 1, 1]])}),
    "past_of_fixed_length": Case(continued, numbers(x=(1, T, D), past_keys=(1, HEADS, 3, WIDTH), past_values=(1, HEADS, 3, WIDTH))),
    "moved_tokens": Case(moved_tokens, ids(2)),
    "learned_queries": Case(learned_queries, numbers(x=(1, T, D))),
    "boxes": Case(boxes, lambda rng: {"boxes": np.array([[[0, 19], [3, 7], [11, 12], [5, 5], [2, 18], [17, 19]]])}),
    "last_token": Case(last_token, masks(4)),
    "first_tokens_before_norm": Case(first_tokens_before_norm(1), TOKENS),
    "first_tokens_before_norm_massive": Case(first_tokens_before_norm(300), lambda rng: {"ids": np.array([[5, 1, 2, 3, 5, 19]])}),
    "end_token": Case(end_token, lambda rng: {"ids": np.array([[7, 3, 12, 19, 1, 1]])}),
    "attention_weights": Case(attention_weights, TOKENS),
    "patches_by_convolution": Case(patches, numbers(pixels=(1, 3, 8, 12))),
    "maximum_of_two": Case(larger(lambda g, a, b: g.add("Max", a, b))),
    "choice_by_comparison": Case(larger(lambda g, a, b: g.add("Where", g.add("Less", a, b), g.add("Tanh", a), b))),
    "greatest_of_tokens": Case(larger(lambda g, a, b: g.add("Mul", g.add("ReduceMax", a, axes=[1]), b))),
}
