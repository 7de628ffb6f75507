"""Masks: known classes in their colours, everything else in grey."""

from __future__ import annotations

import numpy as np

from rgbd_perception.viewer.masks import UNKNOWN_COLOR, colorize, largest_classes, overlay
from rgbd_perception.vocabulary import UNKNOWN_LABEL, Vocabulary

VOCABULARY = Vocabulary(["wall", "floor", "chair"])
LABELS = np.array([[0, 1, 1], [2, UNKNOWN_LABEL, 77]], np.uint16)


def test_unknown_and_foreign_ids_are_grey() -> None:
    picture = colorize(LABELS, VOCABULARY)
    np.testing.assert_array_equal(picture[0, 1], VOCABULARY.colors[1])
    np.testing.assert_array_equal(picture[1, 1:], [UNKNOWN_COLOR, UNKNOWN_COLOR])


def test_an_overlay_lies_between_image_and_mask() -> None:
    color = np.full((2, 3, 3), 200, np.uint8)
    mixed = overlay(color, LABELS, VOCABULARY, opacity=0.5).astype(int)
    expected = (200 + colorize(LABELS, VOCABULARY).astype(int)) / 2
    assert np.abs(mixed - expected).max() <= 1


def test_the_largest_classes_come_first_and_unknown_is_none() -> None:
    assert largest_classes(LABELS, VOCABULARY, count=2) == [1, 0]
    assert largest_classes(np.full((4, 4), UNKNOWN_LABEL, np.uint16), VOCABULARY, count=5) == []
