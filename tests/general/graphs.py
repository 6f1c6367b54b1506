"""Random ONNX graphs: ops of the general path in any order, between transposes and broadcasts, with two outputs."""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

OPSET = 17
MOST_ELEMENTS = 2048  # of a tensor
UNARY = ("Relu", "Tanh", "Sigmoid", "Erf", "Abs", "Neg", "Softplus", "HardSwish", "Sin", "Elu", "LeakyRelu")
COMPARISONS = ("Greater", "GreaterOrEqual", "Less", "LessOrEqual")


class RandomModel:
    """`model` is an ONNX model, `inputs(seed)` what it may be given. The same seed gives the same."""

    def __init__(self, seed, ops):
        self.random = np.random.default_rng(seed)
        self.nodes, self.constants, self.values = [], [], []  # values: (name, shape) of reals
        batch = int(self.random.integers(1, 4))
        self.shapes = {}
        for name in ("x", "y")[: self.below(2) + 1]:
            rank = 1 + self.below(5)
            shape = [2 + self.below(5) for _ in range(rank)]
            if rank > 2:
                shape[0] = batch
            self.shapes[name] = tuple(shape)
            self.values.append((name, tuple(shape)))
        self.mask = None
        if self.below(3) == 0:
            self.mask = ("mask", (self.values[0][1][-1],))
        while len(self.nodes) < ops:
            self.step()
        outputs = [self.values[-1]]
        if len(self.values) > 3 and self.values[-3][0] not in self.shapes:
            outputs.append(self.values[-3])
        self.model = self.build(outputs)

    def below(self, count):
        return int(self.random.integers(count))

    def inputs(self, seed):
        random = np.random.default_rng(seed)
        arrays = {name: random.normal(size=shape).astype(np.float32) for name, shape in self.shapes.items()}
        if self.mask:
            row = np.ones(self.mask[1], np.int64)
            row[1 + random.integers(row.size):] = 0
            arrays["mask"] = row
        return arrays

    # Making of nodes ------------------------------------------------------------------------------

    def constant(self, array):
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(array), name))
        return name

    def node(self, op, inputs, shape, keep=True, **attributes):
        name = f"v{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, inputs, [name], name=f"/{op}_{len(self.nodes)}", **attributes))
        if keep:
            self.values.append((name, tuple(int(size) for size in shape)))
        return name

    def reals(self, shape, scale=1.0):
        return self.constant((self.random.normal(size=shape) * scale).astype(np.float32))

    def pick(self):
        return self.values[-1 - self.below(min(len(self.values), 4))]

    def broadcast(self, shape):
        """A shape that broadcasts to this one."""
        rank = self.below(len(shape) + 1)
        return tuple(1 if self.below(3) == 0 else size for size in shape[len(shape) - rank:])

    def partner(self, shape):
        """Something that broadcasts with it: computed if there is, else constant."""
        for name, other in reversed(self.values):
            try:
                whole = np.broadcast_shapes(shape, other)
            except ValueError:
                continue
            if self.below(2) and np.prod(whole) <= MOST_ELEMENTS and other != ():
                return name, whole
        return self.reals(self.broadcast(shape)), shape

    def step(self):
        x, shape = self.pick()
        steps = [self.unary, self.binary, self.binary, self.choice, self.transpose, self.reshape, self.slice, self.concat,
                 self.expand, self.gather, self.reduce, self.softmax, self.norm, self.linear, self.linear, self.product]
        if self.mask:
            steps += [self.masked]
        steps[self.below(len(steps))](x, shape)

    def unary(self, x, shape):
        self.node(UNARY[self.below(len(UNARY))], [x], shape)

    def binary(self, x, shape):
        other, whole = self.partner(shape)
        op = ("Add", "Sub", "Mul", "Max", "Min", "Div")[self.below(6)]
        if op == "Div":
            size = self.node("Abs", [other], (), keep=False)
            other = self.node("Add", [size, self.constant(np.float32(1))], (), keep=False)
        self.node(op, [x, other], whole)

    def choice(self, x, shape):
        other, whole = self.partner(shape)
        condition = self.node(COMPARISONS[self.below(4)], [x, other], (), keep=False)
        if self.below(3) == 0:
            condition = self.node("Not", [condition], (), keep=False)
        self.node("Where", [condition, x, self.node("Tanh", [other], (), keep=False)], whole)

    def masked(self, x, shape):
        if shape[-1:] != self.mask[1]:
            return
        condition = self.node("Cast", ["mask"], (), keep=False, to=TensorProto.BOOL)
        if self.below(2):
            self.node("Where", [condition, x, self.constant(np.float32(0.5))], shape)
            return
        scores = self.node("Where", [condition, x, self.constant(np.float32(-np.inf))], (), keep=False)
        self.node("Softmax", [scores], shape, axis=-1)

    def transpose(self, x, shape):
        perm = [int(axis) for axis in self.random.permutation(len(shape))]
        self.node("Transpose", [x], [shape[axis] for axis in perm], perm=perm)

    def reshape(self, x, shape):
        sizes = [size for size in shape if size > 1]
        self.random.shuffle(sizes)
        if len(sizes) > 1 and self.below(2):
            sizes[:2] = [sizes[0] * sizes[1]]
        if len(sizes) < 5 and self.below(2):
            sizes.insert(self.below(len(sizes) + 1), 1)
        if sizes:
            self.node("Reshape", [x, self.constant(np.array(sizes, np.int64))], sizes)

    def slice(self, x, shape):
        axis, step = self.below(len(shape)), (1, 1, 2, -1)[self.below(4)]
        begin, end = (0, shape[axis]) if step > 0 else (shape[axis] - 1, -shape[axis] - 1)
        if step == 1 and shape[axis] > 1:
            begin = self.below(shape[axis] - 1)
        kept = list(shape)
        kept[axis] = len(range(*slice(begin, end if step > 0 else None, step).indices(shape[axis])))
        self.node("Slice", [x, *(self.constant(np.array([n], np.int64)) for n in (begin, end, axis, step))], kept)

    def concat(self, x, shape):
        axis = self.below(len(shape))
        other = next((name for name, same in reversed(self.values) if same == shape), x)
        whole = list(shape)
        whole[axis] *= 2
        if np.prod(whole) <= MOST_ELEMENTS:
            self.node("Concat", [x, other], whole, axis=axis)

    def expand(self, x, shape):
        whole = [size if size > 1 else 1 + self.below(3) for size in shape]
        if len(whole) < 5 and self.below(2):
            whole.insert(0, 2)
        if np.prod(whole) <= MOST_ELEMENTS:
            self.node("Expand", [x, self.constant(np.array(whole, np.int64))], whole)

    def gather(self, x, shape):
        axis = self.below(len(shape))
        indices = self.random.integers(-shape[axis], shape[axis], size=1 + self.below(4))
        self.node("Gather", [x, self.constant(indices.astype(np.int64))],
                  [*shape[:axis], indices.size, *shape[axis + 1:]], axis=axis)

    def reduce(self, x, shape):
        axis, keep = self.below(len(shape)), self.below(2)
        op = ("ReduceMean", "ReduceSum", "ReduceMax", "ReduceMin")[self.below(4)]
        kept = [*shape[:axis], *([1] if keep else []), *shape[axis + 1:]]
        if not kept:
            return
        if op == "ReduceSum":
            self.node(op, [x, self.constant(np.array([axis], np.int64))], kept, keepdims=keep)
        else:
            self.node(op, [x], kept, axes=[axis], keepdims=keep)

    def softmax(self, x, shape):
        self.node("Softmax", [x], shape, axis=self.below(len(shape)) - len(shape))

    def norm(self, x, shape):
        if shape[-1] > 2:
            self.node("LayerNormalization", [x, self.reals(shape[-1:]), self.reals(shape[-1:])], shape, axis=-1, epsilon=1e-3)

    def linear(self, x, shape):
        width = 2 + self.below(6)
        product = self.node("MatMul", [x, self.reals((shape[-1], width), shape[-1] ** -0.5)], (*shape[:-1], width))
        if self.below(2):
            self.node("Add", [product, self.reals((width,))], (*shape[:-1], width))

    def product(self, x, shape):
        """With its own transposed matrices."""
        if len(shape) < 2:
            return
        perm = [*range(len(shape) - 2), len(shape) - 1, len(shape) - 2]
        turned = self.node("Transpose", [x], (), keep=False, perm=perm)
        whole = (*shape[:-1], shape[-2])
        if np.prod(whole) <= MOST_ELEMENTS:
            product = self.node("MatMul", [x, turned], (), keep=False)
            self.node("Mul", [product, self.constant(np.float32(1 / shape[-1]))], whole)

    # The model ------------------------------------------------------------------------------------

    def build(self, outputs):
        def real(name, shape):
            return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)

        used = {name for node in self.nodes for name in node.input}
        inputs = [real(name, shape) for name, shape in self.shapes.items()]
        if self.mask and "mask" in used:
            inputs.append(helper.make_tensor_value_info("mask", TensorProto.INT64, self.mask[1]))
        else:
            self.mask = None
        graph = helper.make_graph(self.nodes, "general", inputs, [real(name, shape) for name, shape in outputs],
                                  self.constants)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8)
        onnx.checker.check_model(model, full_check=True)
        return model
