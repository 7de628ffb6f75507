"""What is scored in parts, as one."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def joined(
    parts: list[tuple[NDArray[np.int32], NDArray[np.float32]]],
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Numbers (k,) and scores (k, T)."""
    return np.concatenate([numbers for numbers, _ in parts]), np.concatenate([scores for _, scores in parts])
