"""Masks at the resolution of the camera from log-probabilities at the cells of the grid.

Log-probabilities are interpolated bilinearly between the centres of the cells and the best class is taken, so
that borders run smoothly between cells. Four neighbouring cells span a patch. Where the same class wins at
all four it wins at every pixel in between, an interpolated value being a weighted mean; so all classes are
compared only in patches on a border, typically one in ten.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

CHUNK_VALUES = 1_000_000
"""Interpolated values held at once: 4 MB, which stay in the cache."""


def upsample_masks(
    log_probability: NDArray[np.float32], stride: int, shape: tuple[int, int]
) -> tuple[NDArray[np.uint16], NDArray[np.float32]]:
    """(h, w, C) for cells of ``stride`` pixels -> ids (H, W) and confidence (H, W), cut to ``shape``.

    The confidence is at most the softmax of interpolated logits; lower only between cells that disagree.
    """
    height, width, classes = log_probability.shape
    cells = log_probability.reshape(-1, classes)
    ids = cells.argmax(axis=1)
    best = np.take_along_axis(cells, ids[:, None], axis=1)[:, 0]
    if stride == 1:
        return ids.astype(np.uint16).reshape(shape), np.exp(best).reshape(shape)
    corners = _corners(height, width)
    corner_ids = ids.astype(np.uint16)[corners]
    weights = _weights(stride)
    patch_ids = np.repeat(corner_ids[:, :1], stride * stride, axis=1)
    patch_confidence = best[corners] @ weights.T
    mixed = np.flatnonzero((corner_ids != corner_ids[:, :1]).any(axis=1))
    step = max(1, CHUNK_VALUES // (stride * stride * classes))
    for start in range(0, len(mixed), step):
        part = mixed[start : start + step]
        patch_ids[part], patch_confidence[part] = _best(cells[corners[part].T], weights)
    np.exp(patch_confidence, out=patch_confidence)
    grid = height, width
    return _assemble(patch_ids, grid, stride, shape), _assemble(patch_confidence, grid, stride, shape)


def _best(
    corners: NDArray[np.float32], weights: NDArray[np.float32]
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Values (4, n, C) at corners, weights (s, 4) -> best classes (n, s) and their values (n, s)."""
    fine = (weights @ corners.reshape(4, -1)).reshape(len(weights), *corners.shape[1:])
    ids = fine.argmax(axis=2)
    return ids.T, np.take_along_axis(fine, ids[..., None], axis=2)[..., 0].T


def _corners(height: int, width: int) -> NDArray[np.int64]:
    """((h + 1) * (w + 1), 4) flat indices of the cells around each patch; at the rim a cell comes twice."""
    rows = np.clip(np.arange(height + 1)[:, None] + np.array([-1, 0]), 0, height - 1)
    columns = np.clip(np.arange(width + 1)[:, None] + np.array([-1, 0]), 0, width - 1)
    return (rows[:, None, :, None] * width + columns[None, :, None, :]).reshape(-1, 4)


def _weights(stride: int) -> NDArray[np.float32]:
    """(stride * stride, 4) bilinear weights of the corners at the pixels of a patch."""
    # Pixel centres of an even stride lie half a pixel off the cell centres.
    along = (np.arange(stride, dtype=np.float32) + (0.0 if stride % 2 else 0.5)) / stride
    axis = np.stack((1 - along, along), axis=1).astype(np.float32)
    return np.einsum("ya,xb->yxab", axis, axis).reshape(stride * stride, 4)


def _assemble(
    patches: NDArray[np.generic], grid: tuple[int, int], stride: int, shape: tuple[int, int]
) -> NDArray:
    """((h + 1) * (w + 1), stride * stride) -> (H, W); the first patch begins before the image."""
    height, width = grid
    rows = patches.reshape(height + 1, width + 1, stride, stride).transpose(0, 2, 1, 3)
    canvas = rows.reshape((height + 1) * stride, (width + 1) * stride)
    first = stride - stride // 2
    return canvas[first : first + shape[0], first : first + shape[1]]
