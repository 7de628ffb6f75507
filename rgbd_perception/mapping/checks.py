"""Everything that is looked at before a frame or a vocabulary may change the map."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rgbd_perception.errors import FrameDropped, UserError
from rgbd_perception.frame import Prediction, RgbdFrame
from rgbd_perception.mapping.exact_features import ExactFeatures
from rgbd_perception.mapping.features import SharedFeatures
from rgbd_perception.mapping.jit import to_half
from rgbd_perception.mapping.pooling import NOT_FINITE
from rgbd_perception.vocabulary import UNKNOWN_LABEL, Vocabulary


def check_prediction(
    frame: RgbdFrame,
    prediction: Prediction,
    ours: Vocabulary | None,
    features: ExactFeatures | SharedFeatures | None,
) -> None:
    """Check a prediction against its frame and the map. The numbers of embeddings are looked at when they are
    used, but those of the first ones here: a bad frame must not decide of what kind those of a map are.

    Raises FrameDropped: prediction_mismatch, prediction_not_finite, vocabulary_mismatch, text_space_mismatch.
    """
    grid = frame.intrinsics.strided(prediction.stride)
    if prediction.cell_labels.shape != (grid.height, grid.width):
        raise FrameDropped(
            "prediction_mismatch",
            f"grid {prediction.cell_labels.shape} of stride {prediction.stride} does not cover {frame.shape}",
        )
    if not np.isfinite(prediction.cell_confidence).all():
        raise FrameDropped("prediction_not_finite", "the confidence has NaN or inf in it")
    if ours is not None and prediction.vocabulary_id and prediction.vocabulary_id != ours.id:
        raise FrameDropped(
            "vocabulary_mismatch", f"labels of {prediction.vocabulary_id}, the map's are {ours.id}"
        )
    if ours is not None:
        known = prediction.cell_labels[prediction.cell_labels != UNKNOWN_LABEL]
        if known.size and known.max() >= len(ours):
            raise FrameDropped(
                "vocabulary_mismatch", f"label {known.max()}, the map knows {len(ours)} classes"
            )
    if prediction.embedding is None:
        return
    dim = prediction.embedding.shape[2]
    if features is None and not np.isfinite(prediction.embedding).all():
        raise FrameDropped("prediction_not_finite", NOT_FINITE)
    if features is not None and (features.text_space, features.dim) != (prediction.text_space, dim):
        raise FrameDropped(
            "text_space_mismatch",
            f"embeddings are of '{prediction.text_space}' ({dim}), "
            f"the map's of '{features.text_space}' ({features.dim})",
        )


def half_embedding(prediction: Prediction) -> NDArray[np.uint16] | None:
    """Embeddings (h * w, D) of a prediction as half bits, None where it has none."""
    if prediction.embedding is None:
        return None
    return to_half(prediction.embedding.reshape(-1, prediction.embedding.shape[2]))


def checked_class_embeddings(
    vocabulary: Vocabulary, embeddings: NDArray[np.float32] | None
) -> NDArray[np.float32] | None:
    """A copy of the (C, D) text embeddings of the class names. Raises UserError where they do not fit."""
    if embeddings is None:
        return None
    if embeddings.ndim != 2 or embeddings.shape[0] != len(vocabulary) or not np.isfinite(embeddings).all():
        raise UserError(
            f"expected {len(vocabulary)} finite class embeddings, got an array of {embeddings.shape}"
        )
    return np.array(embeddings, np.float32)
