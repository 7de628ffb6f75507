"""Centres, assignment and merging on maps done by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from rgbd_perception.inference.instances import NO_INSTANCE, InstanceConfig, find_centers, nearest_centers
from rgbd_perception.inference.panoptic import LABEL_DIVISOR, VOID, panoptic_segments
from rgbd_perception.models import ModelOutput

SIZE = (48, 64)
WALL, CHAIR, TABLE = range(3)


def heat(*peaks: tuple[int, int, float]) -> Tensor:
    """A flat heat map with single peaks (row, column, height)."""
    center = torch.zeros(SIZE)
    for row, column, height in peaks:
        center[row, column] = height
    return center


def pointing(offset: Tensor, region: tuple[slice, slice], target: tuple[int, int]) -> None:
    """Let the pixels of ``region`` point at ``target``."""
    rows, columns = torch.meshgrid(*(torch.arange(extent) for extent in SIZE), indexing="ij")
    offset[0][region] = ((target[0] - rows) / SIZE[0])[region]
    offset[1][region] = ((target[1] - columns) / SIZE[1])[region]


def test_peaks_above_the_threshold_off_the_border_highest_first() -> None:
    center = heat((20, 20, 0.5), (30, 50, 0.9), (20, 40, 0.1), (7, 20, 0.8), (8, 8, 0.3), (20, 56, 0.7))
    centers = find_centers(center, InstanceConfig())
    assert centers.pixels.tolist() == [[30, 50], [20, 20], [8, 8]]  # 0.1 is too low, 7 and 56 too far out
    assert centers.scores.tolist() == pytest.approx([0.9, 0.5, 0.3])
    assert len(find_centers(center, InstanceConfig(max_centers=2)).scores) == 2


def test_one_of_equal_or_near_peaks() -> None:
    centers = find_centers(heat((20, 20, 0.5), (20, 21, 0.5), (26, 28, 0.4), (20, 40, 0.2)), InstanceConfig())
    assert centers.pixels.tolist() == [[20, 20], [20, 40]]


def test_a_map_smaller_than_the_window_has_no_centers() -> None:
    assert len(find_centers(torch.ones(16, 64), InstanceConfig()).scores) == 0


def test_pixels_go_where_they_point() -> None:
    centers = find_centers(heat((20, 20, 0.9), (20, 50, 0.8)), InstanceConfig())
    offset = torch.zeros(2, *SIZE)
    mask = torch.zeros(SIZE, dtype=torch.bool)
    mask[10:30, 5:60] = True
    pointing(offset, (slice(10, 30), slice(5, 30)), (20, 50))  # across the middle
    found = nearest_centers(offset, centers, mask, None)
    assert (found[10:30, 5:30] == 1).all()
    assert (found[10:30, 30:35] == 0).all()  # points nowhere: the nearest
    assert (found[10:30, 36:60] == 1).all()
    assert (found[~mask] == NO_INSTANCE).all()
    limited = nearest_centers(offset, centers, mask, 6.0)
    assert (limited[10:30, 5:30] == 1).all()
    assert limited[20, 35] == NO_INSTANCE


def scene() -> ModelOutput:
    """A wall, two chairs of which one has a patch of table, and a table without a centre near it."""
    labels = torch.full(SIZE, WALL)
    labels[10:30, 10:25] = CHAIR
    labels[10:30, 40:60] = CHAIR
    labels[10:15, 40:60] = TABLE
    offset = torch.zeros(2, *SIZE)
    pointing(offset, (slice(10, 30), slice(10, 25)), (20, 17))
    pointing(offset, (slice(10, 30), slice(40, 60)), (20, 50))
    logits = 4.0 * torch.nn.functional.one_hot(labels, 3).permute(2, 0, 1).float()
    center = heat((20, 17, 0.6), (20, 50, 0.9))
    return ModelOutput(logits=logits[None], center=center[None, None], offset=offset[None])


def test_segments_of_a_scene() -> None:
    (panoptic,) = panoptic_segments(scene(), stuff=[WALL])
    chair = (CHAIR + 1) * LABEL_DIVISOR
    assert (panoptic.ids[10:30, 40:60] == chair + 1).all()  # highest peak first; the majority's class
    assert (panoptic.ids[10:30, 10:25] == chair + 2).all()
    assert (panoptic.ids[:10] == (WALL + 1) * LABEL_DIVISOR).all()
    by_id = {segment.id: segment for segment in panoptic.segments}
    assert set(by_id) == set(np.unique(panoptic.ids).tolist())
    sure = float(torch.softmax(torch.tensor([4.0, 0.0, 0.0]), 0)[0])
    assert by_id[chair + 1].score == pytest.approx(0.9 * sure)
    assert by_id[chair + 1].instance_score == pytest.approx(0.9)
    assert by_id[chair + 1].pixels == 20 * 20
    assert by_id[(WALL + 1) * LABEL_DIVISOR].score == pytest.approx(sure)
    assert by_id[(WALL + 1) * LABEL_DIVISOR].instance_score is None


def test_things_without_an_instance_are_void() -> None:
    output = scene()
    assert output.center is not None
    lonely = ModelOutput(logits=output.logits, center=0.1 * output.center, offset=output.offset)
    (panoptic,) = panoptic_segments(lonely, stuff=[WALL])
    assert (panoptic.ids[10:30, 10:25] == VOID).all()
    assert [segment.label for segment in panoptic.segments] == [WALL]


def test_without_instances_there_is_nothing_to_merge() -> None:
    with pytest.raises(ValueError, match="multi-task"):
        panoptic_segments(ModelOutput(logits=torch.zeros(1, 3, *SIZE)), stuff=[WALL])
