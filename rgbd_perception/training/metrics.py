"""Counting right and wrong pixels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

MeanOver = Literal["labelled", "seen", "all"]
"""Classes whose IoU the mean is over: those with true pixels (DVEFormer, EMSAFormer), those with true or
predicted pixels (GeminiFusion on NYUDv2 and SUN RGB-D, DiffPixelFormer), or all, where a class without any
counts as 0 (GeminiFusion on DeLiVER)."""


class Confusion:
    """Confusion matrix (C, C): rows are the truth, columns the prediction."""

    def __init__(self, classes: int) -> None:
        self.matrix = np.zeros((classes, classes), dtype=np.int64)

    def add(self, truth: NDArray[np.integer], predicted: NDArray[np.integer]) -> None:
        """Count pixels; those whose truth is not a class (void) are ignored."""
        classes = len(self.matrix)
        valid = (truth >= 0) & (truth < classes)
        if valid.any() and not 0 <= int(predicted[valid].min()) <= int(predicted[valid].max()) < classes:
            raise ValueError(f"expected predictions from 0 to {classes - 1}, got others")
        pairs = truth[valid].astype(np.int64) * classes + predicted[valid].astype(np.int64)
        self.matrix += np.bincount(pairs, minlength=classes * classes).reshape(classes, classes)

    def scores(self, names: Sequence[str], over: MeanOver = "labelled") -> SegmentationScores:
        """Shares of right pixels and the IoU of the classes that ``over`` names."""
        right = np.diag(self.matrix)
        truth, predicted = self.matrix.sum(axis=1), self.matrix.sum(axis=0)
        union = truth + predicted - right
        counted = {"labelled": truth > 0, "seen": union > 0, "all": np.ones(len(truth), bool)}[over]
        iou = {
            names[int(index)]: float(right[index] / max(union[index], 1)) for index in np.flatnonzero(counted)
        }
        labelled = truth > 0
        return SegmentationScores(
            mean_iou=float(np.mean(list(iou.values()))) if iou else 0.0,
            accuracy=float(right.sum() / max(truth.sum(), 1)),
            mean_accuracy=float(np.mean(right[labelled] / truth[labelled])) if labelled.any() else 0.0,
            iou=iou,
            mistakes=self._mistakes(names),
        )

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
    """``mean_iou`` over the classes in ``iou``; ``accuracy`` over pixels; ``mean_accuracy`` over classes."""

    mean_iou: float
    accuracy: float
    mean_accuracy: float
    iou: dict[str, float]
    mistakes: tuple[tuple[str, str, float], ...]

    def as_json(self) -> dict[str, Any]:
        """Plain values, IoUs rounded to four digits."""
        return {
            "mean_iou": round(self.mean_iou, 4),
            "accuracy": round(self.accuracy, 4),
            "mean_accuracy": round(self.mean_accuracy, 4),
            "iou": {name: round(value, 4) for name, value in self.iou.items()},
            "mistakes": [
                {"truth": truth, "predicted": predicted, "share": share}
                for truth, predicted, share in self.mistakes
            ],
        }
