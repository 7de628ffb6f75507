"""Decoder of SegFormer (Xie et al. 2021, arXiv:2105.15203): every stage to one width, upsampled, fused."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from rgbd_perception.models.deployment import linear_of

DROPOUT = 0.1


class SegFormerHead(nn.Module):
    """Features (B, C, h, w) at strides 4, 8, 16, 32 -> class scores (B, K, H/4, W/4)."""

    def __init__(self, widths: Sequence[int], dim: int, num_classes: int) -> None:
        """``widths``: channels of the stages; ``dim``: what each of them is mapped to."""
        super().__init__()
        self.stages = len(widths)
        for stage, width in enumerate(widths, start=1):
            self.add_module(f"linear_c{stage}", nn.Sequential(OrderedDict(proj=nn.Linear(width, dim))))
        self.linear_fuse = nn.Sequential(
            OrderedDict(
                conv=nn.Conv2d(len(widths) * dim, dim, 1, bias=False),
                bn=nn.BatchNorm2d(dim, eps=1e-5),
                act=nn.ReLU(inplace=True),
            )
        )
        self.dropout = nn.Dropout2d(DROPOUT)
        self.linear_pred = nn.Conv2d(dim, num_classes, 1)

    def forward(self, features: Sequence[Tensor]) -> Tensor:
        size = tuple(features[0].shape[2:])
        embedded = []
        for stage in range(self.stages, 0, -1):  # the fusion reads the coarsest stage first
            linear = getattr(self, f"linear_c{stage}")
            maps = linear(features[stage - 1].permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
            if maps.shape[2:] != size:
                maps = F.interpolate(maps, size=size, mode="bilinear", align_corners=False)
            embedded.append(maps)
        return self.linear_pred(self.dropout(self.linear_fuse(torch.cat(embedded, dim=1))))

    def deployed(self) -> nn.Module:
        """The same function with less arithmetic."""
        dtype = self.linear_pred.weight.dtype
        return FoldedSegFormerHead(self.double()).to(dtype)


class FoldedSegFormerHead(nn.Module):
    """The decoder with one matrix per stage: linear layer, its share of the fusion and the batch norm.

    All of that commutes with bilinear upsampling, so it happens at the resolution of the stage.
    """

    @torch.no_grad()
    def __init__(self, head: SegFormerHead) -> None:
        super().__init__()
        norm = head.linear_fuse.bn
        gain = norm.weight * torch.rsqrt(norm.running_var + norm.eps)
        shares = (gain[:, None] * head.linear_fuse.conv.weight.flatten(1)).chunk(head.stages, dim=1)
        bias = norm.bias - gain * norm.running_mean
        branches = []
        for stage, share in zip(range(1, head.stages + 1), reversed(shares), strict=True):
            linear = getattr(head, f"linear_c{stage}").proj
            branches.append(linear_of(share @ linear.weight, None))
            bias = bias + share @ linear.bias
        branches[0] = linear_of(branches[0].weight, bias)
        self.branches = nn.ModuleList(branches)
        self.linear_pred = linear_of(head.linear_pred.weight.flatten(1), head.linear_pred.bias)

    def forward(self, features: Sequence[Tensor]) -> Tensor:
        """Features (B, C, h, w) at strides 4, 8, 16, 32 -> class scores (B, K, H/4, W/4)."""
        size = tuple(features[0].shape[2:])
        maps = [
            branch(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
            for branch, x in zip(self.branches, features, strict=True)
        ]
        fused = maps[0]
        for coarse in maps[1:]:
            fused = fused + F.interpolate(coarse, size=size, mode="bilinear", align_corners=False)
        return self.linear_pred(F.relu(fused).permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
