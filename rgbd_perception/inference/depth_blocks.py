"""One depth for each block of pixels, in one pass over the image."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rgbd_perception.compiled import kernel, readonly


def pick_depth(
    depth: NDArray[np.float32], factor: int, offsets: NDArray[np.int64], limit: float
) -> NDArray[np.float32]:
    """(H, W) -> (ceil(H / factor), ceil(W / factor)): of each block the first value up to ``limit``, else 0.

    Values that are 0, negative or NaN are passed over. ``offsets`` (n, 2) say in which order rows and columns
    of a block are looked at.
    """
    small = np.zeros((-(-depth.shape[0] // factor), -(-depth.shape[1] // factor)), np.float32)
    _pick(readonly(depth, np.float32), factor, offsets, np.float32(limit), small)
    return small


@kernel
def _pick(
    depth: NDArray[np.float32],
    factor: int,
    offsets: NDArray[np.int64],
    limit: np.float32,
    small: NDArray[np.float32],
) -> None:
    for block_row in range(small.shape[0]):
        for block_column in range(small.shape[1]):
            for index in range(len(offsets)):
                row = block_row * factor + offsets[index, 0]
                column = block_column * factor + offsets[index, 1]
                if row >= depth.shape[0] or column >= depth.shape[1]:
                    continue
                value = depth[row, column]
                if value > 0 and value <= limit:  # false for NaN
                    small[block_row, block_column] = value
                    break
