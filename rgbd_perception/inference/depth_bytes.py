"""Depth in bytes of whole millimetres, as some graphs take it, in one pass over the image."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rgbd_perception.compiled import kernel, readonly


def millimetre_bytes(depth: NDArray[np.float32], limit: float) -> NDArray[np.uint8]:
    """(H, W) metres -> (H, W, 2): 16 bit millimetres, rounded, the low byte first.

    What is 0, negative, NaN or beyond ``limit`` (at most 65 m) becomes 0.
    """
    millimetres = np.empty(depth.shape, np.uint16)
    _round(readonly(depth, np.float32), np.float32(limit), millimetres)
    return millimetres.astype("<u2", copy=False)[..., None].view(np.uint8)


@kernel
def _round(depth: NDArray[np.float32], limit: np.float32, millimetres: NDArray[np.uint16]) -> None:
    scale = np.float32(1000)
    for row in range(depth.shape[0]):
        metres, units = depth[row], millimetres[row]
        for column in range(np.uintp(depth.shape[1])):  # unsigned: numba would allow for negative indices
            value = metres[column]
            known = value if (value > 0) & (value <= limit) else np.float32(0)
            units[column] = np.int32(np.rint(scale * known))
