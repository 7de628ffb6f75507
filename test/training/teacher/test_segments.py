"""Segments: the published numbering of classes and instances."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from rgbd_perception.training.datasets.views import IGNORED, LabelledView
from rgbd_perception.training.teacher.segments import classes_of, ids_in, segment_ids

THINGS = (False, True, True)


def view(semantic: np.ndarray, instance: np.ndarray | None) -> LabelledView:
    color = np.zeros((*semantic.shape, 3), np.uint8)
    return LabelledView("v", color, None, semantic.astype(np.int16), instance)


def test_instances_are_counted_by_class_in_the_order_of_their_ids() -> None:
    semantic = np.array([[0, 0, 1, 1, 1, 2, IGNORED, 1]])
    instance = np.array([[0, 7, 9, 4, 4, 9, 4, 0]], np.int32)
    wanted = [[1 << 16, 1 << 16, (2 << 16) + 2, (2 << 16) + 1, (2 << 16) + 1, (3 << 16) + 1, 0, 0]]
    ids = segment_ids(view(semantic, instance), THINGS)
    np.testing.assert_array_equal(ids, wanted)  # 9 covers two classes: split; a thing without instance: void
    np.testing.assert_array_equal(classes_of(ids_in(ids)), [0, 1, 1, 2])


def test_without_instances_a_class_is_one_segment() -> None:
    ids = segment_ids(view(np.array([[2, 1, IGNORED]]), None), THINGS)
    np.testing.assert_array_equal(ids, [[3 << 16, 2 << 16, 0]])


@given(seed=st.integers(0, 10_000))
def test_a_segment_is_of_one_class_and_one_instance(seed: int) -> None:
    rng = np.random.default_rng(seed)
    semantic, instance = rng.integers(-1, 3, (6, 8)), rng.integers(0, 4, (6, 8)).astype(np.int32)
    ids = segment_ids(view(semantic, instance), THINGS)
    for value in ids_in(ids):
        inside = ids == value
        assert set(semantic[inside]) == {int(classes_of(np.array([value]))[0])}
        if value % 65536:
            assert len(set(instance[inside])) == 1
    numbers = [sorted(int(value) % 65536 for value in ids_in(ids) if value >> 16 == c + 1) for c in (1, 2)]
    assert all(found == list(range(1, len(found) + 1)) for found in numbers)
    things = np.isin(semantic, (1, 2))
    np.testing.assert_array_equal(ids == 0, (semantic < 0) | (things & (instance == 0)))
