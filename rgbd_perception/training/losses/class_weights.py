"""Median-frequency weights of classes (Eigen and Fergus 2015), as EMSANet and DVEFormer's probe use them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


class ClassPixels:
    """Counts the pixels of a training split, view by view."""

    def __init__(self, classes: int) -> None:
        self._pixels = np.zeros(classes, np.int64)
        self._around = np.zeros(classes, np.int64)

    def add(self, labels: NDArray[np.integer]) -> None:
        """One label image, 0-based; pixels without a class count towards the size of the image."""
        inside = (labels >= 0) & (labels < len(self._pixels))
        counts = np.bincount(labels[inside].ravel(), minlength=len(self._pixels))
        self._pixels += counts
        self._around += np.where(counts > 0, labels.size, 0)

    def median_frequency_weights(self) -> NDArray[np.float32]:
        """(C,): median of the frequencies over the class's own; 0 for a class that was never seen.

        The frequency of a class is its share of the pixels of the images that show it.
        """
        seen = self._pixels > 0
        if not seen.any():
            return np.ones(len(seen), np.float32)
        frequency = self._pixels / np.maximum(self._around, 1)
        weights = np.divide(np.median(frequency[seen]), frequency, out=np.zeros(len(seen)), where=seen)
        return weights.astype(np.float32)
