"""MLP decoder in the style of SegFormer (Xie et al. 2021, arXiv:2105.15203) with a dense head.

Each stage goes through a 1x1 convolution, is upsampled to stride 4, concatenated and fused by another 1x1
convolution. A 1x1 convolution and bilinear upsampling commute (both are linear, one over channels, one over
space), so the fusion is applied to each branch at its own resolution and the results are added at stride 4:
the same function of the same parameters at a fraction of the cost.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from rgbd_perception.models.layers import ConvNormRelu, DenseHead


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
        self.branches = tuple(branches)
        self.main_branch = _branch(last, branches[0])
        self.skip_fusions = nn.ModuleList(
            nn.Sequential(OrderedDict(ln=nn.LayerNorm(width, eps=1e-5))) for width in skips
        )
        self.skip_branches = nn.ModuleList(
            _branch(width, branch) for width, branch in zip(skips, branches[1:], strict=True)
        )
        self.fuse = ConvNormRelu(sum(branches), fused)
        self.dropout = nn.Dropout2d(dropout)
        self._task_head = DenseHead(fused, upsamplings, out_channels)

    def forward(self, context: Tensor, skips: Sequence[Tensor]) -> Tensor:
        """``context`` (B, C, h, w) at stride 32; ``skips`` (B, h, w, C) at strides 4, 8, 16."""
        return self._task_head(self.features(context, skips))

    def features(self, context: Tensor, skips: Sequence[Tensor]) -> Tensor:
        """What the head gets: (B, fused, H/4, W/4)."""
        fusion: Any = self.fuse.conv
        weights = fusion.weight.flatten(1).split(self.branches, dim=1)
        size = skips[0].shape[1:3]
        # Only the first term gets the bias, which the fusion has once its norm is folded into it.
        fused = _fuse(context.permute(0, 2, 3, 1), self.main_branch, weights[0], size, fusion.bias)
        inputs = zip(reversed(skips), self.skip_fusions, self.skip_branches, weights[1:], strict=True)
        for skip, norm, branch, weight in inputs:
            fused = fused + _fuse(norm(skip), branch, weight, size)
        return self.dropout(self.fuse.act(self.fuse.norm(fused)))

    def head_matrix(self) -> tuple[Tensor, Tensor] | None:
        """Weight (D, fused) and bias (D,) where the head is one matrix, None where it upsamples."""
        conv = self._task_head.conv
        if self._task_head.upsamplings or conv.bias is None:
            return None
        return conv.weight.flatten(1), conv.bias


def _fuse(
    x: Tensor, branch: nn.Module, weight: Tensor, size: torch.Size, bias: Tensor | None = None
) -> Tensor:
    """A branch and its share of the fusion: (B, h, w, C) -> (B, fused, *size) in channels-last memory."""
    conv: Any = branch.embedding.conv
    x = F.linear(F.linear(x, conv.weight.flatten(1), conv.bias), weight, bias).permute(0, 3, 1, 2)
    if x.shape[2:] == size:
        return x
    return F.interpolate(x, size=tuple(size), mode="bilinear", align_corners=False)


def _branch(channels_in: int, channels_out: int) -> nn.Sequential:
    embedding = nn.Sequential(OrderedDict(conv=nn.Conv2d(channels_in, channels_out, 1)))
    return nn.Sequential(OrderedDict(embedding=embedding))
