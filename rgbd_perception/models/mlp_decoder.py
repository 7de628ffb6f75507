"""MLP decoder in the style of SegFormer (Xie et al. 2021, arXiv:2105.15203) with a dense head.

Each stage goes through a 1x1 convolution, is upsampled to stride 4, concatenated and fused by another 1x1
convolution. A 1x1 convolution and bilinear upsampling commute (both are linear, one over channels, one over
space), so the form for inference fuses each branch at its own resolution and adds the results at stride 4.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from rgbd_perception.models.deployment import fold_batch_norm, linear_of
from rgbd_perception.models.layers import DenseHead


class MlpDecoder(nn.Module):
    """Context map at stride 32, skips at strides 16, 8, 4 -> maps (B, D, H/4, W/4) or (B, D, H, W)."""

    def __init__(
        self,
        widths: Sequence[int],
        branches: Sequence[int],
        fused: int,
        out_channels: int,
        upsamplings: int,
        dropout: float,
    ) -> None:
        """``widths``: channels of the stages from stride 4 to 32; ``branches``: from stride 32 to 4."""
        super().__init__()
        *skips, last = widths
        skips = skips[::-1]
        self.main_branch = _branch(last, branches[0])
        self.skip_fusions = nn.ModuleList(
            nn.Sequential(OrderedDict(ln=nn.LayerNorm(width, eps=1e-5))) for width in skips
        )
        self.skip_branches = nn.ModuleList(
            _branch(width, branch) for width, branch in zip(skips, branches[1:], strict=True)
        )
        self.fuse = BranchFusion(branches, fused)
        self.dropout = nn.Dropout2d(dropout)
        self._task_head = DenseHead(fused, upsamplings, out_channels)

    def forward(self, context: Tensor, skips: Sequence[Tensor]) -> Tensor:
        """``context`` (B, C, h, w) at stride 32; ``skips`` (B, h, w, C) at strides 4, 8, 16."""
        return self._task_head(self.features(context, skips))

    def features(self, context: Tensor, skips: Sequence[Tensor]) -> Tensor:
        """What the head gets: (B, fused, H/4, W/4)."""
        inputs = zip(reversed(skips), self.skip_fusions, self.skip_branches, strict=True)
        maps = [_embed(self.main_branch, context.permute(0, 2, 3, 1))]
        maps += [_embed(branch, norm(skip)) for skip, norm, branch in inputs]
        return self.dropout(self.fuse(maps))

    def head_matrix(self) -> tuple[Tensor, Tensor] | None:
        """Weight (D, fused) and bias (D,) where the head is one matrix, None where it upsamples."""
        conv = self._task_head.conv
        if self._task_head.upsamplings or conv.bias is None:
            return None
        return conv.weight.flatten(1), conv.bias


class BranchFusion(nn.Module):
    """Maps (B, h, w, C) of all branches, the finest last -> (B, D, H, W) at the resolution of the finest."""

    def __init__(self, branches: Sequence[int], channels_out: int) -> None:
        """``branches``: channels of the maps."""
        super().__init__()
        self.branches = tuple(branches)
        self.conv = nn.Conv2d(sum(branches), channels_out, 1, bias=False)
        self.norm = nn.BatchNorm2d(channels_out, eps=1e-5)

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        size = maps[-1].shape[1:3]
        upsampled = torch.cat([_upsample(x.permute(0, 3, 1, 2), size) for x in maps], dim=1)
        return F.relu(self.norm(self.conv(upsampled)))

    def deployed(self) -> nn.Module:
        """The same function with less arithmetic."""
        fold_batch_norm(self, "conv", "norm")
        return FoldedBranchFusion(self)


class FoldedBranchFusion(nn.Module):
    """The fusion with one matrix per branch, applied before the upsampling."""

    def __init__(self, fusion: BranchFusion) -> None:
        """``fusion``: with its norm folded into the convolution."""
        super().__init__()
        first, *others = fusion.conv.weight.flatten(1).split(fusion.branches, dim=1)
        self.shares = nn.ModuleList(
            [linear_of(first, fusion.conv.bias), *(linear_of(share, None) for share in others)]
        )

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        """As in ``BranchFusion``."""
        size = maps[-1].shape[1:3]
        shares = zip(self.shares, maps, strict=True)
        first, *others = (_upsample(share(x).permute(0, 3, 1, 2), size) for share, x in shares)
        for other in others:
            first = first + other
        return F.relu(first)


def _embed(branch: nn.Module, x: Tensor) -> Tensor:
    """The 1x1 convolution of a branch as a matrix product over (B, h, w, C)."""
    conv: Any = branch.embedding.conv
    return F.linear(x, conv.weight.flatten(1), conv.bias)


def _upsample(x: Tensor, size: torch.Size) -> Tensor:
    """Bilinear, (B, C, h, w) to ``size``."""
    if x.shape[2:] == size:
        return x
    return F.interpolate(x, size=tuple(size), mode="bilinear", align_corners=False)


def _branch(channels_in: int, channels_out: int) -> nn.Sequential:
    embedding = nn.Sequential(OrderedDict(conv=nn.Conv2d(channels_in, channels_out, 1)))
    return nn.Sequential(OrderedDict(embedding=embedding))
