"""Sorting in place by gaps (Shell 1959).

numba's own sort takes five times as long for the sixteen numbers of a usual cell, and two to three seconds of
the first start for every type that it is compiled for.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rgbd_perception.mapping.jit import kernel

_FEW = 64
"""So many are only inserted: one pass with a gap of 1."""


@kernel
def sort(values: NDArray[np.number]) -> None:
    """Sort the values (n,), none NaN."""
    if values.size > _FEW:
        gap = values.size
        while gap > 4:
            gap = gap * 4 // 9
            _insert(values, gap)
    _insert(values, 1)


@kernel
def _insert(values: NDArray[np.number], gap: int) -> None:
    """Sort those that lie ``gap`` apart."""
    for i in range(gap, values.size):
        value = values[i]
        place = i
        while place >= gap and values[place - gap] > value:
            values[place] = values[place - gap]
            place -= gap
        values[place] = value
