"""What a hostile author hands to `lindero compile`: exponents files and models. All of it depends on seeds alone.

The models are those of models/generate.py, changed. Exponents are those that calibration chose, changed: from one bit to
values that no calibration gives.
"""

import collections
import copy
import dataclasses
import math
import random
import sys
from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper

SOURCE = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(SOURCE / "models"))
import generate  # noqa: E402

# A model with options of compile, in a group of the table. `exponents`: a seed for a change of those of the model `base`, 0 for
# its own, or None where calibration chooses. `refused`: the only exit code that is right; None: it may compile.
Case = collections.namedtuple("Case", "group name model options base exponents refused", defaults=[None, None, None])

NOT_FINITE = 6
ARGMAX, DECODE = ["--argmax"], ["--decode"]
CARRY = [*DECODE, "--context", "carry", "--block", "2"]
SMALL = generate.Shape(layers=1, dim=16, heads=2, seq=8, vocab=16)


def gpt(shape=generate.TOY, activation="gelu", **options):
    return lambda: generate.make_gpt(shape, activation, 1, **options)


def resized(**sizes):
    return gpt(dataclasses.replace(SMALL, **sizes))


def block():
    return generate.make_block(SMALL, "gelu", 1)


def mlp(*sizes, activation="gelu"):
    return lambda: generate.make_mlp(sizes, activation, 1)


# Changes of a model ------------------------------------------------------------------------------


def changed(make, *changes):
    def build():
        model = make()
        for change in changes:
            change(model)
        return model

    return build


def weight(word, change):
    """Replaces the float initializers whose name has the word."""

    def apply(model):
        found = [t for t in model.graph.initializer if word in t.name and t.data_type == onnx.TensorProto.FLOAT]
        assert found, f"no weight {word}"
        for tensor in found:
            with np.errstate(all="ignore"):
                values = np.asarray(change(numpy_helper.to_array(tensor).copy()), np.float32)
            tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))

    return apply


def times(factor):
    return lambda values: values.astype(np.float64) * factor


def filled(value):
    return lambda values: np.full_like(values, value)


def at(place, value):
    def change(values):
        values.flat[place] = value
        return values

    return change


def rows(change):
    """Of matrices: what becomes of their rows."""

    def apply(values):
        for number, row in enumerate(values):
            row[:] = change(values, number)
        return values

    return apply


def both(*changes):
    def apply(model):
        for change in changes:
            change(model)

    return apply


def alternating(values):
    """Large products that cancel on equal inputs."""
    values[:] = 1e4
    values[::2] = -1e4
    return values


def constant(word, value):
    """Replaces the float constants that nodes with the word in their name give."""

    def apply(model):
        found = [node for node in model.graph.node if node.op_type == "Constant" and word in node.output[0]
                 and node.attribute[0].t.data_type == onnx.TensorProto.FLOAT]
        assert found, f"no constant {word}"
        for node in found:
            node.attribute[0].t.CopyFrom(numpy_helper.from_array(np.array(value, np.float32)))

    return apply


def reader_constant(op, word, value):
    """Replaces the constant operand of the nodes of this operator with the word in their name."""

    def apply(model):
        constants = {node.output[0]: node for node in model.graph.node if node.op_type == "Constant"}
        found = [constants[name] for node in model.graph.node if node.op_type == op and word in node.name
                 for name in node.input if name in constants]
        assert found, f"no constant of {op} {word}"
        for node in found:
            node.attribute[0].t.CopyFrom(numpy_helper.from_array(np.array(value, np.float32)))

    return apply


def attribute(name, value):
    def apply(model):
        found = [a for node in model.graph.node for a in node.attribute if a.name == name]
        assert found, f"no attribute {name}"
        for a in found:
            a.f = value

    return apply


def mask(change):
    def apply(model):
        (tensor,) = [t for t in model.graph.initializer if t.name == "causal_mask"]
        values = change(numpy_helper.to_array(tensor).copy())
        tensor.CopyFrom(numpy_helper.from_array(np.ascontiguousarray(values, bool), tensor.name))

    return apply


def shared(old, new):
    """Nodes that read the one initializer read the other."""

    def apply(model):
        names = {t.name for t in model.graph.initializer}
        assert old in names and new in names, f"no {old} or {new}"
        for node in model.graph.node:
            for place, name in enumerate(node.input):
                if name == old:
                    node.input[place] = new

    return apply


def positions(values):
    def apply(model):
        (node,) = [n for n in model.graph.node if n.op_type == "Constant" and list(n.attribute[0].t.dims) == [1, len(values)]]
        node.attribute[0].t.CopyFrom(numpy_helper.from_array(np.array([values], np.int64)))

    return apply


def tanh(model):
    """Tanh in place of GELU: the four nodes after the first of each go."""
    nodes = list(model.graph.node)
    kept, renamed = [], {}
    for node in nodes:
        if "/mlp/act/" not in node.name:
            kept.append(node)
        elif node.op_type == "Div":
            kept.append(onnx.helper.make_node("Tanh", [node.input[0]], [node.output[0]], name=node.name.replace("Div", "Tanh")))
            first = node.output[0]
        renamed |= {node.output[0]: first} if node.op_type == "Mul" and "/mlp/act/" in node.name else {}
    del model.graph.node[:]
    model.graph.node.extend(kept)
    for node in model.graph.node:
        for place, name in enumerate(node.input):
            if name in renamed:
                node.input[place] = renamed[name]


def doubled(count):
    """Adds what the last LayerNorm reads to itself, again and again."""

    def apply(model):
        (index,) = [i for i, node in enumerate(model.graph.node) if node.name == "/ln_f/LayerNormalization"]
        last = model.graph.node[index]
        for number in range(count):
            name = f"/double_{number}"
            node = onnx.helper.make_node("Add", [last.input[0]] * 2, [name], name=name)
            last.input[0] = name
            model.graph.node.insert(index + number, node)
            last = model.graph.node[index + number + 1]

    return apply


CONSTANT_ROWS = both(weight("wte", rows(lambda values, n: n)), weight("wpe", rows(lambda values, n: 0)))
TANH = changed(gpt(), tanh)
small = resized()
SMALL_RMS = gpt(SMALL, rms=True)


def constants():
    """name, model, options, the exit code that it must be refused with."""
    for value, code in ((0, None), (1e30, None), (3.4e38, None), (1e-30, None), (1e-42, None), (math.nan, NOT_FINITE),
                        (math.inf, NOT_FINITE), (-math.inf, NOT_FINITE)):
        yield f"every weight {value:g}", changed(small, weight("", filled(value))), ARGMAX, code
    for name, change, code in (
            ("wte zero", weight("wte", filled(0)), None),
            ("wte and wpe zero", both(weight("wte", filled(0)), weight("wpe", filled(0))), None),
            ("wte of constant rows", CONSTANT_ROWS, None),
            ("wte of equal rows", weight("wte", rows(lambda values, n: values[0])), None),
            ("wte with a spike", weight("wte", at(0, 1e6)), None),
            ("wte with one NaN", weight("wte", at(37, math.nan)), NOT_FINITE),
            ("wte and head of equal logits", weight("lm_head", filled(1)), None),
            ("head zero", weight("lm_head", filled(0)), None),
            ("head times 1e6", weight("lm_head", times(1e6)), None),
            ("head of denormals", weight("lm_head", times(1e-42)), None),
            ("qkv times 1e3", weight("qkv.weight", times(1e3)), None),
            ("qkv times 1e6", weight("qkv.weight", times(1e6)), None),
            ("qkv zero", weight("qkv", filled(0)), None),
            ("qkv of equal columns", weight("qkv.weight", rows(lambda values, n: values[n, 0])), None),
            ("fc with a spike", weight("fc.weight", at(5, 1e6)), None),
            ("fc alternating", weight("fc.weight", alternating), None),
            ("fc zero but for one", weight("fc.weight", lambda values: at(7, 1)(values * 0)), None),
            ("a bias of infinity", weight("fc.bias", at(3, math.inf)), NOT_FINITE),
            ("biases of 1e9", weight(".bias", filled(1e9)), None),
            ("biases of -1e5", weight("proj.bias", filled(-1e5)), None),
            ("one bias at 2^15", weight("fc.bias", at(3, 32768)), None),
            ("one bias at 2^15, others tiny", weight("qkv.bias", lambda values: at(0, 32768)(values * 1e-30)), None),
            ("gamma zero", weight("ln_1.weight", filled(0)), None),
            ("every gamma zero", weight("ln_", lambda values: values * 0), None),
            ("gamma with zeros", weight("ln_2.weight", at(slice(None, None, 3), 0)), None),
            ("gamma negative", weight("ln_1.weight", times(-1)), None),
            ("gamma 1e8", weight("ln_1.weight", times(1e8)), None),
            ("gamma of one channel 1e6", weight("ln_f.weight", at(2, 1e6)), None),
            ("gamma of one channel 1e-30", weight("ln_2.weight", at(2, 1e-30)), None),
            ("beta 1e9", weight("ln_1.bias", filled(1e9)), None),
            ("shared norms", both(*(shared(name, "h.0.ln_1.weight") for name in ("h.0.ln_2.weight", "ln_f.weight", "ln_f.bias"))),
             None),
            ("one bias for both", shared("h.0.attn.proj.bias", "h.0.mlp.proj.bias"), None),
            ("positions read from wte", shared("wpe.weight", "wte.weight"), None),
            ("head tied by name", tie_head, None),
            ("positions beyond the table", positions([0, 1, 2, 3, 4, 5, 6, 99]), None),
            ("negative positions", positions([-1, -2, -3, -4, -5, -6, -7, -8]), None),
            ("equal positions", positions([0] * 8), None),
            ("no mask", mask(np.zeros_like), None),
            ("mask of everything", mask(np.ones_like), None),
            ("mask of the past", mask(lambda values: np.swapaxes(values, -1, -2)), None),
            ("mask of the diagonal", mask(lambda values: np.eye(values.shape[-1], dtype=bool)[None, None]), None),
            ("masked scores -1e4", reader_constant("Where", "attn", -1e4), None),
            ("masked scores 0", reader_constant("Where", "attn", 0), None),
            ("masked scores NaN", reader_constant("Where", "attn", math.nan), None),
            ("doubled 12 times", doubled(12), None),
            ("doubled 200 times", doubled(200), None)):
        yield name, changed(small, change), ARGMAX, code
    for value in (0, -0.25, 1e-20, 64, 1e6, math.inf, math.nan):
        yield f"attention scale {value:g}", changed(small, reader_constant("Mul", "attn", value)), ARGMAX, None
    for value in (0, -1, -1e-5, 1e-30, 1e10, 3e38, math.nan, math.inf):
        yield f"epsilon {value:g}", changed(small, attribute("epsilon", value)), ARGMAX, None
    yield "epsilon 0 of constant rows", changed(small, attribute("epsilon", 0), CONSTANT_ROWS), ARGMAX, None
    for value in (0, -1, 1e-30, 1e10, math.nan):
        yield f"RMS epsilon {value:g}", changed(SMALL_RMS, reader_constant("Add", "ln_", value)), ARGMAX, None
    yield "RMS gamma zero", changed(SMALL_RMS, weight("ln_", filled(0))), ARGMAX, None
    yield "RMS of zero rows", changed(SMALL_RMS, weight("w", filled(0))), ARGMAX, None
    for value in (0, -1.4142135, 1e-30, 1e30):
        yield f"GELU divides by {value:g}", changed(small, reader_constant("Div", "act", value)), ARGMAX, None
    yield "GELU plus 2", changed(small, reader_constant("Add", "act", 2)), ARGMAX, None
    yield from shapes()
    yield from widths()


def tie_head(model):
    """The head reads wte through a Transpose, and the only copy is gone."""
    (head,) = [node for node in model.graph.node if node.name == "/lm_head/MatMul"]
    place = list(model.graph.node).index(head)
    head.input[1] = "/tied"
    model.graph.node.insert(place, onnx.helper.make_node("Transpose", ["wte.weight"], ["/tied"], name="/tied", perm=[1, 0]))
    (copy_of,) = [t for t in model.graph.initializer if t.name == "lm_head.weight"]
    model.graph.initializer.remove(copy_of)


def shapes():
    for name, sizes in (("vocabulary of 1", dict(vocab=1)), ("vocabulary of 2", dict(vocab=2)),
                        ("vocabulary of 17", dict(vocab=17)), ("sequence of 1", dict(seq=1)), ("sequence of 3", dict(seq=3)),
                        ("heads of width 1", dict(heads=16)), ("one head", dict(heads=1)), ("width 1", dict(dim=1, heads=1)),
                        ("width 2", dict(dim=2)), ("everything 1", dict(dim=1, heads=1, seq=1, vocab=1)),
                        ("width 3, sequence of 5", dict(dim=3, heads=3, seq=5, vocab=3))):
        yield name, resized(**sizes), ARGMAX, None
        yield f"{name}, all logits", resized(**sizes), [], None
    for lanes in (1, 64):
        yield f"{lanes} lanes", small, [*ARGMAX, "--lanes", str(lanes)], None
    yield "sequence of 1, decode", resized(seq=1), DECODE, None
    yield "sequence of 2, decode", resized(seq=2), DECODE, None
    yield "vocabulary of 1, decode", resized(vocab=1), DECODE, None
    yield "vocabulary of 1, carry", resized(vocab=1), CARRY, None
    yield ("softmaxes in two tables, carry", resized(layers=3, seq=24),
           [*DECODE, "--context", "carry", "--block", "8", "--lanes", "4"], None)
    yield "no mask, carry", changed(small, mask(np.zeros_like)), CARRY, None
    yield "equal rows, carry", changed(small, weight("wte", rows(lambda values, n: values[0]))), CARRY, None
    for sizes in ((1, 1), (1, 7, 1), (3, 1, 3)):
        yield f"MLP {sizes}", mlp(*sizes), [], None
    yield "MLP of zeros", changed(mlp(8, 16, 8), weight("", filled(0))), [], None
    yield "MLP with ReLU, of biases alone", changed(mlp(8, 16, 8, activation="relu"), weight(".weight", filled(0))), [], None
    yield "MLP alternating", changed(mlp(8, 16, 8), weight("fc.0.weight", alternating)), [], None
    yield "block of zeros", changed(block, weight("", filled(0))), [], None
    yield "block with heads' scale 0", changed(block, reader_constant("Mul", "attn", 0)), [], None


def widths():
    """Wide weights of narrow inputs: the bound of a product is close to what fits, and its addend an embedding."""
    spikes = both(weight("wte", at(3, 40)), weight("wpe", at(21, -40)))
    for weights, activations in ((24, 8), (22, 5), (20, 8), (24, 4), (14, 6)):
        bits = ["--weight-bits", str(weights), "--activation-bits", str(activations)]
        name = f"weights of {weights} bits, inputs of {activations}"
        yield name, gpt(), [*ARGMAX, *bits], None
        yield f"{name}, spikes", changed(small, spikes), [*ARGMAX, *bits], None
        yield f"{name}, spikes, carry", changed(small, spikes), [*CARRY, *bits], None


# Exponents ---------------------------------------------------------------------------------------

# How many files, of which models. The first of each is what calibration chose: it must compile.
BASES = {
    "toy": (gpt(), ARGMAX, 24), "toy, logits": (gpt(), [], 4), "RMSNorm": (gpt(rms=True), ARGMAX, 10),
    "ReLU": (gpt(activation="relu"), ARGMAX, 10), "tanh": (TANH, ARGMAX, 10), "MLP": (mlp(16, 32, 16), [], 10),
    "block": (block, [], 10), "decode": (gpt(SMALL), DECODE, 8), "carry": (gpt(SMALL), CARRY, 8),
}

SPECIAL = (0, 1, -1, 2, 15, 16, 17, 24, 30, 31, 32, 62, 63, 64, 65)
ABSURD = (-64, 127, 1 << 20, -(1 << 20), (1 << 31) - 1, (1 << 63) - 1, -(1 << 63), (1 << 64) - 1)


def shifted(value, strength, rng):
    if strength == "mild":
        return value + rng.choice((-2, -1, 1, 2))
    if strength == "strong":
        return value + rng.randint(-8, 8)
    return rng.choice((rng.randint(-4, 34), rng.choice(SPECIAL), rng.choice(SPECIAL), rng.choice(ABSURD)))


def mutated(document, seed, group):
    """Another exponents file, and what was changed. Seed 0 changes nothing."""
    document, said = copy.deepcopy(document), []
    if seed == 0:
        return document, "as calibrated"
    rng = random.Random(f"{group} {seed}")
    strength = rng.choice(("mild", "mild", "strong", "absurd"))
    places = [(site, key) for site in document["sites"] for key in sorted(site) if isinstance(site[key], int)]
    places.append((document, "weight_bits"))
    # All of one kind at once, or a few.
    if rng.random() < 0.2:
        kind = rng.choice(sorted({key for _, key in places}))
        chosen, by = [place for place in places if place[1] == kind], rng.choice((-3, -1, 1, 3))
        for site, key in chosen:
            site[key] += by
        return document, f"every {kind} {by:+}"
    for site, key in rng.sample(places, rng.choice((1, 1, 2, 4))):
        value = shifted(site[key], strength, rng)
        said.append(f"{site.get('op', 'model').removeprefix('tensor.')}.{key} {site[key]} -> {value}")
        site[key] = value
    return document, ", ".join(said)


def all_cases():
    for group, (model, options, count) in BASES.items():
        for seed in range(count):
            yield Case(f"exponents: {group}", f"seed {seed}", model, options, model, seed)
    for name, model, options, code in constants():
        yield Case("constants and shapes", name, model, options, refused=code)
    # Constants that calibration does not see: it stops at some.
    for name, model, options, code in constants():
        if options == ARGMAX:
            yield Case("constants, exponents of others", name, model, options, small, 0, code)
