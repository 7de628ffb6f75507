"""Panoptic quality (Kirillov et al. 2019, arXiv:1801.00868), counted image by image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rgbd_perception.inference.panoptic import LABEL_DIVISOR, VOID

MATCH = 0.5
"""Segments of the same class whose IoU is larger match; there is at most one such partner."""


class PanopticQuality:
    """Matches, wrong and missed segments of each class, and the summed IoU of the matches."""

    def __init__(self, classes: int) -> None:
        self.iou = np.zeros(classes)
        self.matched, self.wrong, self.missed = np.zeros((3, classes), np.int64)

    def add(self, truth: NDArray[np.integer], predicted: NDArray[np.integer]) -> None:
        """Segment ids (H, W) of one image, encoded as in ``inference.panoptic``.

        Pixels whose truth is void count for nothing, and neither do predicted segments that lie mostly there.
        """
        overlap = _overlaps(truth, predicted)
        truth_area, area = _areas(truth), _areas(predicted)
        found_truth, found = set(), set()
        for (ours, theirs), shared in overlap.items():
            if VOID in (ours, theirs) or _label(ours) != _label(theirs):
                continue
            union = truth_area[ours] + area[theirs] - shared - overlap.get((VOID, theirs), 0)
            if shared > MATCH * union:
                self.matched[_label(ours)] += 1
                self.iou[_label(ours)] += shared / union
                found_truth.add(ours)
                found.add(theirs)
        for segment in truth_area.keys() - found_truth:
            self.missed[_label(segment)] += 1
        for segment in area.keys() - found:
            if overlap.get((VOID, segment), 0) <= MATCH * area[segment]:
                self.wrong[_label(segment)] += 1

    def scores(self, names: Sequence[str]) -> PanopticScores:
        """Means over the classes that occur in the truth or in the predictions."""
        seen = np.flatnonzero(self.matched + self.wrong + self.missed)
        half = self.matched + 0.5 * self.wrong + 0.5 * self.missed
        pq = {names[int(index)]: float(self.iou[index] / half[index]) for index in seen}
        rq = [float(self.matched[index] / half[index]) for index in seen]
        sq = [float(self.iou[index] / max(self.matched[index], 1)) for index in seen]
        return PanopticScores(_mean(list(pq.values())), _mean(sq), _mean(rq), pq)


@dataclass(frozen=True)
class PanopticScores:
    """Panoptic, segmentation and recognition quality, means over classes; ``by_class`` panoptic quality."""

    pq: float
    sq: float
    rq: float
    by_class: dict[str, float]

    def as_json(self) -> dict[str, Any]:
        """Plain values, rounded to four digits."""
        by_class = {name: round(value, 4) for name, value in self.by_class.items()}
        return {
            "pq": round(self.pq, 4),
            "sq": round(self.sq, 4),
            "rq": round(self.rq, 4),
            "by_class": by_class,
        }


def _overlaps(truth: NDArray[np.integer], predicted: NDArray[np.integer]) -> dict[tuple[int, int], int]:
    """Pixels by pair of segments."""
    pairs = truth.astype(np.int64) << 32 | predicted.astype(np.int64)
    keys, counts = np.unique(pairs, return_counts=True)
    return {
        (int(key) >> 32, int(key) & 0xFFFFFFFF): int(count) for key, count in zip(keys, counts, strict=True)
    }


def _areas(ids: NDArray[np.integer]) -> dict[int, int]:
    """Pixels by segment, without void."""
    values, counts = np.unique(ids, return_counts=True)
    areas = {int(value): int(count) for value, count in zip(values, counts, strict=True)}
    areas.pop(VOID, None)
    return areas


def _label(segment: int) -> int:
    return segment // LABEL_DIVISOR - 1


def _mean(values: list[float]) -> float:
    return float(np.mean(values)) if values else 0.0
