"""The vectors that search libraries are given; the time of an exhaustive search does not depend on them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from rgbd_perception.bench.machine import available_bytes

TOP = 100
"""Nearest vectors asked for: a search library answers with rows, not with things."""
_BLOCK = 1 << 15
_SHARE_OF_MEMORY = 0.6


def rows_that_fit(rows: int, bytes_a_row: int) -> int:
    """``rows``, or as many as a good half of the available memory holds."""
    available = available_bytes()
    return rows if available is None else min(rows, int(_SHARE_OF_MEMORY * available / bytes_a_row))


def unit_blocks(rows: int, dim: int) -> Iterator[NDArray[np.float32]]:
    """``rows`` unit vectors in blocks; every block is the first one in another order."""
    rng = np.random.default_rng(0)
    block = rng.standard_normal((min(rows, _BLOCK), dim), dtype=np.float32)
    block /= np.linalg.norm(block, axis=1, keepdims=True)
    for first in range(0, rows, block.shape[0]):
        yield np.roll(block, first % 997, axis=1)[: rows - first]
