"""Boxes against the boxes that their voxels were taken from, and against their definition in numpy."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from rgbd_perception.mapping.boxes import (
    OrientedBox,
    box_contains,
    box_overlap,
    oriented_boxes,
)
from rgbd_perception.mapping.keys import OFFSET, pack
from rgbd_perception.mapping.threads import Threads

_VOXEL = 0.05


def _box(voxels: np.ndarray, voxel_size: float = _VOXEL) -> OrientedBox:
    """The box around integer voxel coordinates (n, 3)."""
    everything = np.array([0, len(voxels)])
    return oriented_boxes(pack(voxels), everything[:1], everything[1:], voxel_size).box(0)


def _filled(size: tuple[float, float, float], yaw: float, center: np.ndarray) -> np.ndarray:
    """The voxels that points inside a turned box fall into."""
    rng = np.random.default_rng(0)
    local = (rng.random((20_000, 3)) - 0.5) * size
    turn = np.array([[np.cos(yaw), -np.sin(yaw), 0], [np.sin(yaw), np.cos(yaw), 0], [0, 0, 1]])
    return np.unique(np.floor((local @ turn.T + center) / _VOXEL), axis=0).astype(np.int64)


def _between_outliers(values: np.ndarray) -> tuple[float, float]:
    """Least and largest without the outermost 2 % at either end."""
    ordered, skipped = np.sort(values), int(0.02 * len(values))
    return ordered[skipped], ordered[len(values) - 1 - skipped]


def _areas(voxels: np.ndarray, degrees: np.ndarray) -> np.ndarray:
    """Area of the rectangle at each angle around the columns of few voxels."""
    columns = (np.unique(voxels[:, :2], axis=0) + 0.5) * _VOXEL
    areas = []
    for angle in np.radians(degrees):
        sides = columns @ np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        (left, right), (near, far) = (_between_outliers(side) for side in sides.T)
        areas.append((right - left + _VOXEL) * (far - near + _VOXEL))
    return np.array(areas)


@settings(max_examples=15)
@given(
    st.floats(0.8, 2.0),
    st.floats(0.3, 0.6),
    st.floats(0.3, 1.5),
    st.floats(-1.5, 1.5),
    st.tuples(st.floats(-5, 5), st.floats(-5, 5), st.floats(0, 2)),
)
def test_box_finds_size_centre_and_yaw(length, width, height, yaw, center):
    box = _box(_filled((length, width, height), yaw, np.array(center)))
    np.testing.assert_allclose(box.size, [length, width, height], atol=1.6 * _VOXEL)
    np.testing.assert_allclose(box.center, center, atol=_VOXEL)
    turned = (box.yaw - yaw + np.pi / 2) % np.pi - np.pi / 2
    assert abs(turned) < 0.15
    assert -np.pi / 2 <= box.yaw < np.pi / 2


def test_box_ignores_a_few_outliers():
    voxels = _filled((1.0, 0.5, 0.5), 0.0, np.zeros(3))
    clean, dirty = _box(voxels), _box(np.concatenate([voxels, [[60, 60, 40], [-40, 20, 0]]]))
    np.testing.assert_allclose(dirty.size, clean.size, atol=0.1)
    np.testing.assert_allclose(dirty.center, clean.center, atol=0.05)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_box_of_few_voxels_is_at_least_a_voxel(count):
    box = _box(np.arange(3 * count).reshape(count, 3))
    assert np.all(box.size >= _VOXEL)
    assert np.all(np.isfinite([*box.center, *box.size, box.yaw]))


_BLOB = hnp.arrays(bool, st.tuples(*[st.integers(1, 9)] * 3), fill=st.just(True)).filter(np.any)
_WALL = hnp.arrays(bool, st.tuples(st.integers(1, 40), st.just(1), st.integers(1, 60)), fill=st.just(True))
_FAR_APART = hnp.arrays(np.int64, (7, 3), elements=st.integers(-OFFSET, OFFSET - 1))


@settings(max_examples=60)
@given(
    st.one_of(
        st.tuples(
            st.one_of(_BLOB, _WALL.filter(np.any)), st.tuples(*[st.integers(-OFFSET, OFFSET - 61)] * 3)
        ).map(lambda drawn: np.argwhere(drawn[0]) + drawn[1]),
        _FAR_APART.map(lambda voxels: np.unique(voxels, axis=0)),
    ),
    st.randoms(use_true_random=False),
)
@example(np.array([[-OFFSET] * 3, [OFFSET - 1] * 3]), None)
def test_box_is_what_it_is_defined_to_be(voxels, random):
    """Its faces are those of its yaw, whose area is among the least, in whatever order the voxels come."""
    order = np.arange(len(voxels))
    if random is not None:
        random.shuffle(order)
    box = _box(voxels[order])
    cosine, sine = np.cos(box.yaw), np.sin(box.yaw)
    axes = np.array([[cosine, sine, 0], [-sine, cosine, 0], [0, 0, 1]])
    low, high = np.transpose([_between_outliers((voxels + 0.5) * _VOXEL @ axis) for axis in axes])
    tolerance = 1e-9 * max(1, np.abs(voxels).max() * _VOXEL)
    np.testing.assert_allclose(box.size, np.maximum(high - low, _VOXEL), atol=tolerance)
    np.testing.assert_allclose(axes @ box.center, (low + high) / 2, atol=tolerance)
    assert box.size[0] >= box.size[1] - 1e-9


def _first_of_least(voxels: np.ndarray, degrees: np.ndarray) -> float:
    """The angle of the least area; a later one must be better by 1e-9."""
    best, smallest = 0.0, np.inf
    for angle, area in zip(degrees, _areas(voxels, degrees), strict=True):
        if area < smallest - 1e-9:
            best, smallest = angle, area
    return best


@settings(max_examples=60)
@given(
    hnp.arrays(bool, st.tuples(st.integers(1, 16), st.integers(1, 8), st.integers(1, 3))).filter(np.any),
    st.tuples(*[st.integers(-2000, 2000)] * 3),
)
@example(np.ones((11, 11, 1), bool), (0, 0, 0))
@example(np.eye(16, dtype=bool)[:, :, None], (5, -5, 0))
def test_angles_that_are_not_tried_would_not_have_been_chosen(occupied, place):
    """Of up to 128 columns, from which none are left out for the search."""
    voxels = np.argwhere(occupied) + place
    coarse = _first_of_least(voxels, np.arange(0, 90, 2.0))
    turned = np.radians(_first_of_least(voxels, coarse - 2 + np.arange(17) * 0.25)) - _box(voxels).yaw
    assert abs(np.sin(2 * turned)) < 1e-9, "the box's x axis may be either of the two"


def test_yaw_of_a_square_does_not_depend_on_its_place():
    square = np.argwhere(np.ones((8, 8, 8), bool))
    places = np.random.default_rng(3).integers(-500, 500, (200, 3))
    assert {round(_box(square + place).yaw, 6) for place in places} == {0.0}


def test_groups_do_not_mix_and_threads_do_not_matter():
    rng = np.random.default_rng(5)
    groups = [np.unique(rng.integers(-9, 9, (rng.integers(1, 60), 3)), axis=0) for _ in range(100)]
    ends = np.cumsum([len(group) for group in groups])
    starts = np.append(0, ends[:-1])
    run = Threads(2)
    boxes = oriented_boxes(pack(np.concatenate(groups)), starts, ends, _VOXEL, run)
    run.close()
    for index, group in enumerate(groups):
        alone, together = _box(group), boxes.box(index)
        assert (alone.center.tolist(), alone.size.tolist(), alone.yaw) == (
            together.center.tolist(), together.size.tolist(), together.yaw,
        )  # fmt: skip


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
