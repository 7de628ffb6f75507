"""Compile (or load from the cache) the kernels around a network before the first frame comes."""

from __future__ import annotations

import numpy as np

from rgbd_perception.inference.depth_bytes import millimetre_bytes
from rgbd_perception.inference.masks import upsample_masks
from rgbd_perception.inference.preprocess import MAX_DEPTH, shrink_depth


def warm_up() -> None:
    """Seconds the first time, then a fraction of one."""
    upsample_masks(np.zeros((2, 2, 2), np.float32), np.zeros((2, 2), np.uint16), 4, (8, 8))
    for side in (4, 5):  # whole blocks, and cut ones
        shrink_depth(np.zeros((side, side), np.float32), 2)
    millimetre_bytes(np.zeros((2, 2), np.float32), MAX_DEPTH)
