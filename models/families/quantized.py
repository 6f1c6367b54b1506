"""One model, a BERT, in the number formats that files come in."""

import copy

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_dynamic, quantize_static
from onnxruntime.transformers.float16 import convert_float_to_float16

from causal import VOCABULARY, LENGTH, arrays
from encoders import TEXT, Hidden, build, text_inputs
from export import dynamo, quiet, torchscript
from model import Model, Sample

# Rounding to int8 amplifies what the float kernels differ by.
LEAST_STATIC, LEAST_DYNAMIC = 0.997, 0.998


class Tokens(CalibrationDataReader):
    def __init__(self, runs=32):
        random = np.random.default_rng(11)
        self.runs = iter([{"input_ids": random.integers(3, VOCABULARY, (1, LENGTH))} for _ in range(runs)])

    def get_next(self):
        return next(self.runs, None)


def export(path, model=None):
    inputs = text_inputs(False)
    torchscript(model or Hidden(build(*TEXT["bert"])), inputs, ["y"], path)
    return Sample(arrays(inputs))


def static(activations, weights, per_channel=False):
    def make(path):
        source = path.with_suffix(".float")
        sample = export(source)
        with quiet():
            quantize_static(source, path, Tokens(), quant_format=QuantFormat.QDQ, activation_type=activations,
                            weight_type=weights, per_channel=per_channel)
        source.unlink()
        return sample
    return make


def dynamic(path):
    source = path.with_suffix(".float")
    sample = export(source)
    with quiet():
        quantize_dynamic(source, path, weight_type=QuantType.QInt8)
    source.unlink()
    return sample


def half(path, keep_io=False):
    sample = export(path)
    with quiet():
        onnx.save(convert_float_to_float16(onnx.load(path), keep_io_types=keep_io), path)
    return sample


def half_by_torch(path):
    return export(path, Hidden(build(*TEXT["bert"])).half())


def rounded(path):
    """The weights as bfloat16 rounds them, in single precision: what onnxruntime runs."""
    reference = path.with_suffix(".float")
    model = Hidden(build(*TEXT["bert"]))
    for parameter in model.parameters():
        parameter.data = parameter.data.bfloat16().float()
    return reference, model, export(reference, model)


def bfloat16_weights(path):
    """Each stored in bfloat16, cast to float where it is used."""
    reference, _, sample = rounded(path)
    model = onnx.load(reference)
    casts = []
    for tensor in model.graph.initializer:
        if tensor.data_type != TensorProto.FLOAT:
            continue
        name, bits = tensor.name, numpy_helper.to_array(tensor).view(np.uint32) >> 16
        tensor.CopyFrom(helper.make_tensor(name + ".bf16", TensorProto.BFLOAT16, tensor.dims,
                                           bits.astype("<u2").tobytes(), raw=True))
        casts.append(helper.make_node("Cast", [name + ".bf16"], [name], to=TensorProto.FLOAT))
    nodes = casts + list(model.graph.node)
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    onnx.save(model, path)
    reference.unlink()
    return sample


def bfloat16_by_torch(path):
    """onnxruntime has no kernels for it: compared with single precision and the same weights."""
    reference, model, sample = rounded(path)
    dynamo(copy.deepcopy(model).bfloat16(), text_inputs(False), ["y"], path)
    sample.reference = reference.name
    return sample


def models():
    u8, s8 = QuantType.QUInt8, QuantType.QInt8
    yield Model("quantized_qdq_unsigned", "quantized", "QDQ, uint8 and int8", static(u8, s8), LEAST_STATIC)
    yield Model("quantized_qdq_signed", "quantized", "QDQ, int8 and int8", static(s8, s8), LEAST_STATIC)
    yield Model("quantized_qdq_per_channel", "quantized", "QDQ, int8, per channel", static(s8, s8, True), LEAST_STATIC)
    yield Model("quantized_qdq_all_unsigned", "quantized", "QDQ, uint8 and uint8", static(u8, u8), LEAST_STATIC)
    yield Model("quantized_dynamic", "quantized", "dynamic, int8", dynamic, LEAST_DYNAMIC)
    yield Model("quantized_fp16", "quantized", "fp16", half)
    yield Model("quantized_fp16_inside", "quantized", "fp16, inputs and outputs fp32",
                lambda path: half(path, keep_io=True))
    yield Model("quantized_fp16_by_torch", "quantized", "fp16, exported in fp16", half_by_torch)
    yield Model("quantized_bf16_weights", "quantized", "weights in bf16", bfloat16_weights)
    yield Model("quantized_bf16_by_torch", "quantized", "bf16, exported in bf16", bfloat16_by_torch)
