"""Embeddings as a query: whatever was brought into the text space of the map, a text, an image, a voxel."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rgbd_perception.errors import UserError
from rgbd_perception.mapping.header import MapHeader
from rgbd_perception.mapping.query import QueryResult, Search, answer_vectors
from rgbd_perception.mapping.query_inputs import check_text_space
from rgbd_perception.mapping.scoring import QueryVectors, ScoreCalibration, query_vectors
from rgbd_perception.mapping.view import MapView


def answer_embeddings(
    view: MapView,
    vectors: NDArray[np.floating],
    negatives: NDArray[np.floating] | None,
    text_space: str,
    search: Search,
) -> list[QueryResult]:
    """Answers to each row of ``vectors`` (T, D), as to texts; ``negatives`` (N, D): what is not meant.

    A map that has no embeddings of its class names is searched without the competition of the classes.
    Raises UserError for vectors that do not fit the map, are not finite or are zero.
    """
    vectors = np.asarray(vectors)
    if vectors.ndim != 2 or vectors.size == 0:
        raise UserError(f"expected query embeddings of shape (n, D), n at least 1, got {vectors.shape}")
    if text_space:
        check_text_space(view.header, text_space, "the embeddings are of")
    rule = search.scale(view.header.text_space).rule
    query = _checked(view.header, vectors, negatives, rule) if view.snapshot.voxels else None
    names = [f"embedding {number + 1}" for number in range(len(vectors))]
    return answer_vectors(view, names, query, view.header.text_space, search)


def _checked(
    header: MapHeader,
    vectors: NDArray[np.floating],
    negatives: NDArray[np.floating] | None,
    calibration: ScoreCalibration,
) -> QueryVectors:
    dim = _dimension(header)
    wanted = _checked_rows(vectors, dim, "query embeddings")
    unwanted = np.empty((0, dim)) if negatives is None else _checked_rows(negatives, dim, "negatives")
    classes = header.class_embeddings
    if classes is None:
        classes = np.empty((0, dim), np.float32)
    return query_vectors(wanted.astype(np.float32), unwanted.astype(np.float32), classes, calibration)


def _dimension(header: MapHeader) -> int:
    if header.feature_dim:
        return header.feature_dim
    if header.class_embeddings is not None:
        return int(header.class_embeddings.shape[1])
    raise UserError(
        "the map has neither embeddings of its voxels nor of its class names: query it with texts instead"
    )


def _checked_rows(vectors: NDArray[np.floating], dim: int, what: str) -> NDArray[np.floating]:
    rows = np.asarray(vectors)
    if rows.ndim != 2 or rows.shape[1] != dim:
        raise UserError(f"expected {what} of shape (n, {dim}), as in the map, got {rows.shape}")
    if not np.all(np.isfinite(rows)) or np.any(np.linalg.norm(rows.astype(np.float64), axis=1) == 0):
        raise UserError(f"expected finite {what} that are not zero: one of the {rows.shape[0]} rows is not")
    return rows
