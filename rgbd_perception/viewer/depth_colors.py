"""Depth as people see it: near is red, far is blue, none is black."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray


def colorize_depth(depth: NDArray[np.float32]) -> NDArray[np.uint8]:
    """(H, W, 3) uint8 rgb of depth (H, W) metres, 0 = none, over the range of its middle 96 %."""
    valid = depth > 0
    near, far = np.percentile(depth[valid], (2, 98)) if valid.any() else (0.0, 1.0)
    nearness = np.clip((far - depth) / max(far - near, 1e-3), 0.0, 1.0)
    colors = cv2.applyColorMap((255 * nearness).astype(np.uint8), cv2.COLORMAP_TURBO)[..., ::-1]
    return np.where(valid[..., None], colors, 0).astype(np.uint8)
