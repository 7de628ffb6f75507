"""Counting right and wrong pixels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


class Confusion:
    """Confusion matrix (C, C): rows are the truth, columns the prediction."""

    def __init__(self, classes: int) -> None:
        self.matrix = np.zeros((classes, classes), dtype=np.int64)

    def add(self, truth: NDArray[np.integer], predicted: NDArray[np.integer]) -> None:
        """Count pixels; those whose truth is not a class (void) are ignored."""
        classes = len(self.matrix)
        valid = (truth >= 0) & (truth < classes)
        pairs = truth[valid].astype(np.int64) * classes + predicted[valid].astype(np.int64)
        self.matrix += np.bincount(pairs, minlength=classes * classes).reshape(classes, classes)

    def scores(self, names: Sequence[str]) -> SegmentationScores:
        """IoU of every class with ground-truth pixels, their mean, and the share of right pixels."""
        right = np.diag(self.matrix)
        truth, predicted = self.matrix.sum(axis=1), self.matrix.sum(axis=0)
        union = truth + predicted - right
        present = np.flatnonzero(truth > 0)
        iou = {names[int(index)]: float(right[index] / union[index]) for index in present}
        mean = float(np.mean(list(iou.values()))) if iou else 0.0
        return SegmentationScores(mean, float(right.sum() / max(truth.sum(), 1)), iou, self._mistakes(names))

    def _mistakes(self, names: Sequence[str], count: int = 15) -> tuple[tuple[str, str, float], ...]:
        """The most frequent confusions: (truth, predicted, share of the truth's pixels)."""
        truth = np.maximum(self.matrix.sum(axis=1, keepdims=True), 1)
        shares = self.matrix / truth
        np.fill_diagonal(shares, 0.0)
        worst = np.argsort(-shares, axis=None)[:count]
        rows, columns = np.unravel_index(worst, shares.shape)
        return tuple(
            (names[row], names[column], round(float(shares[row, column]), 4))
            for row, column in zip(rows, columns, strict=True)
            if shares[row, column] > 0
        )


@dataclass(frozen=True)
class SegmentationScores:
    """``mean_iou`` over the classes that occur, ``accuracy`` over pixels, ``iou`` by class, mistakes."""

    mean_iou: float
    accuracy: float
    iou: dict[str, float]
    mistakes: tuple[tuple[str, str, float], ...]

    def as_json(self) -> dict[str, Any]:
        """Plain values, IoUs rounded to four digits."""
        return {
            "mean_iou": round(self.mean_iou, 4),
            "accuracy": round(self.accuracy, 4),
            "iou": {name: round(value, 4) for name, value in self.iou.items()},
            "mistakes": [
                {"truth": truth, "predicted": predicted, "share": share}
                for truth, predicted, share in self.mistakes
            ],
        }
