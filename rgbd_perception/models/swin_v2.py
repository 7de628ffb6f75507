"""Swin Transformer V2 blocks (Liu et al. 2022, arXiv:2111.09883): window attention, block, patch merging.

Sub-module names follow the published DVEFormer checkpoints, so that those load by name. All feature maps are
channels-last, (B, H, W, C).
"""

from __future__ import annotations

import copy
import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from rgbd_perception.models.cosine_attention import join_heads, repeat_bias, split_heads
from rgbd_perception.models.swin_v2_frozen import FrozenWindowAttention
from rgbd_perception.models.windows import (
    WindowLayout,
    pad_to_layout,
    relative_coords_table,
    relative_position_index,
    shift_mask,
    window_layout,
    window_order,
)

MAX_LOGIT_SCALE = math.log(100.0)
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
    """Scaled cosine attention inside (shifted) square windows with a log-spaced continuous position bias."""

    def __init__(self, dim: int, heads: int, window: int, shift: int) -> None:
        super().__init__()
        self.dim, self.heads, self.window, self.shift = dim, heads, window, shift
        self.logit_scale = nn.Parameter(torch.full((heads, 1, 1), math.log(10.0)))
        self.qkv = nn.Linear(dim, 3 * dim)
        self.proj = nn.Linear(dim, dim)
        self.cpb_mlp = nn.Sequential(
            nn.Linear(2, CPB_HIDDEN), nn.ReLU(inplace=True), nn.Linear(CPB_HIDDEN, heads, bias=False)
        )
        self.register_buffer("relative_coords_table", relative_coords_table(window))
        self.register_buffer("relative_position_index", relative_position_index(window))

    def forward(self, x: Tensor) -> Tensor:
        """(B, H, W, C) -> (B, H, W, C)."""
        batch, height, width, dim = x.shape
        layout = window_layout(height, width, self.window, self.shift)
        order, inverse = (index.to(x.device) for index in window_order(layout))
        tokens = pad_to_layout(x, layout).reshape(batch, -1, dim)
        windows = _Permute.apply(tokens, order, inverse).view(-1, self.window**2, dim)
        windows = self._attend(windows, repeat_bias(self._bias(layout), batch))
        x = _Permute.apply(windows.view(batch, -1, dim), inverse, order).view(batch, *layout.size, dim)
        return x[:, :height, :width]

    @torch.no_grad()
    def frozen(self) -> FrozenWindowAttention:
        """The same function of the features, for inference."""
        qkv = copy.deepcopy(self.qkv)
        qkv.bias.copy_(self._qkv_bias())
        return FrozenWindowAttention(
            qkv, self.proj, self._scale(), self._position_bias(), self.window, self.shift
        )

    def _attend(self, x: Tensor, bias: Tensor) -> Tensor:
        """(B * windows, N, C) -> the same shape."""
        q, k, v = split_heads(F.linear(x, self.qkv.weight, self._qkv_bias()), self.heads)
        q, bias = q * self._scale(), bias.to(q.dtype)
        if self.training:  # faster than the fused kernel where the bias needs a gradient
            out = torch.softmax(q @ k.transpose(-1, -2) + bias, dim=-1) @ v
        else:
            out = F.scaled_dot_product_attention(q, k, v, attn_mask=bias, scale=1.0)
        return self.proj(join_heads(out))

    def _qkv_bias(self) -> Tensor:
        """The key bias counts as zero whatever value is stored (a quirk of the reference)."""
        bias = self.qkv.bias
        return torch.cat((bias[: self.dim], torch.zeros_like(bias[: self.dim]), bias[2 * self.dim :]))

    def _scale(self) -> Tensor:
        """(heads, 1, 1) factor of the cosines."""
        return self.logit_scale.clamp(max=MAX_LOGIT_SCALE).exp()

    def _position_bias(self) -> Tensor:
        """(1, heads, N, N)."""
        tokens = self.window**2
        table = self.cpb_mlp(self.relative_coords_table).view(-1, self.heads)
        bias = table[self.relative_position_index].view(tokens, tokens, self.heads).permute(2, 0, 1)
        return 16.0 * torch.sigmoid(bias).contiguous().unsqueeze(0)

    def _bias(self, layout: WindowLayout) -> Tensor:
        """Position bias plus shift mask: (1 or windows of an image, heads, N, N)."""
        bias = self._position_bias()
        return bias + shift_mask(layout).to(bias).unsqueeze(1) if any(layout.shifts) else bias


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
        self.attn: WindowAttentionV2 | FrozenWindowAttention = WindowAttentionV2(dim, heads, window, shift)
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

    def deploy(self) -> None:
        """Freeze the attention for inference."""
        if isinstance(self.attn, WindowAttentionV2):
            self.attn = self.attn.frozen()


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


class _Permute(torch.autograd.Function):
    """Reorder the rows (dim 1) of a tensor; the backward pass is a plain gather too, not a slow scatter."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, order: Tensor, inverse: Tensor) -> Tensor:
        ctx.save_for_backward(inverse)
        return x.index_select(1, order)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        return grad.index_select(1, *ctx.saved_tensors), None, None
