"""What a script of this folder says of a model: a file to make, and an input for it."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Callable

import numpy as np

LEAST_COSINE = 0.999


@dataclass
class Sample:
    """Inputs of one run, and how its outputs compare with onnxruntime's."""

    inputs: dict[str, np.ndarray]
    # Output -> which of its rows see no real token (true: left out of the comparison); all axes but the last one.
    excluded: dict[str, np.ndarray] = field(default_factory=dict)
    # Outputs that are not proven: the present keys and values of a model that is run from an empty past.
    unproven: tuple[str, ...] = ()
    # A file that onnxruntime runs in place of the model where it has no kernels for it.
    reference: str | None = None


@dataclass
class Model:
    name: str
    family: str
    form: str  # exporter, axes, mask, past
    make: Callable[[Path], Sample]  # writes the ONNX file
    least_cosine: float = LEAST_COSINE


def seen_none(mask):
    """Of a causal model with this mask [batch, keys]: the rows [batch, queries] before the first real token."""
    return np.cumsum(mask, axis=1) == 0
