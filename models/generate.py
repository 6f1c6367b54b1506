#!/usr/bin/env python3
"""Writes transformer-shaped ONNX models with random weights. Needs numpy and onnx, not PyTorch.

    generate.py toy       models/toy_gpt.onnx: 2 layers, d 32, context 8, 16 tokens
    generate.py toy --rms --twins -o twins.onnx
    generate.py nanogpt   models/generated/nanogpt.onnx: 4 layers, d 64, context 64, 213k parameters
    generate.py block     models/generated/block.onnx: one such block, float in, float out
    generate.py llama-block models/generated/llama-block.onnx: one block of Llama's shape, 45M parameters
    generate.py mlp --activation relu -o mlp.onnx
    generate.py mlp --activation relu --gemm -o relu_mlp.onnx
    generate.py mlp --gated -o swiglu.onnx
    generate.py gpt2      models/generated/gpt2.onnx: GPT-2 small, 124M parameters, length 32
    generate.py gpt2-xl   models/generated/gpt2-xl.onnx: GPT-2 XL, 1.5B parameters, length 32
    generate.py gpt2-xl --layers 13 -o large.onnx    480M parameters, 2.2 GB: all weights in large.onnx.data

The graphs use the operators and node names that PyTorch's TorchScript exporter writes at opset 17
for nanoGPT: fused LayerNormalization, GELU spelled out with Erf, a causal mask applied by
Where(mask, -inf, scores). Weights are drawn at the scale of trained ones, so that attention is
peaked and logits are spread, and depend on the seed alone: the same command, the same model.
"""

import argparse
import dataclasses
import math
import os
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

MODELS = Path(__file__).resolve().parent
OPSET = 17
PAGE = 4096  # External weights start on pages, so that a reader can map them.
IR_VERSION = 8  # What the exporter writes with opset 17.


@dataclasses.dataclass(frozen=True)
class Shape:
    """The sizes of a GPT; `seq` is both the context and the static length of the input."""

    layers: int
    dim: int
    heads: int
    seq: int
    vocab: int


@dataclasses.dataclass(frozen=True)
class LlamaShape(Shape):
    """A block with grouped keys and values, and a gated MLP."""

    kv_heads: int
    hidden: int


TOY = Shape(layers=2, dim=32, heads=2, seq=8, vocab=16)
NANOGPT = Shape(layers=4, dim=64, heads=4, seq=64, vocab=136)
GPT2 = Shape(layers=12, dim=768, heads=12, seq=32, vocab=50257)
GPT2_XL = Shape(layers=48, dim=1600, heads=25, seq=32, vocab=50257)
LLAMA_BLOCK = LlamaShape(layers=1, dim=2048, heads=32, seq=32, vocab=1, kv_heads=8, hidden=5632)
EXTERNAL = ("gpt2", "gpt2-xl")  # Weights in a file of their own, <model>.data, written as they are drawn.


class GraphBuilder:
    """Appends nodes named after their module path, as the exporter does: /h.0/attn/qkv/MatMul."""

    def __init__(self, seed, data=None, rms=False):
        self.rng = np.random.default_rng(seed)
        self.rms = rms  # RMSNorm instead of LayerNorm.
        self.data = data  # File for the weights; None: they stand in the model.
        self.nodes = []
        self.initializers = []
        self._uses = {}

    def op(self, scope, op_type, *inputs, outputs=1, **attributes):
        """Appends one node; returns its output name, or the list of them if there are several."""
        name = self._unique(f"{scope}/{op_type}")
        names = [f"{name}_output_{i}" for i in range(outputs)]
        self.nodes.append(helper.make_node(op_type, inputs, names, name=name, **attributes))
        return names[0] if outputs == 1 else names

    def constant(self, scope, value, dtype=np.float32):
        return self.op(scope, "Constant", value=numpy_helper.from_array(np.array(value, dtype)))

    def weight(self, name, array):
        dtype = bool if array.dtype == bool else np.float32
        array = np.ascontiguousarray(array, dtype)
        external = self.data is not None and array.nbytes >= PAGE
        self.initializers.append(
            self._external(name, array) if external else numpy_helper.from_array(array, name))
        return name

    def draw(self, shape, std, mean=0.0):
        if self.data is None:
            return self.rng.normal(mean, std, shape)
        array = self.rng.standard_normal(shape, np.float32)
        array *= np.float32(std)
        array += np.float32(mean)
        return array

    def normal(self, name, shape, std, mean=0.0):
        return self.weight(name, self.draw(shape, std, mean))

    def _external(self, name, array):
        offset = self.data.tell()
        array.tofile(self.data)
        self.data.write(bytes(-array.nbytes % PAGE))
        tensor = onnx.TensorProto(
            name=name, data_type=helper.np_dtype_to_tensor_dtype(array.dtype), dims=array.shape,
            data_location=TensorProto.EXTERNAL)
        location = os.path.basename(self.data.name)
        for key, value in ("location", location), ("offset", offset), ("length", array.nbytes):
            tensor.external_data.add(key=key, value=str(value))
        return tensor

    def model(self, inputs, output):
        """Closes the graph: `output` is a (name, shape) that renames the last node's result."""
        name, shape = output
        self.nodes[-1].output[0] = name
        result = helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
        graph = helper.make_graph(self.nodes, "main_graph", inputs, [result], self.initializers)
        model = helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION,
            producer_name="lindero-models")
        if self.data is None:
            onnx.checker.check_model(model, full_check=True)
        return model

    def _unique(self, name):
        uses = self._uses.get(name, 0)
        self._uses[name] = uses + 1
        return f"{name}_{uses}" if uses else name


def linear(g, scope, x, fan_in, fan_out, gain=1.0, gemm=False):
    name = scope[1:].replace("/", ".")
    weight = g.normal(f"{name}.weight", (fan_out, fan_in) if gemm else (fan_in, fan_out), gain / math.sqrt(fan_in))
    bias = g.normal(f"{name}.bias", (fan_out,), 0.05)
    if gemm:
        return g.op(scope, "Gemm", x, weight, bias, alpha=1.0, beta=1.0, transB=1)
    return g.op(scope, "Add", bias, g.op(scope, "MatMul", x, weight))


def layer_norm(g, scope, x, dim):
    name = scope[1:].replace("/", ".")
    gamma = g.normal(f"{name}.weight", (dim,), 0.15, mean=1.0)
    if g.rms:
        square = g.op(scope, "ReduceMean", g.op(scope, "Mul", x, x), axes=[-1])
        root = g.op(scope, "Sqrt", g.op(scope, "Add", square, g.constant(scope, 1e-5)))
        return g.op(scope, "Mul", g.op(scope, "Div", x, root), gamma)
    beta = g.normal(f"{name}.bias", (dim,), 0.1)
    return g.op(scope, "LayerNormalization", x, gamma, beta, axis=-1, epsilon=1e-5)


def activate(g, scope, x, activation):
    if activation == "relu":
        return g.op(scope, "Relu", x)
    erf = g.op(scope, "Erf", g.op(scope, "Div", x, g.constant(scope, math.sqrt(2.0))))
    scaled = g.op(scope, "Mul", x, g.op(scope, "Add", erf, g.constant(scope, 1.0)))
    return g.op(scope, "Mul", scaled, g.constant(scope, 0.5))


def attention(g, scope, x, shape, mask):
    seq, dim, heads = shape.seq, shape.dim, shape.heads
    qkv = linear(g, f"{scope}/qkv", x, dim, 3 * dim, gain=1.5)
    parts = g.op(scope, "Split", qkv, g.constant(scope, [dim] * 3, np.int64), outputs=3, axis=2)
    split_heads = g.constant(scope, [1, seq, heads, dim // heads], np.int64)
    q, k, v = (g.op(scope, "Reshape", part, split_heads) for part in parts)
    q = g.op(scope, "Transpose", q, perm=[0, 2, 1, 3])
    k = g.op(scope, "Transpose", k, perm=[0, 2, 3, 1])
    v = g.op(scope, "Transpose", v, perm=[0, 2, 1, 3])
    scale = g.constant(scope, 1.0 / math.sqrt(dim // heads))
    scores = g.op(scope, "Mul", g.op(scope, "MatMul", q, k), scale)
    scores = g.op(scope, "Where", mask, g.constant(scope, -math.inf), scores)
    mixed = g.op(scope, "MatMul", g.op(scope, "Softmax", scores, axis=-1), v)
    mixed = g.op(scope, "Transpose", mixed, perm=[0, 2, 1, 3])
    mixed = g.op(scope, "Reshape", mixed, g.constant(scope, [1, seq, dim], np.int64))
    return linear(g, f"{scope}/proj", mixed, dim, dim, residual_gain(shape))


def residual_gain(shape):
    """GPT-2's rule: 2 * layers branches add up, so each gets its share of the variance."""
    return 1.0 / math.sqrt(2 * shape.layers)


def transformer_block(g, scope, x, shape, mask, activation):
    normed = layer_norm(g, f"{scope}/ln_1", x, shape.dim)
    x = g.op(scope, "Add", x, attention(g, f"{scope}/attn", normed, shape, mask))
    hidden = layer_norm(g, f"{scope}/ln_2", x, shape.dim)
    hidden = linear(g, f"{scope}/mlp/fc", hidden, shape.dim, 4 * shape.dim)
    hidden = activate(g, f"{scope}/mlp/act", hidden, activation)
    hidden = linear(g, f"{scope}/mlp/proj", hidden, 4 * shape.dim, shape.dim, residual_gain(shape))
    return g.op(scope, "Add", x, hidden)


def causal_mask(g, seq):
    """True where a score is dropped: the strict upper triangle."""
    return g.weight("causal_mask", ~np.tri(seq, dtype=bool)[None, None])


def make_gpt(shape, activation, seed, data=None, rms=False, twins=False):
    """input_ids int64 [1, seq] -> logits float [1, seq, vocab]; the head is wte transposed.

    With `twins`, tokens 2w and 2w + 1 have the same embedding, so that all logits are tied.
    """
    g = GraphBuilder(seed, data, rms)
    ids = helper.make_tensor_value_info("input_ids", TensorProto.INT64, [1, shape.seq])
    embedding = g.draw((shape.vocab, shape.dim), 3.0 / math.sqrt(shape.dim))
    if twins:
        embedding[1::2] = embedding[: shape.vocab // 2 * 2 : 2]
    tokens = g.op("/wte", "Gather", g.weight("wte.weight", embedding), ids.name)
    positions = g.constant("", [range(shape.seq)], np.int64)
    wpe = g.normal("wpe.weight", (shape.seq, shape.dim), 1.0 / math.sqrt(shape.dim))
    x = g.op("", "Add", tokens, g.op("/wpe", "Gather", wpe, positions))
    mask = causal_mask(g, shape.seq)
    for layer in range(shape.layers):
        x = transformer_block(g, f"/h.{layer}", x, shape, mask, activation)
    x = layer_norm(g, "/ln_f", x, shape.dim)
    g.op("/lm_head", "MatMul", x, g.weight("lm_head.weight", embedding.T))
    return g.model([ids], ("logits", [1, shape.seq, shape.vocab]))


def make_block(shape, activation, seed):
    """One pre-LayerNorm block with causal attention: x float [1, seq, dim] -> y, the same shape."""
    g = GraphBuilder(seed)
    size = [1, shape.seq, shape.dim]
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, size)
    transformer_block(g, "/h.0", x.name, shape, causal_mask(g, shape.seq), activation)
    return g.model([x], ("y", size))


def projection(g, scope, x, fan_in, fan_out, gain=1.0):
    """A linear layer without a bias."""
    weight = g.normal(f"{scope[1:].replace('/', '.')}.weight", (fan_in, fan_out), gain / math.sqrt(fan_in))
    return g.op(scope, "MatMul", x, weight)


def split_heads(g, scope, x, seq, heads, width):
    shape = g.constant(scope, [1, seq, heads, width], np.int64)
    return g.op(scope, "Transpose", g.op(scope, "Reshape", x, shape), perm=[0, 2, 1, 3])


def rotate(g, scope, x, cos, sin, width):
    """x cos + (-x2, x1) sin, x1 and x2 being the halves of a head."""
    cuts = [g.constant(scope, [n], np.int64) for n in (0, width // 2, width)]
    axis = g.constant(scope, [3], np.int64)
    first, second = (g.op(scope, "Slice", x, low, high, axis) for low, high in zip(cuts, cuts[1:]))
    turned = g.op(scope, "Concat", g.op(scope, "Neg", second), first, axis=-1)
    return g.op(scope, "Add", g.op(scope, "Mul", x, cos), g.op(scope, "Mul", turned, sin))


def repeat_heads(g, scope, x, shape, width):
    """Each head of keys or values for the queries of its group."""
    group = shape.heads // shape.kv_heads
    wide = g.constant(scope, [1, shape.kv_heads, group, shape.seq, width], np.int64)
    flat = g.constant(scope, [1, shape.heads, shape.seq, width], np.int64)
    x = g.op(scope, "Unsqueeze", x, g.constant(scope, [2], np.int64))
    return g.op(scope, "Reshape", g.op(scope, "Expand", x, wide), flat)


def make_llama_block(shape, seed):
    """x float [1, seq, dim] -> y: RMSNorm, rotary positions, grouped queries, causal, SwiGLU."""
    g = GraphBuilder(seed, rms=True)
    seq, dim, width = shape.seq, shape.dim, shape.dim // shape.heads
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, seq, dim])
    normed = layer_norm(g, "/input_layernorm", x.name, dim)
    heads = {"q": shape.heads, "k": shape.kv_heads, "v": shape.kv_heads}
    projected = {name: projection(g, f"/self_attn/{name}_proj", normed, dim, n * width, 1.5) for name, n in heads.items()}
    q, k, v = (split_heads(g, f"/self_attn/{name}", projected[name], seq, n, width) for name, n in heads.items())
    angles = np.arange(seq)[:, None] * 10000.0 ** (-np.arange(0, width, 2) / width)
    angles = np.concatenate([angles, angles], axis=1)[None, None]
    cos, sin = g.weight("cos", np.cos(angles)), g.weight("sin", np.sin(angles))
    q, k = (rotate(g, f"/self_attn/rotate_{name}", x, cos, sin, width) for name, x in (("q", q), ("k", k)))
    k, v = (repeat_heads(g, f"/self_attn/repeat_{name}", x, shape, width) for name, x in (("k", k), ("v", v)))
    scores = g.op("/self_attn", "MatMul", q, g.op("/self_attn", "Transpose", k, perm=[0, 1, 3, 2]))
    scores = g.op("/self_attn", "Mul", scores, g.constant("/self_attn", 1.0 / math.sqrt(width)))
    scores = g.op("/self_attn", "Where", causal_mask(g, seq), g.constant("/self_attn", -math.inf), scores)
    mixed = g.op("/self_attn", "MatMul", g.op("/self_attn", "Softmax", scores, axis=-1), v)
    mixed = g.op("/self_attn", "Transpose", mixed, perm=[0, 2, 1, 3])
    mixed = g.op("/self_attn", "Reshape", mixed, g.constant("/self_attn", [1, seq, dim], np.int64))
    middle = g.op("", "Add", x.name, projection(g, "/self_attn/o_proj", mixed, dim, dim, residual_gain(shape)))
    normed = layer_norm(g, "/post_attention_layernorm", middle, dim)
    gate = projection(g, "/mlp/gate_proj", normed, dim, shape.hidden)
    silu = g.op("/mlp/act_fn", "Mul", gate, g.op("/mlp/act_fn", "Sigmoid", gate))
    product = g.op("/mlp", "Mul", silu, projection(g, "/mlp/up_proj", normed, dim, shape.hidden))
    g.op("", "Add", middle, projection(g, "/mlp/down_proj", product, shape.hidden, dim, residual_gain(shape)))
    return g.model([x], ("y", [1, seq, dim]))


def make_mlp(sizes, activation, seed, gemm=False):
    """x float [1, sizes[0]] -> y float [1, sizes[-1]]; the activation stands between layers.

    With `gemm`, a layer is one Gemm, as the exporter writes nn.Linear on matrices, and not MatMul and Add.
    """
    g = GraphBuilder(seed)
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, sizes[0]])
    value = x.name
    for i, (fan_in, fan_out) in enumerate(zip(sizes, sizes[1:])):
        if i:
            value = activate(g, f"/act.{i - 1}", value, activation)
        value = linear(g, f"/fc.{i}", value, fan_in, fan_out, gemm=gemm)
    return g.model([x], ("y", [1, sizes[-1]]))


def make_gated_mlp(sizes, rows, seed):
    """x float [1, rows, d] -> y of the same shape: (SiLU(x Wg) * (x Wu)) Wd, as in SwiGLU; sizes are d and the hidden one."""
    g = GraphBuilder(seed)
    outer, hidden = sizes
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, rows, outer])
    gate = linear(g, "/gate", x.name, outer, hidden)
    silu = g.op("/act", "Mul", gate, g.op("/act", "Sigmoid", gate))
    product = g.op("", "Mul", silu, linear(g, "/up", x.name, outer, hidden))
    linear(g, "/down", product, hidden, outer)
    return g.model([x], ("y", [1, rows, outer]))


def parameter_count(model):
    """Trained values: float weights, the tied head once, no masks and no scalar constants."""
    weights = (w for w in model.graph.initializer if w.data_type == TensorProto.FLOAT)
    return sum(math.prod(w.dims) for w in weights if w.name not in ("lm_head.weight", "cos", "sin"))


def parse_args():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("-o", "--output", type=Path)
    common.add_argument("--seed", type=int, default=1)
    common.add_argument("--activation", choices=["gelu", "relu"], default="gelu")
    models = parser.add_subparsers(dest="model", required=True)
    block = dataclasses.replace(NANOGPT, layers=1)
    gpts = {"toy": TOY, "nanogpt": NANOGPT, "gpt2": GPT2, "gpt2-xl": GPT2_XL, "block": block}
    for name, defaults in gpts.items():
        sub = models.add_parser(name, parents=[common])
        for field, default in dataclasses.asdict(defaults).items():
            if name != "block" or field in ("dim", "heads", "seq"):
                sub.add_argument(f"--{field}", type=int, default=default)
            else:
                sub.set_defaults(**{field: default})
        if name != "block":
            sub.add_argument("--rms", action="store_true", help="RMSNorm instead of LayerNorm")
            sub.add_argument("--twins", action="store_true", help="tokens 2w and 2w + 1 are alike")
    llama = models.add_parser("llama-block", parents=[common])
    for field, default in dataclasses.asdict(LLAMA_BLOCK).items():
        if field in ("layers", "vocab"):
            llama.set_defaults(**{field: default})
        else:
            llama.add_argument(f"--{field.replace('_', '-')}", type=int, default=default)
    mlp = models.add_parser("mlp", parents=[common])
    mlp.add_argument("--sizes", type=int, nargs="+", default=[64, 256, 64])
    mlp.add_argument("--gemm", action="store_true", help="a layer is one Gemm, not MatMul and Add (without --gated)")
    mlp.add_argument("--gated", action="store_true", help="SwiGLU (SiLU, whatever --activation is) of the first two sizes, 8 rows")
    args = parser.parse_args()
    if args.model == "mlp":
        valid = len(args.sizes) >= 2 and min(args.sizes) > 0
    else:
        kind = LlamaShape if args.model == "llama-block" else Shape
        args.shape = kind(**{f.name: getattr(args, f.name) for f in dataclasses.fields(kind)})
        valid = min(dataclasses.astuple(args.shape)) > 0 and args.dim % args.heads == 0
        if kind is LlamaShape:
            valid = valid and args.heads % args.kv_heads == 0 and args.dim // args.heads % 2 == 0
    if not valid:
        parser.error("sizes must be positive, dim a multiple of heads, heads of kv-heads, and an MLP has two or more")
    return args


def main():
    args = parse_args()
    stem = "mlp_" + "_".join(map(str, args.sizes)) if args.model == "mlp" else args.model
    default = MODELS / "toy_gpt.onnx" if stem == "toy" else MODELS / "generated" / f"{stem}.onnx"
    output = args.output or default
    output.parent.mkdir(parents=True, exist_ok=True)
    if args.model == "mlp" and args.gated:
        model = make_gated_mlp(args.sizes[:2], 8, args.seed)
    elif args.model == "mlp":
        model = make_mlp(args.sizes, args.activation, args.seed, args.gemm)
    elif args.model == "block":
        model = make_block(args.shape, args.activation, args.seed)
    elif args.model == "llama-block":
        model = make_llama_block(args.shape, args.seed)
    elif args.model in EXTERNAL:
        with open(f"{output}.data", "wb") as data:
            model = make_gpt(args.shape, args.activation, args.seed, data, args.rms, args.twins)
    else:
        model = make_gpt(args.shape, args.activation, args.seed, None, args.rms, args.twins)
    onnx.save(model, output)
    if args.model in EXTERNAL:
        onnx.checker.check_model(str(output))
    print(f"{output}: {parameter_count(model):,} parameters, {len(model.graph.node)} nodes")


if __name__ == "__main__":
    main()
