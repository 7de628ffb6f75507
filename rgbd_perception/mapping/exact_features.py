"""Embeddings of the voxels as they are: a running mean in float32 for each. Large, and the yardstick."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rgbd_perception.mapping.feature_readers import ExactReader
from rgbd_perception.mapping.fusion import VoxelGroups
from rgbd_perception.mapping.jit import kernel
from rgbd_perception.mapping.pooling import Pooled, pool
from rgbd_perception.mapping.snapshot import Columns
from rgbd_perception.mapping.store import VoxelStore
from rgbd_perception.mapping.threads import Runner


class ExactFeatures:
    """Columns ``feature`` float32 (D) and ``feature_weight`` float32 of a store.

    The mean of unit vectors is kept as it is, not normalised again: that way the order of frames does not
    matter, and its length tells how well the frames agreed. Whoever compares it divides by its length.
    """

    nbytes = 0
    """Bytes beside the columns."""

    def __init__(self, store: VoxelStore, dim: int, text_space: str) -> None:
        self.dim = dim
        self.text_space = text_space
        self.feature = store.add_column("feature", (dim,), np.float32)
        self.weight = store.add_column("feature_weight", (), np.float32)

    def pool(
        self, known: NDArray[np.int32], groups: VoxelGroups, embedding: NDArray[np.uint16], run: Runner
    ) -> Pooled:
        """All voxels of a frame with the (h * w, D) half ``embedding``, wherever they are ``known`` to be.

        Raises FrameDropped: prediction_not_finite.
        """
        return pool(groups, embedding, np.arange(known.size, dtype=np.int32), run)

    def blend(self, rows: NDArray[np.int32], pooled: Pooled, limit: float) -> None:
        """Blend what a frame adds into ``rows`` of its voxels."""
        limit = limit if limit > 0 else np.inf
        _blend(rows[pooled.chosen], pooled.sums, pooled.totals, limit, self.feature, self.weight)

    def forget(self, rows: NDArray[np.int32]) -> None:
        """Nothing: all there is about a voxel is in its columns."""

    def load(self, rows: NDArray[np.int32], columns: Columns) -> None:
        """Take over the tensors of a file, whose voxels are in ``rows``."""
        if "feature" in columns:
            self.feature[rows], self.weight[rows] = columns["feature"], columns["feature_weight"]
        else:
            vectors = np.concatenate(
                [np.zeros_like(columns["feature_vectors"][:1]), columns["feature_vectors"]]
            )
            at = columns["feature_at"]
            wide = vectors[at].astype(np.float32) @ columns["feature_basis"]
            self.feature[rows] = wide / np.maximum(np.linalg.norm(wide, axis=1, keepdims=True), 1e-12)
            self.weight[rows] = at > 0

    def reader(self) -> ExactReader:
        """For reading the columns of a snapshot."""
        return ExactReader()


@kernel
def _blend(
    rows: NDArray[np.int32],
    sums: NDArray[np.float32],
    totals: NDArray[np.float32],
    limit: float,
    feature: NDArray[np.float32],
    feature_weight: NDArray[np.float32],
) -> None:
    for i in range(rows.size):
        row = rows[i]
        if row < 0:
            continue
        share = np.float32(1.0) / (feature_weight[row] + totals[i])
        for j in range(sums.shape[1]):
            feature[row, j] += (sums[i, j] - totals[i] * feature[row, j]) * share
        feature_weight[row] = min(feature_weight[row] + totals[i], limit)
