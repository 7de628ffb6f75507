"""Swin Transformer V2 blocks (Liu et al. 2022, arXiv:2111.09883): window attention, block, patch merging.

Sub-module names follow the published DVEFormer checkpoints, so that those load by name. All feature maps are
channels-last, (B, H, W, C).
"""

from __future__ import annotations

import copy
import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from rgbd_perception.models.drop_path import DropPath
from rgbd_perception.models.numerics import unit_vectors
from rgbd_perception.models.window_attention import (
    FrozenWindowAttention,
    HeadTokens,
    WindowAttention,
    split_heads,
)
from rgbd_perception.models.windows import Windows, merge_phases, relative_position_index

MAX_LOGIT_SCALE = math.log(100.0)
CPB_HIDDEN = 512


class WindowAttentionV2(WindowAttention):
    """Scaled cosine attention with a log-spaced continuous position bias."""

    qkv: nn.Linear
    relative_coords_table: Tensor
    relative_position_index: Tensor

    def __init__(self, dim: int, heads: int, window: int, shift: int) -> None:
        super().__init__(dim, heads, Windows(window, shift, always_shift=False))
        self.logit_scale = nn.Parameter(torch.full((heads, 1, 1), math.log(10.0)))
        self.cpb_mlp = nn.Sequential(
            nn.Linear(2, CPB_HIDDEN), nn.ReLU(inplace=True), nn.Linear(CPB_HIDDEN, heads, bias=False)
        )
        self.register_buffer("relative_coords_table", relative_coords_table(window))
        self.register_buffer("relative_position_index", relative_position_index(window))

    def head_tokens(self, windows: Tensor) -> HeadTokens:
        """See the base class."""
        return cosine_tokens(F.linear(windows, self.qkv.weight, self.qkv_bias()), self.scale())

    def position_bias(self) -> Tensor:
        """(1, heads, N, N)."""
        tokens = self.windows.window**2
        table = self.cpb_mlp(self.relative_coords_table).view(-1, self.heads)
        bias = table[self.relative_position_index].view(tokens, tokens, self.heads).permute(2, 0, 1)
        return 16.0 * torch.sigmoid(bias).contiguous().unsqueeze(0)

    def scale(self) -> Tensor:
        """(heads, 1, 1) factor of the cosines."""
        return self.logit_scale.clamp(max=MAX_LOGIT_SCALE).exp()

    def qkv_bias(self) -> Tensor:
        """The key bias counts as zero whatever value is stored (a quirk of the reference)."""
        bias = self.qkv.bias
        return torch.cat((bias[: self.dim], torch.zeros_like(bias[: self.dim]), bias[2 * self.dim :]))

    def deployed(self) -> FrozenWindowAttention:
        """The same function of the features, for inference."""
        return FrozenCosineAttention(self)


class FrozenCosineAttention(FrozenWindowAttention):
    """The scale and the key bias of zero are constants too."""

    scale: Tensor

    @torch.no_grad()
    def __init__(self, plain: WindowAttentionV2) -> None:
        qkv = copy.deepcopy(plain.qkv)
        qkv.bias.copy_(plain.qkv_bias())
        super().__init__(plain, qkv)
        self.register_buffer("scale", plain.scale(), persistent=False)

    def head_tokens(self, windows: Tensor) -> HeadTokens:
        """See the base class."""
        return cosine_tokens(self.qkv(windows), self.scale)


def cosine_tokens(qkv: Tensor, scale: Tensor) -> HeadTokens:
    """(n, N, 3 C) -> tokens of the heads with unit keys, and unit queries times ``scale`` (heads, 1, 1)."""
    q, k, v = split_heads(qkv, scale.shape[0])
    return HeadTokens(unit_vectors(q, length=scale), unit_vectors(k), v)


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
        return self.norm(self.reduction(merge_phases(x)))


def relative_coords_table(window: int) -> Tensor:
    """(1, 2w-1, 2w-1, 2) offsets (dy, dx): 8 d / (w - 1), log-spaced, over log2(8)."""
    offsets = torch.arange(-(window - 1), window, dtype=torch.float32) * 8.0 / (window - 1)
    spaced = torch.sign(offsets) * torch.log2(offsets.abs() + 1.0) / 3.0
    return torch.stack(torch.meshgrid(spaced, spaced, indexing="ij"), dim=-1).unsqueeze(0)
