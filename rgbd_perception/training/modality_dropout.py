"""Samples without one of their images, so that a network works without depth and does not lean on color."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def drop_modality(
    color: NDArray[np.uint8],
    depth: NDArray[np.float32],
    drop_depth: float,
    drop_color: float,
    rng: np.random.Generator,
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Color (H, W, 3) and depth (H, W), one of them replaced with these probabilities, never both.

    No depth is 0, no color a random even grey.
    """
    fate = rng.random()
    if fate < drop_depth:
        return color, np.zeros_like(depth)
    if fate < drop_depth + drop_color:
        return np.full_like(color, int(rng.integers(0, 256))), depth
    return color, depth
