"""Class masks as people see them: colours over the image, and a legend."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rgbd_perception.vocabulary import UNKNOWN_LABEL, Vocabulary

UNKNOWN_COLOR = (40, 40, 40)


def colorize(labels: NDArray[np.integer], vocabulary: Vocabulary) -> NDArray[np.uint8]:
    """Return the (H, W, 3) uint8 rgb picture of labels (H, W); unknown and foreign ids are dark grey."""
    return paint(labels, vocabulary.colors)


def paint(labels: NDArray[np.integer], colors: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The same in ``colors`` (C, 3) uint8 rgb; -1 is unknown, too."""
    table = np.concatenate((colors, np.array([UNKNOWN_COLOR], dtype=np.uint8)))
    return table[np.minimum(labels, len(colors)).astype(np.intp)]


def overlay(
    color: NDArray[np.uint8], labels: NDArray[np.integer], vocabulary: Vocabulary, opacity: float = 0.55
) -> NDArray[np.uint8]:
    """Blend the masks over the color image (H, W, 3) uint8 rgb; both must have the same height and width."""
    mixed = (1 - opacity) * color.astype(np.float32) + opacity * colorize(labels, vocabulary).astype(
        np.float32
    )
    return (mixed + 0.5).astype(np.uint8)


def largest_classes(labels: NDArray[np.integer], vocabulary: Vocabulary, count: int) -> list[int]:
    """Ids of the ``count`` classes that cover most pixels, largest first."""
    known = labels[labels != UNKNOWN_LABEL].astype(np.intp).ravel()
    pixels = np.bincount(known, minlength=len(vocabulary))[: len(vocabulary)]
    order = np.argsort(-pixels, kind="stable")[:count]
    return [int(label) for label in order if pixels[label] > 0]
