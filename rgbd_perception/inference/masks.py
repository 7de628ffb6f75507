"""Masks at the resolution of the camera from log-probabilities at the cells of the grid.

Log-probabilities are interpolated bilinearly between the centres of the cells and the best class is taken, so
that borders run smoothly between cells. Four neighbouring cells span a patch. Where one class is at least as
probable as another at all four, it is so at every pixel in between, an interpolated value being a weighted
mean. So in a patch only the classes are compared that win somewhere at its corners, and those that none of
these beats at all corners: typically one, on borders two or three.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from rgbd_perception.compiled import kernel, readonly


def upsample_masks(
    log_probability: NDArray[np.floating],
    cell_labels: NDArray[np.uint16],
    stride: int,
    shape: tuple[int, int],
) -> tuple[NDArray[np.uint16], NDArray[np.float32]]:
    """(h, w, C) for cells of ``stride`` pixels -> ids (H, W) and confidence (H, W), cut to ``shape``.

    ``cell_labels`` (h, w) are the best classes of the cells.
    The confidence is at most the softmax of interpolated logits; lower only between cells that disagree.
    """
    values, winners = readonly(log_probability, np.float32), readonly(cell_labels, np.uint16)
    ids = np.empty(shape, np.uint16)
    confidence = np.empty(shape, np.float32)
    _interpolate(values, winners, _corner_weights(stride), stride, ids, confidence)
    return ids, np.exp(confidence, out=confidence)


@lru_cache(maxsize=8)
def _corner_weights(stride: int) -> NDArray[np.float32]:
    """(4, stride * stride): at each pixel of a patch the weights of its corners, the upper two first."""
    # Pixel centres of an even stride lie half a pixel off the cell centres.
    second = (np.arange(stride, dtype=np.float32) + np.float32(0.0 if stride % 2 else 0.5)) / np.float32(
        stride
    )
    pairs = np.stack((1 - second, second))
    return readonly(np.einsum("ry,cx->rcyx", pairs, pairs).reshape(4, -1), np.float32)


@kernel
def _interpolate(
    values: NDArray[np.float32],
    winners: NDArray[np.uint16],
    weights: NDArray[np.float32],
    stride: int,
    ids: NDArray[np.uint16],
    best: NDArray[np.float32],
) -> None:
    """Best classes ``ids`` (H, W) and their interpolated ``values`` (h, w, C) as ``best`` (H, W).

    ``winners`` (h, w) are the best classes of the cells. A patch is worked out whole and then cut to what
    lies inside the image: loops of a fixed length over little memory are vectorised best.
    """
    height, width, classes = values.shape
    before = stride - stride // 2  # pixels of the first patch that lie outside the image
    candidates, open_ = np.empty(classes, np.int64), np.empty(classes, np.bool_)
    patch, patch_ids = np.empty(stride * stride, np.float32), np.empty(stride * stride, np.uint16)
    for patch_row in range(height + 1):
        top, bottom = max(patch_row - 1, 0), min(patch_row, height - 1)
        first_row = patch_row * stride - before
        for patch_column in range(width + 1):
            left, right = max(patch_column - 1, 0), min(patch_column, width - 1)
            a, b, c, d = values[top, left], values[top, right], values[bottom, left], values[bottom, right]
            corners = winners[top, left], winners[top, right], winners[bottom, left], winners[bottom, right]
            count = _find_candidates(a, b, c, d, corners, candidates, open_)
            for index in range(count):
                label = candidates[index]
                va, vb, vc, vd = a[label], b[label], c[label], d[label]
                narrow = np.uint16(label)
                if index == 0:
                    for pixel in range(len(patch)):
                        patch[pixel] = _mix(weights, pixel, va, vb, vc, vd)
                        patch_ids[pixel] = narrow
                    continue
                for pixel in range(len(patch)):
                    value = _mix(weights, pixel, va, vb, vc, vd)
                    better = value > patch[pixel]
                    patch[pixel] = value if better else patch[pixel]
                    patch_ids[pixel] = narrow if better else patch_ids[pixel]
            first_column = patch_column * stride - before
            _put(patch, stride, first_row, first_column, best)
            _put(patch_ids, stride, first_row, first_column, ids)


@kernel
def _mix(weights: NDArray[np.float32], pixel: int, a: float, b: float, c: float, d: float) -> float:
    """The value at a pixel of a patch with these values at its corners."""
    upper = weights[0, pixel] * a + weights[1, pixel] * b
    return upper + weights[2, pixel] * c + weights[3, pixel] * d


@kernel
def _put(
    patch: NDArray[np.generic], stride: int, first_row: int, first_column: int, image: NDArray[np.generic]
) -> None:
    """Write ``patch`` (stride * stride,) to where it lies in ``image`` (H, W), as far as it lies inside."""
    height, width = image.shape
    if first_column >= width:
        return
    # Unsigned: numba would allow for negative indices, and not vectorise.
    start, end = np.uintp(max(first_column, 0)), np.uintp(min(first_column + stride, width))
    skipped = np.uintp(max(-first_column, 0))
    for row in range(max(first_row, 0), min(first_row + stride, height)):
        line, source = image[row], patch[(row - first_row) * stride :]
        for column in range(end - start):
            line[start + column] = source[skipped + column]


@kernel
def _find_candidates(
    a: NDArray[np.float32],
    b: NDArray[np.float32],
    c: NDArray[np.float32],
    d: NDArray[np.float32],
    winners: tuple[int, int, int, int],
    candidates: NDArray[np.int64],
    open_: NDArray[np.bool_],
) -> int:
    """Write classes that may win between four corners with values (C,) each; returns how many.

    ``winners`` are the best classes at the corners: these come first, in the order of the corners.
    ``open_`` (C,) is room to work in.
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
    share = np.float32(1.0 / count)
    zero = np.float32(0.0)
    mean_a, mean_b, mean_c, mean_d = zero, zero, zero, zero
    for index in range(count):
        w = candidates[index]
        mean_a, mean_b = mean_a + share * a[w], mean_b + share * b[w]
        mean_c, mean_d = mean_c + share * c[w], mean_d + share * d[w]
    for label in range(len(a)):
        open_[label] = (a[label] > mean_a) | (b[label] > mean_b) | (c[label] > mean_c) | (d[label] > mean_d)
    winning = count
    for label in range(len(a)):
        if not open_[label]:
            continue
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
