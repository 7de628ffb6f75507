"""Made-up embeddings: with the clusters that a network's have, and without any.

What a compressed map costs and keeps depends on how embeddings lie in their space, so both are measured.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

TEXT_SPACE = "bench"
CLASSES = 40
CLASS_NAMES = tuple(f"class {index}" for index in range(CLASSES))
_INSTANCE, _CONTEXT, _NOISE = 0.35, 0.15, 0.3
"""Shares of what makes one thing differ from its class, of the neighbours in the picture, and of noise."""
_BANK_ROWS = 8192
_PATCH_METRES = 0.05


class Embeddings(Protocol):
    """Where the embeddings of a picture come from."""

    def __call__(
        self, points: NDArray[np.floating], instance: NDArray[np.int64], rng: np.random.Generator
    ) -> NDArray[np.float16]:
        """Points (h, w, 3) of the map and the instance (h, w) seen there -> (h, w, D) unit vectors."""
        ...


class MadeUpTexts:
    """A text encoder of the benchmark's own space: every text a fixed random direction."""

    text_space = TEXT_SPACE

    def __init__(self, dim: int) -> None:
        self.dim = dim

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """(n, dim) float32 unit rows."""
        rows = [np.random.default_rng(list(text.encode())).standard_normal(self.dim) for text in texts]
        return _unit(np.array(rows, np.float32).reshape(len(texts), self.dim))


def class_of(instance: NDArray[np.int64]) -> NDArray[np.uint16]:
    """Class of each instance number."""
    return (instance * 7919 % CLASSES).astype(np.uint16)


class ClusteredEmbeddings:
    """Class, instance, a little of the neighbours and noise: what a network gives for rooms with things."""

    def __init__(self, dim: int, seed: int = 0) -> None:
        self._classes = MadeUpTexts(dim).encode(CLASS_NAMES)
        rng = np.random.default_rng(seed)
        noise = rng.standard_normal((_BANK_ROWS, dim), dtype=np.float32)
        self._noise = noise * np.float32(_NOISE / np.sqrt(dim))

    def __call__(
        self, points: NDArray[np.floating], instance: NDArray[np.int64], rng: np.random.Generator
    ) -> NDArray[np.float16]:
        ids, place = np.unique(instance, return_inverse=True)
        table = self._instances(ids)
        shift = tuple(int(step) for step in rng.integers(-4, 5, 2))
        place = place.reshape(instance.shape)
        vectors = (1 - _CONTEXT) * table[place] + _CONTEXT * table[np.roll(place, shift, (0, 1))]
        # Rows drawn from a bank: fresh normal numbers for every frame would take longer than the map.
        first = int(rng.integers(_BANK_ROWS))
        vectors += self._noise[(first + np.arange(place.size)) % _BANK_ROWS].reshape(vectors.shape)
        return _unit(vectors).astype(np.float16)

    def _instances(self, ids: NDArray[np.int64]) -> NDArray[np.float32]:
        dim = self._classes.shape[1]
        own = [np.random.default_rng(int(number)).standard_normal(dim, dtype=np.float32) for number in ids]
        return _unit(self._classes[class_of(ids)] + np.float32(_INSTANCE / np.sqrt(dim)) * np.array(own))


class DirectionEmbeddings:
    """The worst case: every 5 cm of the world has a random direction of its own."""

    def __init__(self, dim: int, seed: int = 0) -> None:
        rng = np.random.default_rng(seed)
        self._bank = rng.standard_normal((_BANK_ROWS, dim), dtype=np.float32)

    def __call__(
        self, points: NDArray[np.floating], instance: NDArray[np.int64], rng: np.random.Generator
    ) -> NDArray[np.float16]:
        cells = np.floor(np.asarray(points, np.float64) / _PATCH_METRES).astype(np.int64)
        mixed = cells @ np.array([73856093, 19349663, 83492791], np.int64)
        vectors = np.zeros((*instance.shape, self._bank.shape[1]), np.float32)
        for factor in (2654435761, 2246822519, 3266489917):  # three of 8192: more than any map has voxels
            vectors += self._bank[(mixed * factor >> 16) % _BANK_ROWS]
        return _unit(vectors).astype(np.float16)


def _unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), np.float32(1e-12))
