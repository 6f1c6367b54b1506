#!/usr/bin/env python3
"""Makes the models of this folder, with inputs and with what onnxruntime makes of them.

    pip install onnxruntime==1.32.0 onnx==1.19.1
    python3 tests/onnx_node/runtime/make.py

NAME.onnx goes with cases.json: NAME -> {"inputs": {name: [values]}, "outputs": {name: [values]}, "canonical": bool,
"tolerance": t}. `canonical` says that import cleanup brings the model into canonical form; our float interpreter may
differ by t times the largest element. Those of blocks.py, families.py, wholes.py, choices.py and export.py are proven, too
(tests/e2e/kinds_test.py), and say so: {..., "proven": true}; integers are then equal: {..., "exact": true}.
"""

import json
from pathlib import Path

import numpy as np
import onnx
import onnxruntime

from blocks import BLOCKS
from choices import CHOICES
from families import FAMILIES
from graph import FLOAT, Graph
from wholes import WHOLES

HERE = Path(__file__).resolve().parent
T, D, H = 4, 8, 12
F16_MASK = np.triu(np.full((T, T), -65504, np.float32), 1)


def chain(seed, opset=17):
    return Graph(seed, [("x", FLOAT, (1, T, D))], opset)


# Functions of h, between two linears.

FUNCTIONS = {
    "relu": lambda g, h: g.add("Relu", h),
    "capped_at_50": lambda g, h: g.add("Clip", h, 0.0, 50.0),
    "relu6": lambda g, h: g.add("Clip", h, 0.0, 6.0),
    "open_below": lambda g, h: g.add("Clip", h, "", 1.5),
    "open_above": lambda g, h: g.add("Clip", h, -0.25),
    "quick_gelu": lambda g, h: g.add("Mul", h, g.add("Sigmoid", g.add("Mul", h, 1.702))),
    "gelu": lambda g, h: g.add("Mul", g.add("Mul", h, g.add("Add", g.add("Erf", g.add("Div", h, 1.4142135)), 1.0)), 0.5),
    "near_gelu": lambda g, h: g.add("Mul", g.add("Mul", h, g.add("Add", g.add("Erf", g.add("Div", h, 1.41)), 1.0)), 0.5),
    "half_precision_gelu": lambda g, h: g.add("Mul", g.add("Mul", h, g.add("Add", g.add("Erf", g.add("Div", h, 1.4140625)), 1.0)), 0.5),
    "gelu_tanh": lambda g, h: g.add("Mul", g.add("Mul", 0.5, h), g.add("Add", 1.0, g.add("Tanh", g.add(
        "Mul", 0.7978845608, g.add("Add", h, g.add("Mul", 0.044715, g.add("Pow", h, 3.0))))))),
    "gelu_op": lambda g, h: g.add("Gelu", h),
    "gelu_tanh_op": lambda g, h: g.add("Gelu", h, approximate="tanh"),
    "squared_relu": lambda g, h: g.add("Pow", g.add("Relu", h), 2.0),
    "softplus": lambda g, h: g.add("Softplus", h),
    "softplus_written_out": lambda g, h: g.add("Log", g.add("Add", g.add("Exp", h), 1.0)),
    "elu": lambda g, h: g.add("Elu", h, alpha=0.7),
    "selu": lambda g, h: g.add("Selu", h),
    "celu": lambda g, h: g.add("Celu", h, alpha=2.0),
    "leaky_relu": lambda g, h: g.add("LeakyRelu", h, alpha=0.2),
    "hard_sigmoid": lambda g, h: g.add("HardSigmoid", h),
    "hard_swish": lambda g, h: g.add("HardSwish", h),
    "mish": lambda g, h: g.add("Mish", h),
    "softsign": lambda g, h: g.add("Softsign", h),
    "thresholded_relu": lambda g, h: g.add("ThresholdedRelu", h, alpha=0.3),
    "prelu": lambda g, h: g.add("PRelu", h, [0.15]),
    "step": lambda g, h: g.add("Where", g.add("Less", h, 0.1), g.add("Mul", h, -2.0), g.add("Add", h, 3.0)),
    "root": lambda g, h: g.add("Sqrt", g.add("Add", g.add("Abs", h), 0.5)),
    "reciprocal_root": lambda g, h: g.add("Reciprocal", g.add("Sqrt", g.add("Add", g.add("Mul", h, h), 1.0))),
    "power": lambda g, h: g.add("Pow", g.add("Add", g.add("Abs", h), 1.0), -1.5),
    "sign_of_a_part": lambda g, h: g.add("Mul", g.add("Sign", h), g.add("Max", g.add("Abs", h), 0.5)),
    "wave": lambda g, h: g.add("Add", g.add("Sin", g.add("Mul", h, 0.05)), g.add("Cos", g.add("Mul", h, 0.03))),
    "same_number_everywhere": lambda g, h: g.add("Min", g.add("Max", h, np.full(H, -0.5)), np.full((1, 1, H), 0.75)),
    "beside_itself": lambda g, h: g.add("Add", h, g.add("Tanh", h)),
    "scaled_before": lambda g, h: g.add("Tanh", g.add("Sub", g.add("Mul", h, 0.3), 0.2)),
}


def function(name):
    opset = 20 if name.startswith("gelu_") and name.endswith("_op") or name == "gelu_op" else 18
    g = chain(len(name), opset=opset)
    h = g.linear("x", D, H)
    return g.model(g.linear(FUNCTIONS[name](g, h), H, D))


# Rewrites with constants that only nearly fit, or hardly fit single precision.

def norm(g, x, epsilon=1e-5, outside=0.0, power=False):
    d = g.add("Sub", x, g.add("ReduceMean", x, axes=[-1]))
    variance = g.add("Add", g.add("ReduceMean", g.add("Pow", d, 2.0), axes=[-1]), epsilon)
    root = g.add("Pow", variance, 0.5) if power else g.add("Sqrt", variance)
    return g.add("Div", d, g.add("Add", root, outside) if outside else root)


def attention(g, x, scale, masked, floor=None):
    q, k, v = (g.linear(x, D, D) for _ in range(3))
    heads = [g.add("Transpose", g.add("Reshape", y, np.array([0, 0, 2, D // 2])), perm=p)
             for y, p in ((q, [0, 2, 1, 3]), (k, [0, 2, 3, 1]), (v, [0, 2, 1, 3]))]
    scores = g.add("Mul", g.add("MatMul", heads[0], heads[1]), scale)
    scores = g.add("Add", scores, masked) if masked is not None else scores
    scores = g.add("Max", scores, floor) if floor is not None else scores
    mixed = g.add("MatMul", g.add("Softmax", scores, axis=-1), heads[2])
    return g.add("Reshape", g.add("Transpose", mixed, perm=[0, 2, 1, 3]), np.array([0, 0, D]))


def layernorm(epsilon, **options):
    g = chain(3)
    return g.model(g.linear(norm(g, "x", epsilon, **options), D, D))


def masked(seed, scale, mask, floor=None):
    g = chain(seed)
    return g.model(g.linear(attention(g, "x", scale, mask, floor), D, D))


def scaled_linear(factors, bias=True):
    g = chain(5)
    y = g.linear("x", D, D) if bias else g.add("MatMul", "x", g.weights(D, D))
    for factor in factors:
        y = g.add("Mul", y, factor)
    return g.model(g.add("Relu", y))


def copies():
    """Reshape copies sizes by 0, also where there are none; Split by number."""
    g = chain(9, opset=18)
    empty = g.add("Reshape", np.zeros((1, 2, 0, D), np.float32), np.array([1, 2, 0, D]))
    x = g.add("Concat", empty, g.add("Reshape", "x", np.array([1, 2, -1, D])), axis=2)
    parts = g.add("Split", g.add("Reshape", x, np.array([0, T, D])), outputs=3, axis=-1, num_outputs=3)
    return g.model(g.add("Concat", parts[2], parts[0], parts[1], axis=-1))


def scale_per_position():
    g = chain(10)
    scale, bias = g.weights(1, T, D), g.weights(1, T, D)
    return g.model(g.add("LayerNormalization", "x", scale, bias, axis=-1))


LOWER = np.tril(np.ones((T, T), bool))
CASES = {
    "layernorm": (lambda: layernorm(1e-5), True),
    "layernorm_large_epsilon": (lambda: layernorm(0.3), True),
    "layernorm_power": (lambda: layernorm(1e-3, power=True), True),
    "layernorm_deviation": (lambda: layernorm(1e-5, outside=0.2), True),
    "attention_minus_infinity": (lambda: masked(1, 0.5, np.where(LOWER, 0.0, -np.inf)), True),
    "attention_half_lowest": (lambda: masked(2, 0.5, F16_MASK), True),
    "attention_lowest": (lambda: masked(2, 0.5, np.where(LOWER, 0.0, np.finfo(np.float32).min), np.finfo(np.float32).min), True),
    "attention_minus_10000": (lambda: masked(3, 0.5, np.where(LOWER, 0.0, -1e4)), True),
    "attention_weak_mask": (lambda: masked(3, 0.5, np.where(LOWER, 0.0, -2)), True),
    "attention_other_scale": (lambda: masked(4, 0.5000004, None), True),
    "attention_scaled_less_once": (lambda: masked(4, np.where(LOWER, 0.5, 0.50001), None), True),
    "linear_scaled": (lambda: scaled_linear([3.0, 0.5]), True),
    "linear_scaled_to_nothing_and_back": (lambda: scaled_linear([1e-30, 1e30]), True),
    "linear_scaled_without_bias": (lambda: scaled_linear([1e-30, 1e30], bias=False), True),
    "copies": (copies, True),
    "scale_per_position": (scale_per_position, True),
}
CASES |= {f"function_{name}": (lambda name=name: function(name), True) for name in FUNCTIONS}


def far_row():
    x = np.random.default_rng(0).standard_normal((1, T, D)).astype(np.float32)
    x[0, 1] *= 30  # a row that reaches far
    return {"x": x}


def told(model, inputs, **more):
    """The model's entry of cases.json; inputs become what its graph declares."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL  # each node as it stands
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    types = {"tensor(float)": np.float32, "tensor(float16)": np.float16, "tensor(int64)": np.int64, "tensor(bool)": np.bool_}
    given = {i.name: inputs[i.name].astype(types[i.type]) for i in session.get_inputs()}
    names = [output.name for output in session.get_outputs()]
    flat = lambda array: (array.astype(int) if array.dtype == bool else array).ravel().tolist()
    outputs = {name: flat(array) for name, array in zip(names, session.run(names, given))}
    return {"inputs": {name: flat(array) for name, array in given.items()}, "outputs": outputs, **more}


def exported(path):
    """What export.py made, and what it is given."""
    model, rng = onnx.load(path), np.random.default_rng(0)
    inputs = {}
    for given in model.graph.input:
        shape = [size.dim_value for size in given.type.tensor_type.shape.dim]
        if given.name == "mask":
            inputs["mask"] = np.arange(shape[1]) < np.array([[shape[1]], [shape[1] - 2]])
        elif given.name == "types":
            inputs["types"] = np.arange(shape[1]) >= np.array([[2], [3]])
        else:
            inputs[given.name] = rng.integers(2, 20, shape) if given.name == "ids" else rng.standard_normal(shape)
    return model, inputs


def main():
    for old in HERE.glob("*.onnx"):
        if not old.name.startswith("exported_"):
            old.unlink()
    entries = {}
    for name, (make, canonical) in CASES.items():
        entries[name] = make(), far_row(), {"canonical": canonical, "tolerance": 2e-6}
    for kind, cases in (("block", BLOCKS), ("family", FAMILIES)):
        for name, case in cases.items():
            more = {"canonical": True, "tolerance": case.tolerance, "proven": True}
            entries[f"{kind}_{name}"] = case.make(), case.inputs(np.random.default_rng(0)), more
    for name, case in WHOLES.items():
        more = {"canonical": True, "tolerance": 0.0, "proven": True, "exact": True}
        entries[f"whole_{name}"] = case.make(), case.inputs(np.random.default_rng(0)), more
    for name, (case, integers) in CHOICES.items():
        more = {"canonical": True, "tolerance": case.tolerance, "proven": True} | ({"exact": True} if integers else {})
        entries[f"choice_{name}"] = case.make(), case.inputs(np.random.default_rng(0)), more
    for path in sorted(HERE.glob("exported_*.onnx")):
        entries[path.stem] = *exported(path), {"canonical": True, "tolerance": 1e-5, "proven": True}
    lines = []
    for name, (model, inputs, more) in entries.items():
        if not name.startswith("exported_"):
            (HERE / f"{name}.onnx").write_bytes(model.SerializeToString())
        lines.append(f"{json.dumps(name)}: {json.dumps(told(model, inputs, **more))}")
    (HERE / "cases.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    main()
