"""What the shape of a surface says, worked out instead of learned: slopes and relief from depth, at stride 4.

Between neighbouring pixels depth changes by a few thousandths of its value; a small network that is trained
from scratch takes long to see that. These features have no parameters and know nothing of color or texture.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

GEOMETRY_CHANNELS = 5
STRIDE = 4
FOCAL = 70.0
"""Focal length in cells that makes a slope of 1 a surface at 45 degrees, for a camera of 60 degrees width."""

RELIEF = 10.0
NEIGHBOURHOOD = 9
LIMIT = 3.0


def geometry_features(depth: Tensor, offset: float) -> Tensor:
    """Features (B, 5, H/4, W/4) of normalised depth (B, 1, H, W), in which exactly 0 means missing.

    offset  depth mean over depth standard deviation: ``depth + offset`` is proportional to metres

    Channels: depth, slope to the right, slope downwards, how much further away than its surroundings a cell
    is, share of valid pixels. Slopes and relief are relative to the distance and limited; they are 0
    where depth is missing.
    """
    share = F.avg_pool2d((depth != 0).to(depth.dtype), STRIDE)
    mean = F.avg_pool2d(depth, STRIDE) / share.clamp_min(1e-3)
    valid = (share > 0).to(depth.dtype)
    distance = ((mean + offset) * valid).clamp_min(0.05)
    slopes = [_difference(distance, valid, axis) * FOCAL / distance for axis in (3, 2)]
    around = F.avg_pool2d(distance * valid, NEIGHBOURHOOD, 1, NEIGHBOURHOOD // 2)
    around = around / F.avg_pool2d(valid, NEIGHBOURHOOD, 1, NEIGHBOURHOOD // 2).clamp_min(1e-3)
    relief = (distance - around) * RELIEF / distance
    limited = [feature.clamp(-LIMIT, LIMIT) * valid for feature in (*slopes, relief)]
    return torch.cat([mean * valid, *limited, share], dim=1)


def _difference(values: Tensor, valid: Tensor, axis: int) -> Tensor:
    """Half of the difference between the next and the previous cell; 0 where one of them is missing."""
    pad = (1, 1, 0, 0) if axis == 3 else (0, 0, 1, 1)
    values, valid = F.pad(values, pad, mode="replicate"), F.pad(valid, pad, mode="replicate")
    length = values.shape[axis] - 2
    following, previous = values.narrow(axis, 2, length), values.narrow(axis, 0, length)
    return 0.5 * (following - previous) * valid.narrow(axis, 2, length) * valid.narrow(axis, 0, length)
