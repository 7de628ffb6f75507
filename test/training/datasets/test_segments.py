"""Segments of the ground truth are numbered as the published embeddings are."""

from __future__ import annotations

import numpy as np

from rgbd_perception.inference import panoptic
from rgbd_perception.training.datasets.segments import LABEL_DIVISOR, panoptic_segments
from rgbd_perception.training.datasets.views import IGNORED

THINGS = (False, True, True)


def test_segments_are_numbered_within_their_class_by_ascending_instance() -> None:
    semantic = np.array([[0, 0, 1, 1, 1, 2, 2, IGNORED, 1]], np.int16)
    instance = np.array([[9, 0, 7, 300, 7, 7, 2, 7, 0]], np.int32)
    ids = panoptic_segments(semantic, instance, THINGS)
    expected = [
        LABEL_DIVISOR,
        LABEL_DIVISOR,  # stuff has no instances
        2 * LABEL_DIVISOR + 1,
        2 * LABEL_DIVISOR + 2,
        2 * LABEL_DIVISOR + 1,
        3 * LABEL_DIVISOR + 2,  # instance 7 again, of another class
        3 * LABEL_DIVISOR + 1,
        0,  # void
        0,  # a thing without instance
    ]
    assert ids.tolist() == [expected]
    assert ids.dtype == np.int32


def test_without_instances_only_stuff_has_segments() -> None:
    semantic = np.array([[0, 1, IGNORED]], np.int16)
    assert panoptic_segments(semantic, None, THINGS).tolist() == [[LABEL_DIVISOR, 0, 0]]


def test_the_encoding_is_that_of_the_networks_output() -> None:
    assert LABEL_DIVISOR == panoptic.LABEL_DIVISOR
