"""Square windows on feature maps, as in the Swin transformers: cutting, shift masks, relative positions.

All feature maps are channels-last, (B, H, W, C).
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

MASKED = -100.0


class WindowAttention(nn.Module):
    """Attention inside square windows of a map that is shifted cyclically; how to attend is the subclass's.

    The map is zero-padded at the right and at the bottom to a multiple of the window before the shift; padded
    tokens are not masked, as in the references.
    """

    def __init__(self, window: int, shift: int) -> None:
        super().__init__()
        self.window, self.shift = window, shift
        self._folded_bias: Tensor | None = None
        self._folded_masked: tuple[tuple[int, ...], Tensor] | None = None

    def position_bias(self) -> Tensor:
        """What relative positions add to the scores: (1, heads, N, N) for windows of N tokens."""
        raise NotImplementedError

    def attend(self, windows: Tensor, bias: Tensor) -> Tensor:
        """(B, N, C) -> (B, N, C) with ``bias`` (1 or B, heads, N, N) on the scores."""
        raise NotImplementedError

    def shifts(self, padded: tuple[int, int]) -> tuple[int, ...]:
        """Cyclic shift (rows, columns) of a padded map (H, W)."""
        return self.shift, self.shift

    def forward(self, x: Tensor) -> Tensor:
        """(B, H, W, C) -> (B, H, W, C)."""
        batch, height, width, dim = x.shape
        padded = _round_up(height, self.window), _round_up(width, self.window)
        if padded != (height, width):
            x = F.pad(x, (0, 0, 0, padded[1] - width, 0, padded[0] - height))
        shifts = self.shifts(padded)
        order, inverse = (index.to(x.device) for index in _window_order(padded, shifts, self.window))
        bias = self._bias(padded, shifts)
        if bias.shape[0] > 1 and batch != 1:  # one mask per window of an image
            bias = bias.repeat(batch, 1, 1, 1)
        windows = _Permute.apply(x.flatten(1, 2), order, inverse).unflatten(1, (-1, self.window**2))
        windows = self.attend(windows.flatten(0, 1), bias)
        tokens = windows.view(batch, padded[0] * padded[1], dim)
        return _Permute.apply(tokens, inverse, order).view(batch, *padded, dim)[:, :height, :width]

    def _bias(self, size: tuple[int, ...], shifts: tuple[int, ...]) -> Tensor:
        """Position bias plus shift mask: (1 or windows of an image, heads, N, N)."""
        key = (*size, *shifts)
        if self._folded_masked is not None and self._folded_masked[0] == key:
            return self._folded_masked[1]
        bias = self.position_bias() if self._folded_bias is None else self._folded_bias
        if any(shifts):
            bias = bias + _shift_mask(size, shifts, self.window).to(bias).unsqueeze(1)
        if self._folded_bias is not None:
            self._folded_masked = (key, bias)
        return bias

    @torch.no_grad()
    def fold(self) -> None:
        """Freeze the position bias for inference; ``train()`` undoes it."""
        self._folded_bias, self._folded_masked = self.position_bias(), None

    def train(self, mode: bool = True) -> WindowAttention:
        self._folded_bias = self._folded_masked = None
        return super().train(mode)


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


class _Permute(torch.autograd.Function):
    """Reorder the rows (dim 1) of a tensor; the backward pass is a plain gather too, not a slow scatter."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, order: Tensor, inverse: Tensor) -> Tensor:
        ctx.save_for_backward(inverse)
        return x.index_select(1, order)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        return grad.index_select(1, *ctx.saved_tensors), None, None


def _partition(x: Tensor, window: int) -> Tensor:
    """(H, W) -> (windows, N)."""
    height, width = x.shape
    x = x.view(height // window, window, width // window, window)
    return x.transpose(1, 2).reshape(-1, window * window)


@lru_cache(maxsize=64)
def _window_order(size: tuple[int, ...], shifts: tuple[int, ...], window: int) -> tuple[Tensor, Tensor]:
    """Raster index of each token in window order after the cyclic shift, and the inverse permutation."""
    with torch.inference_mode(False):
        raster = torch.arange(size[0] * size[1], device="cpu").view(size[0], size[1])
        shifted = torch.roll(raster, (-shifts[0], -shifts[1]), dims=(0, 1))
        order = _partition(shifted, window).flatten()
        return order, torch.argsort(order)


@lru_cache(maxsize=64)
def _shift_mask(size: tuple[int, ...], shifts: tuple[int, ...], window: int) -> Tensor:
    """(windows, N, N): 0 inside a region of the unshifted map, MASKED across a border."""
    with torch.inference_mode(False):
        rows, columns = torch.zeros(size[0], device="cpu"), torch.zeros(size[1], device="cpu")
        for region, extent, shift in zip((rows, columns), size, shifts, strict=True):
            if shift:
                region[extent - window : extent - shift] = 1
                region[extent - shift :] = 2
        windows = _partition(3 * rows[:, None] + columns[None, :], window)
        different = windows[:, :, None] != windows[:, None, :]
        return torch.zeros(different.shape, device="cpu").masked_fill_(different, MASKED)
