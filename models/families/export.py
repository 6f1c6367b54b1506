"""Both exporters of PyTorch, called as people call them."""

import io
import logging
import warnings
from contextlib import contextmanager, redirect_stderr, redirect_stdout

import onnx
import torch


@contextmanager
def quiet():
    """Exporters write pages of warnings."""
    disabled = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    with warnings.catch_warnings(), redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
        warnings.simplefilter("ignore")
        try:
            yield
        finally:
            logging.disable(disabled)


def torchscript(module, inputs, outputs, path, axes=None, opset=17):
    """inputs: name -> tensor, in the order of `forward`; axes: name of an input or output -> {axis: name}."""
    torch.backends.mha.set_fastpath_enabled(False)  # fused ops of nn.MultiheadAttention, which have no ONNX form
    with quiet(), torch.no_grad():
        torch.onnx.export(module.eval(), tuple(inputs.values()), path, dynamo=False, opset_version=opset,
                          input_names=list(inputs), output_names=outputs, dynamic_axes=axes)


def dynamo(module, inputs, outputs, path, axes=None, opset=18):
    """As `torchscript`; an axis that is to be dynamic must not have size 1 in `inputs`."""
    shapes = None if axes is None else tuple(axes.get(name, {}) for name in inputs)
    with quiet(), torch.no_grad():
        torch.onnx.export(module.eval(), tuple(inputs.values()), path, dynamo=True, opset_version=opset,
                          input_names=list(inputs), output_names=outputs, dynamic_shapes=shapes,
                          external_data=False, verbose=False)
    strip_metadata(path)


def strip_metadata(path):
    """Drops stack traces: they are half of the file and name local paths."""
    model = onnx.load(path)
    functions = [node for function in model.functions for node in function.node]
    graph = model.graph
    for item in [model, graph, *graph.node, *graph.value_info, *graph.input, *graph.output, *graph.initializer,
                 *functions]:
        item.ClearField("metadata_props")
    onnx.save(model, path)


EXPORTERS = {"torchscript": torchscript, "dynamo": dynamo}
