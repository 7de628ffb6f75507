"""Embeddings of the voxels: a running weighted mean per voxel, kept in half precision."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rgbd_perception.mapping.evidence import EvidenceStore, from_cosines
from rgbd_perception.mapping.fusion import VoxelGroups
from rgbd_perception.mapping.jit import float_to_half, half_bits, half_to_float, kernel, widen
from rgbd_perception.mapping.snapshot import BLOCK_ROWS
from rgbd_perception.mapping.store import VoxelStore
from rgbd_perception.mapping.threads import Runner

_VOXELS_FOR_TWO = 4096
"""Fewer voxels of a frame are blended by one thread."""


class FeatureStore:
    """Columns ``feature`` float16 (D) and ``feature_weight`` float32 of a store.

    The mean of unit vectors is kept as it is, not normalised again: that way the order of frames does not
    matter, and its length tells how well the frames agreed. Whoever compares it divides by its length.
    """

    def __init__(self, store: VoxelStore, dim: int, text_space: str) -> None:
        self.dim = dim
        self.text_space = text_space
        self.feature = store.add_column("feature", (dim,), np.float16)
        self.weight = store.add_column("feature_weight", (), np.float32)

    def fuse(
        self,
        rows: NDArray[np.int32],
        groups: VoxelGroups,
        embedding: NDArray[np.uint16],
        limit: float,
        run: Runner,
    ) -> None:
        """Blend the (h * w, D) half ``embedding`` of a frame into ``rows`` of its voxels.

        The cells of a voxel are pooled in float32 first, then blended once: one rounding a frame. No row is
        in two of the runner's ranges, so the result does not depend on the threads.
        """
        limit = limit if limit > 0 else np.inf
        run(
            lambda first, last: _blend(
                rows, groups.starts, groups.members, groups.weights, embedding, first, last, limit,
                half_bits(self.feature), self.weight,
            ),
            rows.size,
            _VOXELS_FOR_TWO,
        )  # fmt: skip

    def classify(
        self, store: VoxelStore, class_embeddings: NDArray[np.float32], scale: float, evidence: EvidenceStore
    ) -> None:
        """Fill ``evidence`` from the embeddings: softmax of ``scale`` x cosine to ``class_embeddings`` (C,
        D)."""
        for first in range(0, store.rows_used, BLOCK_ROWS):
            block = slice(first, min(first + BLOCK_ROWS, store.rows_used))
            vectors = np.empty((block.stop - first, self.dim), np.float32)
            widen(half_bits(self.feature[block]), vectors)
            length = np.linalg.norm(vectors, axis=1, keepdims=True)
            cosines = vectors @ class_embeddings.T / np.maximum(length, 1e-12)
            slots, values = from_cosines(cosines, scale, evidence.slots)
            known = length[:, 0] > 0
            evidence.class_slot[block] = np.where(known[:, None], slots, 0)
            evidence.evidence[block] = np.where(known[:, None], values, 0)


@kernel
def _blend(
    rows: NDArray[np.int32],
    starts: NDArray[np.int32],
    members: NDArray[np.int32],
    weights: NDArray[np.float32],
    embedding: NDArray[np.uint16],
    first: int,
    last: int,
    limit: float,
    feature: NDArray[np.uint16],
    feature_weight: NDArray[np.float32],
) -> None:
    dim = embedding.shape[1]
    pooled = np.empty(dim, np.float32)
    for group in range(first, last):
        row = rows[group]
        if row < 0:
            continue
        pooled[:] = 0
        total = np.float32(0)
        for member in range(starts[group], starts[group + 1]):
            cell = members[member]
            weight = weights[cell]
            total += weight
            for j in range(dim):
                pooled[j] += weight * half_to_float(embedding[cell, j])
        share = np.float32(1.0) / (feature_weight[row] + total)
        for j in range(dim):
            old = half_to_float(feature[row, j])
            feature[row, j] = float_to_half(np.float32(old + (pooled[j] - total * old) * share))
        feature_weight[row] = min(feature_weight[row] + total, limit)
