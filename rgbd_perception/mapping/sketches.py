"""Embeddings in 64 bytes: enough to tell whether two neighbouring voxels are of one object."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from rgbd_perception.mapping.jit import kernel

SKETCH_DIM = 64


def count_sketches(features: NDArray[np.float32], chosen: NDArray[np.int64]) -> NDArray[np.int8]:
    """(n, D) embeddings -> (n, 64) sketches of length 127 for the ``chosen`` ones, undefined for the others.

    Their dot products are about the cosines of the embeddings: a count sketch (Charikar, Chen and
    Farach-Colton 2002; as feature hashing: Weinberger et al. 2009). It costs one addition for each number of
    an embedding, a random projection 64.
    """
    sketches = np.empty((features.shape[0], SKETCH_DIM), np.int8)
    _sketch(features, chosen, _signs(features.shape[1]), sketches)
    return sketches


@lru_cache(maxsize=8)
def _signs(dim: int) -> NDArray[np.float32]:
    """(dim,) random signs, then zeros up to a multiple of the length of a sketch."""
    signs = np.random.default_rng(0).choice(np.array([-1, 1], np.float32), dim)
    return np.pad(signs, (0, -dim % SKETCH_DIM))


@kernel(fastmath=True)
def _sketch(
    features: NDArray[np.float32],
    chosen: NDArray[np.int64],
    signs: NDArray[np.float32],
    sketches: NDArray[np.int8],
) -> None:
    wide = np.zeros(signs.size, np.float32)
    total = np.empty(SKETCH_DIM, np.float32)
    for row in chosen:
        for d in range(features.shape[1]):
            wide[d] = features[row, d]
        total[:] = 0
        for part in range(signs.size // SKETCH_DIM):
            numbers = wide[part * SKETCH_DIM : (part + 1) * SKETCH_DIM]  # of this length the loop is unrolled
            turned = signs[part * SKETCH_DIM : (part + 1) * SKETCH_DIM]
            for d in range(SKETCH_DIM):
                total[d] += numbers[d] * turned[d]
        square = np.float32(0)
        for d in range(SKETCH_DIM):
            square += total[d] * total[d]
        scale = np.float32(127) / max(np.sqrt(square), np.float32(1e-12))
        for d in range(SKETCH_DIM):
            sketches[row, d] = np.int8(np.rint(total[d] * scale))
