"""Panoptic merging: classes of pixels and instances become segments (EMSAFormer, arXiv:2306.05242)."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rgbd_perception.inference.embedding_classes import classify_pixels
from rgbd_perception.inference.instances import Centers, InstanceConfig, find_centers, nearest_centers
from rgbd_perception.models import ModelOutput

LABEL_DIVISOR = 1 << 16
VOID = 0
"""Id of pixels without a segment."""


@dataclass(frozen=True)
class Segment:
    """Pixels of one thing, or all those of a class of stuff.

    id              (label + 1) * LABEL_DIVISOR + number, as in the published encoding
    label           0-based class
    number          counts the things of a class from 1; 0 for stuff
    pixels          size
    score           mean softmax of the pixels' classes; for a thing times ``instance_score``
    instance_score  height of the centre's peak; None for stuff
    """

    id: int
    label: int
    number: int
    pixels: int
    score: float
    instance_score: float | None = None


@dataclass(frozen=True)
class Panoptic:
    """Segment ids (H, W) of the pixels, VOID where there is none, and what they mean."""

    ids: NDArray[np.int64]
    segments: tuple[Segment, ...]


def panoptic_segments(
    output: ModelOutput, stuff: Collection[int], config: InstanceConfig | None = None
) -> list[Panoptic]:
    """Segments of every image of a batch; classes that are not in ``stuff`` (0-based) are things."""
    if output.logits is None or output.center is None or output.offset is None:
        raise ValueError("expected the output of a multi-task network: logits, center and offset")
    config = config or InstanceConfig()
    things = torch.ones(output.logits.shape[1], dtype=torch.bool, device=output.logits.device)
    things[list(stuff)] = False
    labels, scores = classify_pixels(output.logits)
    images = []
    for label, score, center, offset in zip(labels, scores, output.center[:, 0], output.offset, strict=True):
        centers = find_centers(center, config)
        instances = nearest_centers(offset, centers, things[label], config.max_distance)
        images.append(merge_segments(label, score, instances, centers, things))
    return images


def merge_segments(
    labels: Tensor, scores: Tensor, instances: Tensor, centers: Centers, things: Tensor
) -> Panoptic:
    """Classes (H, W), their softmax (H, W), indices of centres (H, W) and which classes are things (C,).

    A thing has the most frequent class of its pixels. Pixels of things without an instance become void.
    """
    label, score, instance, is_thing, peak = (
        tensor.cpu().numpy() for tensor in (labels, scores.float(), instances, things, centers.scores.float())
    )
    kinds = _things(label, score, instance, peak, len(is_thing))
    table = np.full(len(peak), VOID, np.int64)
    for index, segment in kinds.items():
        table[index] = segment.id
    inside = instance >= 0
    ids = np.full(label.shape, VOID, np.int64)
    ids[inside] = table[instance[inside]]
    regions = _stuff(label, score, is_thing)
    for segment in regions:
        ids[label == segment.label] = segment.id
    return Panoptic(ids, (*kinds.values(), *regions))


def _things(
    label: NDArray[np.int64],
    score: NDArray[np.float32],
    instance: NDArray[np.int64],
    peak: NDArray[np.float32],
    classes: int,
) -> dict[int, Segment]:
    """Segment by index of its centre; centres without a pixel have none."""
    inside = instance >= 0
    votes = np.bincount(instance[inside] * classes + label[inside], minlength=len(peak) * classes)
    votes = votes.reshape(len(peak), classes)
    sums = np.bincount(instance[inside], weights=score[inside], minlength=len(peak))
    numbers = np.zeros(classes, np.int64)
    segments = {}
    for index in np.flatnonzero(votes.sum(axis=1)):
        best, pixels = int(votes[index].argmax()), int(votes[index].sum())
        numbers[best] += 1
        height = float(peak[index])
        segments[int(index)] = Segment(
            id=(best + 1) * LABEL_DIVISOR + int(numbers[best]),
            label=best,
            number=int(numbers[best]),
            pixels=pixels,
            score=height * float(sums[index]) / pixels,
            instance_score=height,
        )
    return segments


def _stuff(
    label: NDArray[np.int64], score: NDArray[np.float32], is_thing: NDArray[np.bool_]
) -> list[Segment]:
    pixels = np.bincount(label.ravel(), minlength=len(is_thing))
    sums = np.bincount(label.ravel(), weights=score.ravel(), minlength=len(is_thing))
    return [
        Segment(
            (int(index) + 1) * LABEL_DIVISOR, int(index), 0, int(pixels[index]), sums[index] / pixels[index]
        )
        for index in np.flatnonzero((pixels > 0) & ~is_thing)
    ]
