"""Square windows on feature maps, as in the Swin transformers: padding, cutting, shift masks, positions.

All feature maps are channels-last, (B, H, W, C). A map is zero-padded at the right and at the bottom to a
multiple of the window, then shifted cyclically; padded tokens are not masked, as in the references.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

MASKED = -100.0
FIRMLY_MASKED = -1000.0
"""For inference: exp(-100) is a denormal number, which processors multiply a hundred times slower than 0."""


class WindowLayout(NamedTuple):
    """Padded height and width, the cyclic shifts towards the origin along both, side of a window."""

    size: tuple[int, int]
    shifts: tuple[int, int]
    window: int


class Windows(NamedTuple):
    """How an attention cuts maps of any size.

    ``always_shift``: whether an axis is shifted too along which a single window covers the padded map.
    """

    window: int
    shift: int
    always_shift: bool

    def layout(self, height: int, width: int) -> WindowLayout:
        """For maps of this size."""
        size = _round_up(height, self.window), _round_up(width, self.window)
        rows, columns = (self.shift if self.always_shift or side > self.window else 0 for side in size)
        return WindowLayout(size, (rows, columns), self.window)


def to_windows(x: Tensor, layout: WindowLayout, order: Tensor, inverse: Tensor) -> Tensor:
    """(B, H, W, C) -> (B * windows, N, C), with ``order`` and ``inverse`` of ``window_order``."""
    batch, height, width, dim = x.shape
    rows, columns = layout.size[0] - height, layout.size[1] - width
    if rows or columns:
        x = F.pad(x, (0, 0, 0, columns, 0, rows))
    tokens = _permute(x.reshape(batch, -1, dim), order, inverse)
    return tokens.view(-1, layout.window**2, dim)


def from_windows(
    windows: Tensor, layout: WindowLayout, order: Tensor, inverse: Tensor, size: tuple[int, int]
) -> Tensor:
    """The inverse of ``to_windows``, without what was padded: a map (B, H, W, C) of ``size`` (H, W)."""
    tokens = windows.view(-1, layout.size[0] * layout.size[1], windows.shape[2])
    maps = _permute(tokens, inverse, order).view(-1, *layout.size, windows.shape[2])
    return maps[:, : size[0], : size[1]]


@lru_cache(maxsize=64)
def window_order(layout: WindowLayout) -> tuple[Tensor, Tensor]:
    """Raster index of each token in window order after the cyclic shift, and the inverse permutation."""
    with torch.inference_mode(False):
        raster = torch.arange(layout.size[0] * layout.size[1], device="cpu").view(layout.size)
        shifted = torch.roll(raster, (-layout.shifts[0], -layout.shifts[1]), dims=(0, 1))
        order = _partition(shifted, layout.window).flatten()
        return order, torch.argsort(order)


@lru_cache(maxsize=64)
def shift_mask(layout: WindowLayout, masked: float = MASKED) -> Tensor:
    """(windows, N, N): 0 inside a region of the unshifted map, ``masked`` across a border."""
    with torch.inference_mode(False):
        rows, columns = (torch.zeros(side, device="cpu") for side in layout.size)
        for region, extent, shift in zip((rows, columns), layout.size, layout.shifts, strict=True):
            if shift:
                region[extent - layout.window : extent - shift] = 1
                region[extent - shift :] = 2
        windows = _partition(3 * rows[:, None] + columns[None, :], layout.window)
        different = windows[:, :, None] != windows[:, None, :]
        return torch.zeros(different.shape, device="cpu").masked_fill_(different, masked)


def masked_bias(position_bias: Tensor, layout: WindowLayout, masked: float = MASKED) -> Tensor:
    """Position bias (1, heads, N, N) plus shift mask: (1 or windows of an image, heads, N, N)."""
    if not any(layout.shifts):
        return position_bias
    return position_bias + shift_mask(layout, masked).to(position_bias).unsqueeze(1)


def repeat_bias(bias: Tensor, windows: int) -> Tensor:
    """Bias (1 or windows of an image, heads, N, N) for all ``windows`` of a batch."""
    if bias.shape[0] in (1, windows):
        return bias
    return bias.repeat(windows // bias.shape[0], 1, 1, 1)


def relative_position_index(window: int) -> Tensor:
    """(N * N,) row of a table of (2w-1)^2 offsets for each pair of the N tokens of a window."""
    axis = torch.arange(window)
    y, x = (part.flatten() for part in torch.meshgrid(axis, axis, indexing="ij"))
    dy, dx = y[:, None] - y[None, :] + window - 1, x[:, None] - x[None, :] + window - 1
    return (dy * (2 * window - 1) + dx).flatten()


def merge_phases(x: Tensor) -> Tensor:
    """(B, H, W, C) -> (B, ceil(H/2), ceil(W/2), 4C): squares of 2 x 2 tokens, column by column, in one."""
    height, width = x.shape[1:3]
    if height % 2 or width % 2:
        x = F.pad(x, (0, 0, 0, width % 2, 0, height % 2))
    phases = (x[:, 0::2, 0::2], x[:, 1::2, 0::2], x[:, 0::2, 1::2], x[:, 1::2, 1::2])
    return torch.cat(phases, dim=-1)


def _round_up(value: int, multiple: int) -> int:
    return -(-value // multiple) * multiple


def _partition(x: Tensor, window: int) -> Tensor:
    """(H, W) -> (windows, N)."""
    height, width = x.shape
    x = x.view(height // window, window, width // window, window)
    return x.transpose(1, 2).reshape(-1, window * window)


def _permute(x: Tensor, order: Tensor, inverse: Tensor) -> Tensor:
    """Reorder the rows (dim 1) of ``x``."""
    return _Permute.apply(x, order, inverse) if x.requires_grad else x.index_select(1, order)


class _Permute(torch.autograd.Function):
    """The backward pass is a plain gather too, not a slow scatter."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, order: Tensor, inverse: Tensor) -> Tensor:
        ctx.save_for_backward(inverse)
        return x.index_select(1, order)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        return grad.index_select(1, *ctx.saved_tensors), None, None


CACHES = (window_order, shift_mask)
"""What keeps tensors made of shapes alone: a trace must start and end with none (``inference.export``)."""
