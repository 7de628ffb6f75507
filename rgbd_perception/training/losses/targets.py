"""What a distilled network should say about every pixel: a table of embeddings, and an image of its rows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

EPSILON = np.float32(1e-12)
"""The shortest length that a vector is divided by: nothing stays nothing."""


def segment_targets(
    panoptic: NDArray[np.integer],
    ids: Sequence[int] | NDArray[np.integer],
    embeddings: ArrayLike,
    image_embedding: ArrayLike | None,
    diff_factor: float = 0.65,
) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
    """Target table and index image of one view (DVEFormer, arXiv:2601.00359, background subtraction).

    panoptic (H, W) holds segment ids; ``embeddings`` (N, D), of any length and float type, are those of the
    segments ``ids`` (N,). From the direction of each ``diff_factor`` times that of the embedding of the whole
    image (D,) is taken away, which leaves what sets the segment apart; 0 takes nothing, nor does None.
    Returns the table (N, D) of unit rows in the order of ``ids`` and the index image (H, W): 0 where the
    segment has no embedding, otherwise 1 + its row. Segments without a pixel keep their row; N may be 0.
    Raises ValueError for ids that are not unique and for shapes that do not fit.
    """
    keys = np.asarray(ids, dtype=np.int64).reshape(-1)
    rows = np.asarray(embeddings, dtype=np.float32)
    image = np.zeros(rows.shape[-1]) if image_embedding is None else image_embedding
    image = unit_rows(np.asarray(image, dtype=np.float32).reshape(1, -1))
    if rows.size != len(keys) * image.shape[1]:
        raise ValueError(
            f"expected {len(keys)} embeddings of {image.shape[1]} numbers, as the image's, got {rows.shape}"
        )
    table = unit_rows(rows.reshape(len(keys), image.shape[1]))
    if diff_factor and image_embedding is not None:
        table = unit_rows(table - np.float32(diff_factor) * image)
    return table, segment_rows(panoptic, keys)


def segment_rows(panoptic: NDArray[np.integer], ids: NDArray[np.int64]) -> NDArray[np.int32]:
    """Index image (H, W): 1 + the place in ``ids`` (N,) of each pixel's id, 0 for an id that is not there.

    Raises ValueError for ids that are not unique.
    """
    pixels = np.asarray(panoptic).astype(np.int64)
    if not len(ids):
        return np.zeros(pixels.shape, np.int32)
    order = np.argsort(ids, kind="stable")
    rising = ids[order]
    if (rising[1:] == rising[:-1]).any():
        raise ValueError("expected ids of segments that differ, got one more than once")
    place = np.minimum(np.searchsorted(rising, pixels), len(ids) - 1)
    return np.where(rising[place] == pixels, order[place] + 1, 0).astype(np.int32)


def unit_rows(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """``rows`` (..., D) divided by their lengths; rows of zeros stay."""
    return rows / np.maximum(np.linalg.norm(rows, axis=-1, keepdims=True), EPSILON)
