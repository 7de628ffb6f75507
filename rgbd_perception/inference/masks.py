"""Masks at the resolution of the camera from log-probabilities at the cells of the grid.

Log-probabilities are interpolated bilinearly between the centres of the cells and the best class is taken, so
that borders run smoothly between cells. Four neighbouring cells span a patch. Where one class is at least as
probable as another at all four, it is so at every pixel in between, an interpolated value being a weighted
mean. So in a patch only the classes are compared that win somewhere at its corners, and those that none of
these beats at all corners: typically one, on borders two or three.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rgbd_perception.compiled import kernel, readonly


def upsample_masks(
    log_probability: NDArray[np.float32], cell_labels: NDArray[np.uint16], stride: int, shape: tuple[int, int]
) -> tuple[NDArray[np.uint16], NDArray[np.float32]]:
    """(h, w, C) for cells of ``stride`` pixels -> ids (H, W) and confidence (H, W), cut to ``shape``.

    ``cell_labels`` (h, w) are the best classes of the cells.
    The confidence is at most the softmax of interpolated logits; lower only between cells that disagree.
    """
    values, winners = readonly(log_probability, np.float32), readonly(cell_labels, np.uint16)
    ids = np.empty(shape, np.uint16)
    confidence = np.empty(shape, np.float32)
    _interpolate(values, winners, _along(stride), ids, confidence)
    return ids, np.exp(confidence, out=confidence)


def _along(stride: int) -> NDArray[np.float32]:
    """(stride,) weight of the second of two neighbouring cells at each pixel from the centre of the first."""
    # Pixel centres of an even stride lie half a pixel off the cell centres.
    return (np.arange(stride, dtype=np.float32) + np.float32(0.0 if stride % 2 else 0.5)) / np.float32(stride)


@kernel
def _interpolate(
    values: NDArray[np.float32],
    winners: NDArray[np.uint16],
    along: NDArray[np.float32],
    ids: NDArray[np.uint16],
    best: NDArray[np.float32],
) -> None:
    """Best classes ``ids`` (H, W) and their interpolated ``values`` (h, w, C) as ``best`` (H, W).

    ``winners`` (h, w) are the best classes of the cells.
    """
    height, width, classes = values.shape
    stride = len(along)
    before = stride - stride // 2  # pixels of the first patch that lie outside the image
    candidates = np.empty(classes, np.int64)
    for patch_row in range(height + 1):
        top, bottom = max(patch_row - 1, 0), min(patch_row, height - 1)
        first_row = patch_row * stride - before
        rows = range(max(first_row, 0), min(first_row + stride, ids.shape[0]))
        for patch_column in range(width + 1):
            left, right = max(patch_column - 1, 0), min(patch_column, width - 1)
            first_column = patch_column * stride - before
            columns = range(max(first_column, 0), min(first_column + stride, ids.shape[1]))
            a, b, c, d = values[top, left], values[top, right], values[bottom, left], values[bottom, right]
            corners = winners[top, left], winners[top, right], winners[bottom, left], winners[bottom, right]
            count = _find_candidates(a, b, c, d, corners, candidates)
            for row in rows:
                down = along[row - first_row]
                up = np.float32(1.0) - down
                label = candidates[0]
                start = up * a[label] + down * c[label]
                end = up * b[label] + down * d[label]
                for column in columns:
                    across = along[column - first_column]
                    ids[row, column] = label
                    best[row, column] = (np.float32(1.0) - across) * start + across * end
                for index in range(1, count):
                    label = candidates[index]
                    start = up * a[label] + down * c[label]
                    end = up * b[label] + down * d[label]
                    for column in columns:
                        across = along[column - first_column]
                        value = (np.float32(1.0) - across) * start + across * end
                        if value > best[row, column]:
                            ids[row, column] = label
                            best[row, column] = value


@kernel
def _find_candidates(
    a: NDArray[np.float32],
    b: NDArray[np.float32],
    c: NDArray[np.float32],
    d: NDArray[np.float32],
    winners: tuple[int, int, int, int],
    candidates: NDArray[np.int64],
) -> int:
    """Write classes that may win between four corners with values (C,) each; returns how many.

    ``winners`` are the best classes at the corners: these come first, in the order of the corners.
    """
    count = 0
    for winner in winners:
        known = False
        for index in range(count):
            known |= candidates[index] == winner
        if not known:
            candidates[count] = winner
            count += 1
    if count == 1:
        return count
    winning = count
    for label in range(len(a)):
        beaten = False
        for index in range(winning):
            w = candidates[index]
            if a[w] >= a[label] and b[w] >= b[label] and c[w] >= c[label] and d[w] >= d[label]:
                beaten = True  # or it is a winner itself
                break
        if not beaten:
            candidates[count] = label
            count += 1
    return count
