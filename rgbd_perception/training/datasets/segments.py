"""Ground-truth segments: classes and instances as one id of each pixel."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

LABEL_DIVISOR = 1 << 16
"""As in ``inference.panoptic``, which needs torch."""


def panoptic_segments(
    semantic: NDArray[np.int16], instance: NDArray[np.int32] | None, things: Sequence[bool]
) -> NDArray[np.int32]:
    """(H, W) ids ``(class + 1) * LABEL_DIVISOR + k``; 0 = none.

    ``k`` counts the instances of a class from 1, by ascending id; of stuff it is 0. An instance that covers
    several classes is split. Void is no segment, nor are pixels of things without an instance.
    """
    ids = (semantic.astype(np.int64) + 1) * LABEL_DIVISOR
    is_thing = np.array([*things, False])[semantic]
    if instance is None:
        return np.where(is_thing, 0, ids).astype(np.int32)
    counted = is_thing & (instance > 0)
    # The instance of a data set has at most 16 bits: class and instance together sort by class first.
    pairs, places = np.unique(ids[counted] + instance[counted], return_inverse=True)
    classes = pairs // LABEL_DIVISOR
    numbers = np.arange(len(pairs)) - np.searchsorted(classes, classes) + 1
    ids[is_thing] = 0
    ids[counted] = (classes * LABEL_DIVISOR + numbers)[places]
    return ids.astype(np.int32)
