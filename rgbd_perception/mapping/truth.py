"""Ground truth in the forms that mapping needs: label images as predictions, label images as voxels."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rgbd_perception.frame import Prediction, RgbdFrame
from rgbd_perception.mapping.config import MapConfig
from rgbd_perception.mapping.jit import kernel, readonly
from rgbd_perception.mapping.keys import NO_KEY, pack
from rgbd_perception.vocabulary import UNKNOWN_LABEL, Vocabulary

_LEAST_VOTES = 10
"""A voxel that fewer pixels of all frames fell into is noise of the depth camera, not truth."""
_FRAMES_AT_ONCE = 32

_Votes = tuple[NDArray[np.int64], NDArray[np.uint16], NDArray[np.int64]]
"""Keys, labels and how many pixels said so, (n,) each."""


def grid_stride(shape: tuple[int, int]) -> int:
    """Stride of the grid for images of ``shape`` (H, W): 4 at 240x320, as fine for larger images as there."""
    return 4 * max(1, round(math.sqrt(shape[0] * shape[1] / (240 * 320))))


def prediction_from_labels(labels: NDArray[np.uint16], stride: int, vocabulary: Vocabulary) -> Prediction:
    """A perfect network without embeddings: (H, W) label image to the most frequent label of every cell.

    Of equally frequent ones the first in reading order; cells of unknown pixels only are unknown.
    """
    height, width = labels.shape
    cells = np.full((-(-height // stride), -(-width // stride)), UNKNOWN_LABEL, np.uint16)
    _most_frequent(readonly(labels, np.uint16), stride, np.zeros(UNKNOWN_LABEL, np.int32), cells)
    return Prediction(
        cell_labels=cells,
        cell_confidence=np.where(cells == UNKNOWN_LABEL, 0, 1).astype(np.float32),
        stride=stride,
        labels=labels,
        model_id="ground truth",
        text_space=vocabulary.text_space,
        vocabulary_id=vocabulary.id,
    )


@kernel
def _most_frequent(
    labels: NDArray[np.uint16], stride: int, counts: NDArray[np.int32], cells: NDArray[np.uint16]
) -> None:
    for row in range(cells.shape[0]):
        for column in range(cells.shape[1]):
            area = labels[row * stride : (row + 1) * stride, column * stride : (column + 1) * stride]
            best = 0
            for label in area.flat:
                if label < counts.size:
                    counts[label] += 1
                    if counts[label] > best:
                        best = counts[label]
                        cells[row, column] = label
            for label in area.flat:
                if label < counts.size:
                    counts[label] = 0


@dataclass(frozen=True)
class TruthVoxels:
    """keys (n,) int64 ascending, labels (n,) uint16: what most pixels of each voxel are."""

    keys: NDArray[np.int64]
    labels: NDArray[np.uint16]


def truth_voxels(
    frames: Iterable[tuple[RgbdFrame, NDArray[np.uint16]]], voxel_size: float, config: MapConfig | None = None
) -> TruthVoxels:
    """Label the voxels that the pixels of ``frames`` (with poses; (H, W) labels) fall into, by majority.

    Pixels without label or without depth between min_depth and max_depth of ``config`` do not count.
    """
    config = config or MapConfig()
    waiting: list[_Votes] = []
    for frame, image in frames:
        keys, labels = _labelled_pixels(frame, image, voxel_size, config)
        waiting.append(_count((keys, labels, np.ones(keys.size, np.int64))))
        if len(waiting) == _FRAMES_AT_ONCE:
            waiting = [_merge(waiting)]
    keys, labels, votes = _merge(waiting)
    order = np.lexsort((labels, -votes, keys))
    unique, first, voxel = np.unique(keys[order], return_index=True, return_inverse=True)
    enough = np.bincount(voxel, votes[order], unique.size) >= _LEAST_VOTES
    return TruthVoxels(unique[enough], labels[order][first][enough])


def _labelled_pixels(
    frame: RgbdFrame, image: NDArray[np.uint16], voxel_size: float, config: MapConfig
) -> tuple[NDArray[np.int64], NDArray[np.uint16]]:
    k, pose = frame.intrinsics, frame.pose
    assert pose is not None
    depth = np.nan_to_num(frame.depth, nan=0.0, posinf=0.0, neginf=0.0)
    v, u = np.nonzero((depth >= config.min_depth) & (depth <= config.max_depth) & (image != UNKNOWN_LABEL))
    z = depth[v, u].astype(np.float64)
    points = (
        np.stack([(u - k.cx) / k.fx * z, (v - k.cy) / k.fy * z, z], axis=1) @ pose[:3, :3].T + pose[:3, 3]
    )
    keys = pack(np.floor(points / voxel_size))
    inside = keys != NO_KEY
    return keys[inside], image[v, u][inside]


def _count(votes: _Votes) -> _Votes:
    """Add up the votes of equal pairs of key and label."""
    order = np.lexsort((votes[1], votes[0]))
    keys, labels, counts = votes[0][order], votes[1][order], votes[2][order]
    changes = (keys[1:] != keys[:-1]) | (labels[1:] != labels[:-1])
    begins = np.flatnonzero(np.concatenate([[keys.size > 0], changes]))
    return keys[begins], labels[begins], np.add.reduceat(counts, begins) if begins.size else counts


def _merge(parts: list[_Votes]) -> _Votes:
    if not parts:
        return np.empty(0, np.int64), np.empty(0, np.uint16), np.empty(0, np.int64)
    keys, labels, counts = (np.concatenate(column) for column in zip(*parts, strict=True))
    return _count((keys, labels, counts))
