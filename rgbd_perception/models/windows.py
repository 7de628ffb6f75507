"""How a map is cut into (shifted) square windows: padding, order of tokens, coordinates, masks.

The map is zero-padded at the right and at the bottom to a multiple of the window before the shift; padded
tokens are not masked, as in the reference of Swin V2.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

MASKED = -100.0


class WindowLayout(NamedTuple):
    """Padded height and width, and the cyclic shifts towards the origin along both."""

    size: tuple[int, int]
    shifts: tuple[int, int]
    window: int


def window_layout(height: int, width: int, window: int, shift: int) -> WindowLayout:
    """An axis along which one window covers the whole padded map is not shifted."""
    size = _round_up(height, window), _round_up(width, window)
    shifts = shift if size[0] > window else 0, shift if size[1] > window else 0
    return WindowLayout(size, shifts, window)


def pad_to_layout(x: Tensor, layout: WindowLayout) -> Tensor:
    """(B, H, W, C) -> (B, padded H, padded W, C)."""
    rows, columns = layout.size[0] - x.shape[1], layout.size[1] - x.shape[2]
    return F.pad(x, (0, 0, 0, columns, 0, rows)) if rows or columns else x


@lru_cache(maxsize=64)
def window_order(layout: WindowLayout) -> tuple[Tensor, Tensor]:
    """Raster index of each token in window order after the cyclic shift, and the inverse permutation."""
    with torch.inference_mode(False):
        raster = torch.arange(layout.size[0] * layout.size[1]).view(layout.size)
        shifted = torch.roll(raster, (-layout.shifts[0], -layout.shifts[1]), dims=(0, 1))
        order = _partition(shifted, layout.window).flatten()
        return order, torch.argsort(order)


@lru_cache(maxsize=64)
def shift_mask(layout: WindowLayout) -> Tensor:
    """(windows, N, N): 0 inside a region of the unshifted map, MASKED across a border."""
    with torch.inference_mode(False):
        rows, columns = torch.zeros(layout.size[0]), torch.zeros(layout.size[1])
        for region, extent, shift in zip((rows, columns), layout.size, layout.shifts, strict=True):
            if shift:
                region[extent - layout.window : extent - shift] = 1
                region[extent - shift :] = 2
        windows = _partition(3 * rows[:, None] + columns[None, :], layout.window)
        different = windows[:, :, None] != windows[:, None, :]
        return torch.zeros(different.shape).masked_fill_(different, MASKED)


def relative_coords_table(window: int) -> Tensor:
    """(1, 2w-1, 2w-1, 2) offsets (dy, dx): 8 d / (w - 1), log-spaced, over log2(8)."""
    offsets = torch.arange(-(window - 1), window, dtype=torch.float32) * 8.0 / (window - 1)
    spaced = torch.sign(offsets) * torch.log2(offsets.abs() + 1.0) / 3.0
    return torch.stack(torch.meshgrid(spaced, spaced, indexing="ij"), dim=-1).unsqueeze(0)


def relative_position_index(window: int) -> Tensor:
    """(N * N,) row of the coordinate table for each pair of tokens of a window."""
    axis = torch.arange(window)
    y, x = (part.flatten() for part in torch.meshgrid(axis, axis, indexing="ij"))
    dy, dx = y[:, None] - y[None, :] + window - 1, x[:, None] - x[None, :] + window - 1
    return (dy * (2 * window - 1) + dx).flatten()


def _round_up(value: int, multiple: int) -> int:
    return -(-value // multiple) * multiple


def _partition(x: Tensor, window: int) -> Tensor:
    """(H, W) -> (windows, N)."""
    height, width = x.shape
    x = x.view(height // window, window, width // window, window)
    return x.transpose(1, 2).reshape(-1, window * window)
