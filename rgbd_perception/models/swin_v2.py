"""Swin Transformer V2 blocks (Liu et al. 2022, arXiv:2111.09883): window attention, block, patch merging.

Sub-module names follow the published DVEFormer checkpoints, so that those load by name. All feature maps are
channels-last, (B, H, W, C).
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

MAX_LOGIT_SCALE = math.log(100.0)
MASKED = -100.0
CPB_HIDDEN = 512


class DropPath(nn.Module):
    """Stochastic depth (Huang et al. 2016): drops the residual branch of whole samples while training."""

    def __init__(self, probability: float) -> None:
        super().__init__()
        self.probability = probability

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or self.probability == 0.0:
            return x
        keep = 1.0 - self.probability
        shape = (x.shape[0],) + (1,) * (x.ndim - 1)
        return x * (x.new_empty(shape).bernoulli_(keep) / keep)


class WindowAttentionV2(nn.Module):
    """Scaled cosine attention inside (shifted) square windows with a log-spaced continuous position bias.

    The map is zero-padded at the right and at the bottom to a multiple of the window before the shift; padded
    tokens are not masked, as in the reference.
    """

    def __init__(self, dim: int, heads: int, window: int, shift: int) -> None:
        super().__init__()
        self.dim, self.heads, self.window, self.shift = dim, heads, window, shift
        self.logit_scale = nn.Parameter(torch.full((heads, 1, 1), math.log(10.0)))
        self.qkv = nn.Linear(dim, 3 * dim)
        self.proj = nn.Linear(dim, dim)
        self.cpb_mlp = nn.Sequential(
            nn.Linear(2, CPB_HIDDEN), nn.ReLU(inplace=True), nn.Linear(CPB_HIDDEN, heads, bias=False)
        )
        self.register_buffer("relative_coords_table", _relative_coords_table(window))
        self.register_buffer("relative_position_index", _relative_position_index(window))
        self._folded_bias: Tensor | None = None
        self._folded_masked: tuple[tuple[int, ...], Tensor] | None = None

    def forward(self, x: Tensor) -> Tensor:
        """(B, H, W, C) -> (B, H, W, C)."""
        batch, height, width, dim = x.shape
        padded = _round_up(height, self.window), _round_up(width, self.window)
        if padded != (height, width):
            x = F.pad(x, (0, 0, 0, padded[1] - width, 0, padded[0] - height))
        shifts = tuple(self.shift if extent > self.window else 0 for extent in padded)
        order, inverse = (index.to(x.device) for index in _window_order(padded, shifts, self.window))
        tokens = self.window**2
        windows = _Permute.apply(x.reshape(batch, -1, dim), order, inverse).view(-1, tokens, dim)
        windows = self._attend(windows, batch, padded, shifts)
        x = _Permute.apply(windows.view(batch, -1, dim), inverse, order).view(batch, *padded, dim)
        return x[:, :height, :width]

    def _attend(self, x: Tensor, batch: int, size: tuple[int, ...], shifts: tuple[int, ...]) -> Tensor:
        """(B * windows, N, C) -> the same shape."""
        count, tokens, dim = x.shape
        qkv = F.linear(x, self.qkv.weight, self._qkv_bias())
        qkv = qkv.view(count, tokens, 3, self.heads, dim // self.heads).permute(2, 0, 3, 1, 4)
        q, k = F.normalize(qkv[:2], dim=-1).unbind(0)
        q = q * self.logit_scale.clamp(max=MAX_LOGIT_SCALE).exp()
        bias = self._bias(size, shifts).to(q.dtype)
        if bias.shape[0] > 1 and batch > 1:  # one mask per window of an image
            bias = bias.repeat(batch, 1, 1, 1)
        if self.training:  # faster than the fused kernel where the bias needs a gradient
            out = torch.softmax(q @ k.transpose(-1, -2) + bias, dim=-1) @ qkv[2]
        else:
            out = F.scaled_dot_product_attention(q, k, qkv[2], attn_mask=bias, scale=1.0)
        return self.proj(out.transpose(1, 2).reshape(count, tokens, dim))

    def _qkv_bias(self) -> Tensor:
        """The key bias counts as zero whatever value is stored (a quirk of the reference)."""
        bias = self.qkv.bias
        return torch.cat((bias[: self.dim], torch.zeros_like(bias[: self.dim]), bias[2 * self.dim :]))

    def _position_bias(self) -> Tensor:
        """(1, heads, N, N)."""
        tokens = self.window**2
        table = self.cpb_mlp(self.relative_coords_table).view(-1, self.heads)
        bias = table[self.relative_position_index].view(tokens, tokens, self.heads).permute(2, 0, 1)
        return 16.0 * torch.sigmoid(bias).contiguous().unsqueeze(0)

    def _bias(self, size: tuple[int, ...], shifts: tuple[int, ...]) -> Tensor:
        """Position bias plus shift mask: (1 or windows of an image, heads, N, N)."""
        key = (*size, *shifts)
        if self._folded_masked is not None and self._folded_masked[0] == key:
            return self._folded_masked[1]
        bias = self._position_bias() if self._folded_bias is None else self._folded_bias
        if any(shifts):
            bias = bias + _shift_mask(size, shifts, self.window).to(bias).unsqueeze(1)
        if self._folded_bias is not None:
            self._folded_masked = (key, bias)
        return bias

    @torch.no_grad()
    def fold(self) -> None:
        """Freeze the position bias for inference; ``train()`` undoes it."""
        self._folded_bias, self._folded_masked = self._position_bias(), None

    def train(self, mode: bool = True) -> WindowAttentionV2:
        self._folded_bias = self._folded_masked = None
        return super().train(mode)


class SwinBlockV2(nn.Module):
    """Residual block with post-norm: attention, then a two-layer MLP with exact GELU.

    ``local`` adds a depth-wise 3x3 convolution in front (conditional position encoding, Chu et al. 2021,
    arXiv:2102.10882). The published networks have none; a small one trained from scratch learns faster so.
    """

    def __init__(
        self,
        dim: int,
        heads: int,
        window: int,
        shift: int,
        mlp_ratio: float,
        drop_path: float,
        local: bool = False,
    ) -> None:
        super().__init__()
        hidden = int(dim * mlp_ratio)
        self.norm1 = nn.LayerNorm(dim, eps=1e-5)
        self.attn = WindowAttentionV2(dim, heads, window, shift)
        self.drop_path = DropPath(drop_path)
        self.norm2 = nn.LayerNorm(dim, eps=1e-5)
        # Identities hold the places of the checkpoints' dropouts: their linears are called mlp.0 and mlp.3.
        self.mlp = nn.Sequential(nn.Linear(dim, hidden), nn.GELU(), nn.Identity(), nn.Linear(hidden, dim))
        self.local = nn.Conv2d(dim, dim, 3, padding=1, groups=dim) if local else None

    def forward(self, x: Tensor) -> Tensor:
        if self.local is not None:
            x = x + self.local(x.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
        x = x + self.drop_path(self.norm1(self.attn(x)))
        return x + self.drop_path(self.norm2(self.mlp(x)))


class PatchMergingV2(nn.Module):
    """Halves the resolution and doubles the channels: four phases, linear, LayerNorm."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.reduction = nn.Linear(4 * dim, 2 * dim, bias=False)
        self.norm = nn.LayerNorm(2 * dim, eps=1e-5)

    def forward(self, x: Tensor) -> Tensor:
        height, width = x.shape[1:3]
        if height % 2 or width % 2:
            x = F.pad(x, (0, 0, 0, width % 2, 0, height % 2))
        phases = (x[:, 0::2, 0::2], x[:, 1::2, 0::2], x[:, 0::2, 1::2], x[:, 1::2, 1::2])
        return self.norm(self.reduction(torch.cat(phases, dim=-1)))


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
        raster = torch.arange(size[0] * size[1]).view(size[0], size[1])
        shifted = torch.roll(raster, (-shifts[0], -shifts[1]), dims=(0, 1))
        order = _partition(shifted, window).flatten()
        return order, torch.argsort(order)


def _relative_coords_table(window: int) -> Tensor:
    """(1, 2w-1, 2w-1, 2) offsets (dy, dx): 8 d / (w - 1), log-spaced, over log2(8)."""
    offsets = torch.arange(-(window - 1), window, dtype=torch.float32) * 8.0 / (window - 1)
    spaced = torch.sign(offsets) * torch.log2(offsets.abs() + 1.0) / 3.0
    return torch.stack(torch.meshgrid(spaced, spaced, indexing="ij"), dim=-1).unsqueeze(0)


def _relative_position_index(window: int) -> Tensor:
    """(N * N,) row of the coordinate table for each pair of tokens of a window."""
    axis = torch.arange(window)
    y, x = (part.flatten() for part in torch.meshgrid(axis, axis, indexing="ij"))
    dy, dx = y[:, None] - y[None, :] + window - 1, x[:, None] - x[None, :] + window - 1
    return (dy * (2 * window - 1) + dx).flatten()


@lru_cache(maxsize=64)
def _shift_mask(size: tuple[int, ...], shifts: tuple[int, ...], window: int) -> Tensor:
    """(windows, N, N): 0 inside a region of the unshifted map, MASKED across a border."""
    with torch.inference_mode(False):
        rows, columns = torch.zeros(size[0]), torch.zeros(size[1])
        for region, extent, shift in zip((rows, columns), size, shifts, strict=True):
            if shift:
                region[extent - window : extent - shift] = 1
                region[extent - shift :] = 2
        windows = _partition(3 * rows[:, None] + columns[None, :], window)
        different = windows[:, :, None] != windows[:, None, :]
        return torch.zeros(different.shape).masked_fill_(different, MASKED)
