"""How numbers of a voxel are stored: as they are, or in few bits with rounding that is right on average.

A running mean in few bits would stand still as soon as its steps get smaller than half a bit. So the rounding
is dithered: up or down with the probability that makes the expected value exact (stochastic rounding). The
dither is a hash of the voxel's place and the time: the same frames give the same map.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Quantity:
    """Values ``stored * unit`` of type ``dtype``; ``dither`` 1 for integers, 0 for floating point."""

    dtype: Any
    unit: float = 1.0

    @property
    def dither(self) -> float:
        """Factor of the dither."""
        return float(np.issubdtype(self.dtype, np.integer))

    @property
    def largest(self) -> float:
        """Largest value that can be stored."""
        return float(np.iinfo(self.dtype).max * self.unit) if self.dither else float("inf")


def convert(stored: NDArray[Any], source: Quantity, target: Quantity) -> NDArray[Any]:
    """Values in the form ``source`` -> the same, as near as possible, in the form ``target``."""
    if source == target:
        return stored
    values = np.minimum(stored * np.float32(source.unit), target.largest) / target.unit
    return (np.rint(values) if target.dither else values).astype(target.dtype)


@dataclass(frozen=True)
class Precision:
    """The stored form of everything that is a running mean or sum."""

    weight: Quantity
    color: Quantity
    evidence: Quantity


PRECISIONS = {
    "compact": Precision(
        weight=Quantity(np.uint16, 1 / 512), color=Quantity(np.uint8), evidence=Quantity(np.uint8, 1 / 6)
    ),
    "exact": Precision(
        weight=Quantity(np.float32), color=Quantity(np.float32), evidence=Quantity(np.float32)
    ),
}
