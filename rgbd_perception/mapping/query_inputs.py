"""The texts that a query is asked with, checked and brought into the form of the scoring."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from rgbd_perception.errors import UserError
from rgbd_perception.mapping.header import MapHeader
from rgbd_perception.mapping.scoring import QueryVectors, ScoreCalibration, query_vectors

if TYPE_CHECKING:
    from rgbd_perception.mapping.query import TextEncoderLike


def checked_texts(texts: Sequence[str]) -> list[str]:
    """The texts of a query. Raises UserError where there are none or one is empty."""
    if not texts:
        raise UserError("a query needs at least one text; none was given")
    empty = [index for index, text in enumerate(texts) if not text.strip()]
    if empty:
        raise UserError(f"query text {empty[0] + 1} is empty: say what to look for")
    return list(texts)


def check_text_space(header: MapHeader, text_space: str, what: str) -> None:
    """Raises UserError unless ``what`` (named in the message) is of the text space of the map."""
    if len(header.text_space) and text_space != header.text_space:
        raise UserError(
            f"the map was made in text space '{header.text_space}', {what} '{text_space}': "
            "query with the encoder of the map"
        )


def encoded(
    header: MapHeader,
    texts: Sequence[str],
    negatives: Sequence[str],
    encoder: TextEncoderLike,
    calibration: ScoreCalibration,
) -> QueryVectors:
    """Embeddings of the texts, and of the class names where the map has none."""
    names = header.vocabulary.names if header.vocabulary else ()
    vectors = encoder.encode([*texts, *negatives])
    classes = header.class_embeddings
    if classes is None:
        classes = encoder.encode(list(names)) if names else np.empty((0, vectors.shape[1]), np.float32)
    return query_vectors(vectors[: len(texts)], vectors[len(texts) :], classes, calibration)
