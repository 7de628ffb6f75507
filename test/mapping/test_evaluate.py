"""Scores of a map: truth voxels, IoU, right and wrong answers."""

from __future__ import annotations

import json

import numpy as np
import pytest

from rgbd_perception.errors import UserError
from rgbd_perception.mapping import Answer, MapConfig, QueryResult, VoxelMap
from rgbd_perception.mapping.boxes import OrientedBox
from rgbd_perception.mapping.evaluate import (
    ClassVoxels,
    TrueObject,
    is_right,
    read_truth,
    score_labels,
    score_query,
)
from rgbd_perception.mapping.truth import TruthVoxels, prediction_from_labels, truth_voxels
from rgbd_perception.vocabulary import UNKNOWN_LABEL
from test.mapping.scenes import NAMES, ROOM, STRIDE, VOCABULARY, looking_along, render

POSES = [looking_along(0.05 * index, (0.0, 0.1 * index, 1.0)) for index in range(4)]

VOXEL = 0.15
"""Larger than a cell at the far wall, so that the grid leaves no voxel out."""


def test_a_map_of_the_truth_scores_nearly_all():
    voxel_map = VoxelMap(MapConfig(max_voxels=100_000, voxel_size=VOXEL))
    voxel_map.set_vocabulary(VOCABULARY)
    frames = []
    for index, pose in enumerate(POSES):
        frame, labels = render(ROOM, pose, index)
        voxel_map.integrate(frame, prediction_from_labels(labels, STRIDE, VOCABULARY))
        frames.append((frame, labels))
    truth = truth_voxels(frames, VOXEL)
    score = score_labels(voxel_map.voxels(), VOXEL, NAMES, truth, NAMES)
    assert score.mean_iou > 0.75  # cells at edges see two things
    assert score.iou["lamp"] is None
    assert score.missing_voxels < 0.05 * score.truth_voxels
    swapped = score_labels(voxel_map.voxels(), VOXEL, ("chair", "wall", "lamp", "table"), truth, NAMES)
    assert swapped.mean_iou < 0.05


def test_iou_of_a_small_example():
    keys = np.arange(10, dtype=np.int64)
    truth = TruthVoxels(keys, np.array([0] * 5 + [1] * 5, np.uint16))
    voxel_map = VoxelMap(MapConfig(max_voxels=100))
    store = voxel_map._layers.store
    rows, _ = store.insert(keys[:9])
    voxel_map.set_vocabulary(VOCABULARY)
    store.columns["class_slot"][rows, 0] = np.array([1, 1, 1, 2, 2, 2, 2, 3, 0], np.uint16)
    score = score_labels(voxel_map.voxels(), 0.05, NAMES, truth, NAMES)
    assert score.iou["wall"] == pytest.approx(3 / 5)
    assert score.iou["chair"] == pytest.approx(2 / 7)
    assert score.mean_iou == pytest.approx((3 / 5 + 2 / 7) / 2)
    assert score.counts["chair"] == ClassVoxels(truth=5, map=4, both=2)
    assert (score.missing_voxels, score.outside_voxels) == (1, 0)


def test_truth_is_the_majority_of_the_pixels():
    frame, labels = render(ROOM, POSES[0])
    mixed = np.where(np.arange(labels.size).reshape(labels.shape) % 3 == 0, 2, labels).astype(np.uint16)
    mixed[labels == UNKNOWN_LABEL] = UNKNOWN_LABEL
    plain, noisy = truth_voxels([(frame, labels)], 0.1), truth_voxels([(frame, mixed)], 0.1)
    assert np.array_equal(plain.keys, noisy.keys)
    assert np.mean(plain.labels == noisy.labels) > 0.9
    assert truth_voxels([], 0.1).keys.size == 0


def test_cells_take_the_most_frequent_label():
    labels = np.full((4, 6), UNKNOWN_LABEL, np.uint16)
    labels[0, :3] = (2, 1, 1)
    prediction = prediction_from_labels(labels, 4, VOCABULARY)
    assert prediction.cell_labels.tolist() == [[1, UNKNOWN_LABEL]]
    assert prediction.cell_confidence.tolist() == [[1.0, 0.0]]


def _answer(x: float, size: float = 0.5) -> Answer:
    return Answer(0.9, (x, 0.0, 0.5), (size, size, 1.0), 0.0, "map", 100)


def test_right_means_near_the_centre_or_overlapping():
    chair = TrueObject("chair", OrientedBox(np.array([0.0, 0.0, 0.5]), np.array([0.5, 0.5, 1.0]), 0.0))
    assert is_right(_answer(0.0, 5.0), [chair])
    assert is_right(_answer(0.34), [chair])
    assert not is_right(_answer(0.4), [chair])
    assert not is_right(_answer(0.0), [])
    result = QueryResult("a seat", "", (_answer(3.0), _answer(0.1)))
    assert score_query(result, "chair", [chair]).right_at == 2
    assert score_query(result, "table", [chair]).right_at == 0


def test_truth_is_read_and_turned_into_the_map_frame(tmp_path):
    path = tmp_path / "objects.json"
    content = {
        "label_names": ["chair"],
        "objects": [{"class": "chair", "center": [1, 0, 0.5], "size": [1, 2, 1], "yaw": 0.0}],
        "queries": [{"text": "a seat", "class": "chair"}],
        "absent": ["an elephant"],
    }
    path.write_text(json.dumps(content))
    turn = np.eye(4)
    turn[:3, :3] = [[0, -1, 0], [1, 0, 0], [0, 0, 1]]
    box = read_truth(path, turn).objects[0].box
    np.testing.assert_allclose(box.center, [0, 1, 0.5])
    assert box.yaw == pytest.approx(np.pi / 2)
    path.write_text(json.dumps({"objects": []}))
    with pytest.raises(UserError, match="label_names"):
        read_truth(path, turn)
    with pytest.raises(UserError, match="synth"):
        read_truth(tmp_path / "none.json", turn)
