"""What the models of this folder are written with: a chain of nodes, constants and weights that a seed draws."""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

FLOAT, HALF, INTEGER, BOOLEAN = TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.INT64, TensorProto.BOOL


class Graph:
    """A chain of nodes that ends in y, and maybe in others; `inputs` are (name, element type, shape)."""

    def __init__(self, seed, inputs, opset=17):
        self.rng, self.opset, self.inputs = np.random.default_rng(seed), opset, inputs
        self.nodes, self.constants = [], []

    def add(self, op, *inputs, outputs=1, **attributes):
        names = [f"v{len(self.nodes)}_{i}" for i in range(outputs)]
        given = [x if isinstance(x, str) else self.constant(x) for x in inputs]
        self.nodes.append(helper.make_node(op, given, names, name=f"/{op}_{len(self.nodes)}", **attributes))
        return names[0] if outputs == 1 else names

    def constant(self, value):
        array = np.asarray(value)
        if array.dtype == np.float64:
            array = array.astype(np.float32)
        self.constants.append(numpy_helper.from_array(array, f"c{len(self.constants)}"))
        return self.constants[-1].name

    def weights(self, *shape):
        return (self.rng.standard_normal(shape) / np.sqrt(shape[0])).astype(np.float32)

    def linear(self, x, inner, outer):
        return self.add("Add", self.add("MatMul", x, self.weights(inner, outer)), self.weights(outer))

    def model(self, y, element=FLOAT, **others):
        """`others` are more outputs: name -> value."""
        outputs = {"y": y, **others}
        self.nodes += [helper.make_node("Identity", [value], [name], name=f"/{name}") for name, value in outputs.items()]
        graph = helper.make_graph(self.nodes, "case", [helper.make_tensor_value_info(*i) for i in self.inputs],
                                  [helper.make_tensor_value_info(name, element, None) for name in outputs], self.constants)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", self.opset)], ir_version=9)
        return onnx.shape_inference.infer_shapes(model, strict_mode=True)
