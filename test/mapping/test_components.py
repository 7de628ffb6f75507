"""Groups of voxels against scipy's labelling, boxes against the boxes they were made from."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import ndimage

from rgbd_perception.mapping.boxes import OrientedBox, box_contains, box_overlap, oriented_box
from rgbd_perception.mapping.components import connected_components
from rgbd_perception.mapping.keys import pack


def _partition(labels: np.ndarray) -> set[frozenset[int]]:
    return {frozenset(np.flatnonzero(labels == label).tolist()) for label in np.unique(labels)}


@given(hnp.arrays(bool, (6, 7, 5)), st.randoms(use_true_random=False))
def test_components_without_gap_are_those_of_scipy(occupied, random):
    coordinates = np.argwhere(occupied)
    random.shuffle(order := list(range(len(coordinates))))
    coordinates = coordinates[order]
    labelled, count = ndimage.label(occupied, structure=np.ones((3, 3, 3)))
    groups = connected_components(pack(coordinates - 3))
    assert _partition(groups) == _partition(labelled[tuple(coordinates.T)])
    assert np.unique(groups).tolist() == list(range(count))


@given(st.sets(st.integers(-20, 20), min_size=1), st.integers(0, 3))
def test_gaps_are_bridged_up_to_their_size(places, gap):
    line = sorted(places)
    groups = connected_components(pack(np.array([[x, 0, 0] for x in line])), gap)
    together = np.diff(line) <= gap + 1
    assert (np.diff(groups) == 0).tolist() == together.tolist()


@given(hnp.arrays(bool, (9, 6, 7), fill=st.just(False)), st.integers(0, 3))
def test_whole_parts_of_bricks_are_grouped_like_single_voxels(occupied, gap):
    keys = pack(np.argwhere(occupied) - 4)
    one_by_one = connected_components(keys, gap, labels=np.ones(keys.size, np.uint16))
    assert connected_components(keys, gap).tolist() == one_by_one.tolist()


def test_unlike_neighbours_are_not_connected():
    keys = pack(np.array([[0, 0, 0], [1, 0, 0], [2, 0, 0]]))
    sketches = np.array([[127, 0], [126, 14], [0, 127]], np.int8)
    assert connected_components(keys, 0, sketches, 0.5).tolist() == [0, 0, 1]


def test_many_voxels_are_quick_and_whole():
    coordinates = np.argwhere(np.ones((60, 60, 30), bool))
    assert connected_components(pack(coordinates), 1).max() == 0


def _filled(size: tuple[float, float, float], yaw: float, center: np.ndarray, voxel: float) -> np.ndarray:
    """Centres of the voxels that the surface points of a turned box fall into."""
    rng = np.random.default_rng(0)
    local = (rng.random((20_000, 3)) - 0.5) * size
    turn = np.array([[np.cos(yaw), -np.sin(yaw), 0], [np.sin(yaw), np.cos(yaw), 0], [0, 0, 1]])
    return (np.unique(np.floor((local @ turn.T + center) / voxel), axis=0) + 0.5) * voxel


@settings(max_examples=15)
@given(
    st.floats(0.8, 2.0),
    st.floats(0.3, 0.6),
    st.floats(0.3, 1.5),
    st.floats(-1.5, 1.5),
    st.tuples(st.floats(-5, 5), st.floats(-5, 5), st.floats(0, 2)),
)
def test_box_finds_size_centre_and_yaw(length, width, height, yaw, center):
    voxel = 0.05
    box = oriented_box(_filled((length, width, height), yaw, np.array(center), voxel), voxel)
    np.testing.assert_allclose(box.size, [length, width, height], atol=1.6 * voxel)
    np.testing.assert_allclose(box.center, center, atol=voxel)
    turned = (box.yaw - yaw + np.pi / 2) % np.pi - np.pi / 2
    assert abs(turned) < 0.15
    assert -np.pi / 2 <= box.yaw < np.pi / 2


def test_box_ignores_a_few_outliers():
    points = _filled((1.0, 0.5, 0.5), 0.0, np.zeros(3), 0.05)
    stray = np.array([[3.0, 3.0, 2.0], [-2.0, 1.0, 0.0]])
    clean, dirty = oriented_box(points, 0.05), oriented_box(np.concatenate([points, stray]), 0.05)
    np.testing.assert_allclose(dirty.size, clean.size, atol=0.1)
    np.testing.assert_allclose(dirty.center, clean.center, atol=0.05)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_box_of_few_voxels_is_at_least_a_voxel(count):
    box = oriented_box(np.arange(3 * count, dtype=float).reshape(count, 3), 0.05)
    assert np.all(box.size >= 0.05)
    assert np.all(np.isfinite([*box.center, *box.size, box.yaw]))


def test_overlap_of_boxes():
    unit = OrientedBox(np.zeros(3), np.ones(3), 0.0)
    assert box_overlap(unit, unit) == pytest.approx(1)
    assert box_overlap(unit, OrientedBox(np.zeros(3), np.ones(3), np.pi / 2)) == pytest.approx(1, abs=1e-5)
    assert box_overlap(unit, OrientedBox(np.array([0.5, 0, 0]), np.ones(3), 0.0)) == pytest.approx(
        1 / 3, abs=1e-5
    )
    octagon = 2 * (np.sqrt(2) - 1)
    turned = OrientedBox(np.zeros(3), np.ones(3), np.pi / 4)
    assert box_overlap(unit, turned) == pytest.approx(octagon / (2 - octagon), abs=1e-4)
    assert box_overlap(unit, OrientedBox(np.array([0, 0, 2.0]), np.ones(3), 0.0)) == 0


def test_containment_turns_with_the_box():
    box = OrientedBox(np.array([1.0, 1.0, 0.0]), np.array([2.0, 0.2, 1.0]), np.pi / 4)
    along = np.array([1.0, 1.0, 0.0]) + 0.9 * np.array([np.cos(np.pi / 4), np.sin(np.pi / 4), 0])
    assert box_contains(box, along)
    assert not box_contains(box, np.array([1.5, 0.5, 0.0]))
    assert box_contains(box, np.array([1.0, 1.0, 0.55]), grown=0.1)
