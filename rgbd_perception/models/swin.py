"""Swin Transformer (Liu et al. 2021, arXiv:2103.14030) for two streams that share their weights.

Norms of the patch embedding and of the outputs exist once per stream, all others are shared. The streams are
stacked along the batch axis, see ``parallel``. Feature maps inside are channels-last, (2B, H, W, C).
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from rgbd_perception.models.drop_path import DropPath, drop_path_rates
from rgbd_perception.models.fusion import Fusion, fold_fusion
from rgbd_perception.models.parallel import ParallelNorm, Shared, SharedMlp, initialise
from rgbd_perception.models.window_attention import (
    FrozenWindowAttention,
    HeadTokens,
    WindowAttention,
    fit_stages,
    split_heads,
)
from rgbd_perception.models.windows import Windows, merge_phases, relative_position_index

PATCH = 4
MLP_RATIO = 4


@dataclass(frozen=True)
class SwinConfig:
    """Sizes of the backbone; stage i has ``embed_dim`` * 2**i channels at stride 4 * 2**i."""

    embed_dim: int = 96
    depths: tuple[int, ...] = (2, 2, 6, 2)
    heads: tuple[int, ...] = (3, 6, 12, 24)
    window: int = 7

    @property
    def widths(self) -> tuple[int, ...]:
        """Channels of the stages."""
        return tuple(self.embed_dim * 2**stage for stage in range(len(self.depths)))

    @property
    def min_size(self) -> int:
        """Least height and width of an image: everything is padded."""
        return 1


_SMALL_DEPTHS = (2, 2, 18, 2)
_LARGE_HEADS = (6, 12, 24, 48)

SWIN_CONFIGS: dict[str, SwinConfig] = {
    "swin_tiny": SwinConfig(),
    "swin_small": SwinConfig(depths=_SMALL_DEPTHS),
    "swin_large_w7": SwinConfig(embed_dim=192, depths=_SMALL_DEPTHS, heads=_LARGE_HEADS),
    "swin_large_w12": SwinConfig(embed_dim=192, depths=_SMALL_DEPTHS, heads=_LARGE_HEADS, window=12),
}


class WindowAttentionV1(WindowAttention):
    """Scaled dot-product attention with a table of relative position biases."""

    qkv: nn.Linear
    relative_position_index: Tensor

    def __init__(self, dim: int, heads: int, window: int, shift: int) -> None:
        super().__init__(dim, heads, Windows(window, shift, always_shift=True))
        self.relative_position_bias_table = nn.Parameter(torch.empty((2 * window - 1) ** 2, heads))
        nn.init.trunc_normal_(self.relative_position_bias_table, std=0.02)
        index = relative_position_index(window).view(window**2, window**2)
        self.register_buffer("relative_position_index", index)

    def head_tokens(self, windows: Tensor) -> HeadTokens:
        """See the base class."""
        q, k, v = split_heads(self.qkv(windows), self.heads)
        return HeadTokens(q * self._scale, k, v)

    def position_bias(self) -> Tensor:
        """(1, heads, N, N)."""
        bias = self.relative_position_bias_table[self.relative_position_index]
        return bias.permute(2, 0, 1).contiguous().unsqueeze(0)

    @torch.no_grad()
    def deployed(self) -> FrozenWindowAttention:
        """The same function of the features, for inference: the scale is folded into the queries."""
        qkv = copy.deepcopy(self.qkv)
        for parameter in (qkv.weight, qkv.bias):
            parameter[: self.dim] *= self._scale
        return FrozenWindowAttention(self, qkv)

    @property
    def _scale(self) -> float:
        return (self.dim // self.heads) ** -0.5


class SwinBlock(nn.Module):
    """Residual block with pre-norm; ``fusion`` comes after the attention with its output projection."""

    def __init__(
        self, dim: int, heads: int, window: int, shift: int, drop_path: float, fusion: Fusion | None
    ) -> None:
        super().__init__()
        self.fusion = fusion
        self.norm1 = Shared(nn.LayerNorm(dim, eps=1e-5))
        self.attn = Shared(WindowAttentionV1(dim, heads, window, shift))
        self.drop_path = DropPath(drop_path)
        self.norm2 = Shared(nn.LayerNorm(dim, eps=1e-5))
        self.mlp = SharedMlp(dim, MLP_RATIO * dim)
        if fusion is not None:
            fusion.equip(self, dim)

    def forward(self, x: Tensor) -> Tensor:
        """(2B, H, W, C) -> the same shape."""
        attended = self.attn(self.norm1(x))
        if self.fusion is not None:
            attended = self.fusion.fuse(self, attended)
        x = x + self.drop_path(attended)
        return x + self.drop_path(self.mlp(self.norm2(x)))

    def deployed(self) -> SwinBlock:
        """With its fusion in closed form."""
        fold_fusion(self)
        return self


class PatchMerging(nn.Module):
    """Halves the resolution and doubles the channels: four phases, norm, linear."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(4 * dim, eps=1e-5)
        self.reduction = nn.Linear(4 * dim, 2 * dim, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.reduction(self.norm(merge_phases(x)))


class PatchEmbedding(nn.Module):
    """Images (2B, 3, H, W), zero-padded to a multiple of 4 -> tokens (2B, h, w, C) at stride 4."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.proj = Shared(nn.Conv2d(3, dim, PATCH, stride=PATCH))
        self.norm = ParallelNorm(dim)

    def forward(self, x: Tensor) -> Tensor:
        height, width = x.shape[2:]
        if height % PATCH or width % PATCH:
            x = F.pad(x, (0, -width % PATCH, 0, -height % PATCH))
        return self.norm(self.proj(x).permute(0, 2, 3, 1))


class SwinStage(nn.Module):
    """Blocks, every second one with shifted windows; behind them the merging, which the last stage lacks."""

    def __init__(self, blocks: Sequence[SwinBlock], downsample: PatchMerging | None) -> None:
        super().__init__()
        self.blocks = nn.Sequential(*blocks)
        self.downsample = None if downsample is None else Shared(downsample)


class Swin(nn.Module):
    """The backbone: four stages at strides 4, 8, 16 and 32."""

    def __init__(self, config: SwinConfig, fusion: Fusion | None, drop_path: float) -> None:
        super().__init__()
        rates = iter(drop_path_rates(drop_path, sum(config.depths)))
        self.patch_embed = PatchEmbedding(config.embed_dim)
        self.layers = nn.ModuleList()
        for stage, dim in enumerate(config.widths):
            blocks = [
                SwinBlock(
                    dim,
                    config.heads[stage],
                    config.window,
                    config.window // 2 if position % 2 else 0,
                    next(rates),
                    fusion,
                )
                for position in range(config.depths[stage])
            ]
            merging = PatchMerging(dim) if stage + 1 < len(config.widths) else None
            self.layers.append(SwinStage(blocks, merging))
            self.add_module(f"norm{stage}", ParallelNorm(dim))
        self.apply(initialise)

    def forward(self, x: Tensor) -> Sequence[Tensor]:
        """Images (2B, 3, H, W) -> normed features (2B, C, h, w) at strides 4, 8, 16, 32."""
        features = []
        x = self.patch_embed(x)
        for stage, layer in enumerate(self.layers):
            x = layer.blocks(x)
            features.append(getattr(self, f"norm{stage}")(x).permute(0, 3, 1, 2))
            if layer.downsample is not None:
                x = layer.downsample(x)
        return features

    def prepare(self, height: int, width: int) -> None:
        """Work out the constants of frozen attentions for images of this size."""
        stages = (layer.get_submodule("blocks") for layer in self.layers)
        fit_stages(stages, -(-height // PATCH), -(-width // PATCH))
