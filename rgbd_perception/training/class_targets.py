"""Class embeddings and class weights: what the classes are in the text space, and how rare they are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from rgbd_perception.sources.synthetic.concepts import CONCEPTS
from rgbd_perception.training.shards import Shard

if TYPE_CHECKING:
    from rgbd_perception.text.encoder import TextEncoder


def encode_classes(encoder: TextEncoder) -> NDArray[np.float32]:
    """(C, D) unit rows: the mean of all training texts of a class, in the order of CLASS_NAMES."""
    rows = []
    for concept in CONCEPTS:
        texts = [*concept.texts, *(f"a {noun}" for noun in concept.nouns)]
        rows.append(encoder.encode(texts).mean(axis=0))
    embeddings = np.asarray(rows, dtype=np.float32)
    return embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)


def class_frequencies(shards: Sequence[Shard], classes: int, views: int = 400) -> NDArray[np.float64]:
    """Share (C,) of the labelled pixels that each class has in about ``views`` evenly spread views."""
    counts = np.zeros(classes, dtype=np.float64)
    for shard in shards:
        step = max(1, sum(len(other) for other in shards) // views)
        for index in range(0, len(shard), step):
            rows = np.asarray(shard.view(index).rows[::4, ::4])
            counts += np.bincount(shard.classes[rows[rows > 0] - 1], minlength=classes)
    return counts / max(counts.sum(), 1.0)


def class_weights(frequencies: NDArray[np.float64], balance: float, largest: float) -> NDArray[np.float32]:
    """Weights (C,): (median frequency / frequency) ** balance, clipped to 1/largest..largest."""
    seen = frequencies > 0
    median = float(np.median(frequencies[seen])) if seen.any() else 1.0
    ratio = np.divide(median, frequencies, out=np.ones_like(frequencies), where=seen)
    return np.clip(ratio**balance, 1.0 / largest, largest).astype(np.float32)
