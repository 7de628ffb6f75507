"""How good a map is: labels of voxels, answers to queries, false answers to absent things."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rgbd_perception.errors import UserError
from rgbd_perception.mapping.boxes import OrientedBox, box_contains, box_overlap
from rgbd_perception.mapping.keys import pack
from rgbd_perception.mapping.query import Answer, QueryResult
from rgbd_perception.mapping.report import VoxelArrays
from rgbd_perception.mapping.truth import TruthVoxels
from rgbd_perception.vocabulary import UNKNOWN_LABEL

GROWN_METRES = 0.10
LEAST_OVERLAP = 0.25


@dataclass(frozen=True)
class TrueObject:
    """An object of the truth with its box in the map frame."""

    name: str
    box: OrientedBox


@dataclass(frozen=True)
class TruthDescription:
    """What ``objects.json`` says: class names, objects, (text, class) of the queries, texts of absent
    things."""

    label_names: tuple[str, ...]
    objects: tuple[TrueObject, ...]
    queries: tuple[tuple[str, str], ...]
    absent: tuple[str, ...]


@dataclass(frozen=True)
class ClassVoxels:
    """Voxels of one class: in the truth, in the map (where the truth says anything), and in both."""

    truth: int
    map: int
    both: int

    @property
    def iou(self) -> float | None:
        """Intersection over union; None for a class that is neither in the truth nor in the map."""
        union = self.truth + self.map - self.both
        return self.both / union if union else None


@dataclass(frozen=True)
class SemanticScore:
    """IoU by class name over the voxels of the truth; None for a class that is neither there nor
    predicted."""

    iou: dict[str, float | None]
    counts: dict[str, ClassVoxels]
    mean_iou: float
    truth_voxels: int
    missing_voxels: int
    outside_voxels: int


@dataclass(frozen=True)
class QueryScore:
    """right_at: rank of the first right answer (1 ...), 0 where none is right."""

    text: str
    name: str
    right_at: int
    answers: int
    best_score: float


def read_truth(path: Path, map_from_source: NDArray[np.float64]) -> TruthDescription:
    """Read ``objects.json``; boxes are brought into the map frame. Raises UserError where it cannot be
    used."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return TruthDescription(
            label_names=tuple(content["label_names"]),
            objects=tuple(
                TrueObject(entry["class"], _box(entry, map_from_source)) for entry in content["objects"]
            ),
            queries=tuple((entry["text"], entry["class"]) for entry in content["queries"]),
            absent=tuple(content["absent"]),
        )
    except OSError as error:
        raise UserError(
            f"expected the ground truth {path} ({error.strerror}): "
            "`rgbd-perception synth` writes such folders"
        ) from error
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path} is no valid ground truth ({type(error).__name__}: {error})") from error


def score_labels(
    voxels: VoxelArrays, voxel_size: float, map_names: Sequence[str], truth: TruthVoxels, names: Sequence[str]
) -> SemanticScore:
    """Compare labels voxel by voxel over the voxels of the truth.

    A voxel of the truth that the map does not have, or has without a label, is a miss of its class. Voxels
    of the map outside the truth are counted, not scored: the truth says nothing about them. The mean is over
    the classes that occur in the truth.
    """
    to_truth = np.full(UNKNOWN_LABEL + 1, len(names), np.int64)  # one more: a label that is wrong in any case
    for index, name in enumerate(map_names):
        if name in names:
            to_truth[index] = names.index(name)
    keys = pack(np.floor(voxels.centers.astype(np.float64) / voxel_size))
    place = np.searchsorted(truth.keys, keys)
    place[place == truth.keys.size] = 0
    shared = truth.keys[place] == keys if truth.keys.size else np.zeros(keys.size, bool)
    predicted = np.full(truth.keys.size, len(names), np.int64)
    predicted[place[shared]] = to_truth[voxels.labels[shared]]
    confusion = np.zeros((len(names), len(names) + 1), np.int64)
    np.add.at(confusion, (truth.labels.astype(np.int64), predicted), 1)
    columns = confusion.sum(axis=1), confusion.sum(axis=0)[:-1], np.diag(confusion)
    counts = {
        name: ClassVoxels(int(there), int(said), int(both))
        for name, there, said, both in zip(names, *columns, strict=True)
    }
    iou = {name: count.iou for name, count in counts.items()}
    present = [iou[name] or 0.0 for name, count in counts.items() if count.truth]
    return SemanticScore(
        iou=iou,
        counts=counts,
        mean_iou=float(np.mean(present)) if present else 0.0,
        truth_voxels=int(truth.keys.size),
        missing_voxels=int(truth.keys.size - np.count_nonzero(shared)),
        outside_voxels=int(np.count_nonzero(~shared)),
    )


def is_right(answer: Answer, objects: Sequence[TrueObject]) -> bool:
    """Whether the answer is one of ``objects``: its centre lies in the box of one grown by 10 cm, or their
    boxes overlap by an IoU of more than 0.25."""
    box = OrientedBox(np.array(answer.position), np.array(answer.size), answer.yaw)
    return any(
        box_contains(item.box, box.center, GROWN_METRES) or box_overlap(item.box, box) > LEAST_OVERLAP
        for item in objects
    )


def score_query(result: QueryResult, name: str, objects: Sequence[TrueObject]) -> QueryScore:
    """Rank of the first answer that is an object of class ``name``."""
    wanted = [item for item in objects if item.name == name]
    right = [rank for rank, answer in enumerate(result.answers, start=1) if is_right(answer, wanted)]
    return QueryScore(
        text=result.text,
        name=name,
        right_at=right[0] if right else 0,
        answers=len(result.answers),
        best_score=result.answers[0].score if result.answers else 0.0,
    )


def _box(entry: dict[str, Any], map_from_source: NDArray[np.float64]) -> OrientedBox:
    rotation, shift = map_from_source[:3, :3], map_from_source[:3, 3]
    axis = rotation @ np.array([math.cos(entry["yaw"]), math.sin(entry["yaw"]), 0.0])
    center = rotation @ np.array(entry["center"], np.float64) + shift
    return OrientedBox(center, np.array(entry["size"], np.float64), math.atan2(axis[1], axis[0]))
