"""The cases of this folder. `c` is short for a case: a name, a graph, its constants."""

from dataclasses import dataclass, field

import numpy as np


@dataclass
class Case:
    name: str
    graph: str
    opset: int = 18
    constants: dict = field(default_factory=dict)
    inputs: dict = field(default_factory=dict)


CASES = []


def weights(*shape, seed=1):
    return (np.random.default_rng(seed).standard_normal(shape) / 2).astype(np.float32)


def ints(*values):
    return np.array(values, np.int64)


def c(name, signature, body, opset=18, inputs=None, **constants):
    """`signature` is "float[2] x => float[2] y"; constants are arrays, or numbers of single precision."""
    given, results = signature.split("=>")
    arrays = {key: np.float32(value) if isinstance(value, float) else np.asarray(value) for key, value in constants.items()}
    arrays = {key: value.astype(np.float32) if value.dtype == np.float64 else value for key, value in arrays.items()}
    CASES.append(Case(name, f"g ({given.strip()}) => ({results.strip()}) {{ {body} }}", opset, arrays, inputs or {}))


# By the standard's definitions.

c("log_softmax", "float[2,3,4] x => float[2,3,4] y", "y = LogSoftmax(x)")
c("log_softmax_first_axis", "float[2,3] x => float[2,3] y", "y = LogSoftmax <axis = -2> (x)", opset=13)
c("swish_as_written", "float[5] x => float[5] y", "s = Sigmoid(x) y = Mul(x, s)")
c("shrink", "float[2,8] x => float[2,8] y", "y = Shrink <bias = 0.25, lambd = 0.5> (x)")
c("mean_variance_normalization", "float[2,3,4,2] x => float[2,3,4,2] y", "y = MeanVarianceNormalization(x)")
c("mean_variance_normalization_of_axes", "float[2,3,4] x => float[2,3,4] y", "y = MeanVarianceNormalization <axes = [1]> (x)", opset=13)
c("group_normalization", "float[2,6,4] x => float[2,6,4] y", "y = GroupNormalization <num_groups = 3, epsilon = 0.01> (x, s, b)",
  opset=21, s=weights(6), b=weights(6, seed=2))
c("group_normalization_of_pixels", "float[1,4,3,5] x => float[1,4,3,5] y", "y = GroupNormalization <num_groups = 2> (x, s, b)",
  opset=21, s=weights(4), b=weights(4, seed=2))
