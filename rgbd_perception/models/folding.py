"""Deployment forms: the same function of the input with less arithmetic, from a network that has its weights.

What is folded is exact in real numbers; only rounding differs.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from rgbd_perception.models.folded_fusion import linear_of
from rgbd_perception.models.mit import MitAttention
from rgbd_perception.models.network import Network
from rgbd_perception.models.segformer_head import SegFormerHead
from rgbd_perception.models.swin import SwinBlock


class FoldedHead(nn.Module):
    """The decoder with one matrix per stage: linear layer, its share of the fusion and the batch norm.

    All of that commutes with bilinear upsampling, so it happens at the resolution of the stage.
    """

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


@torch.no_grad()
def fused(network: Network) -> Network:
    """A copy for inference; its parameters have other names and cannot be trained or loaded."""
    network = copy.deepcopy(network).requires_grad_(False)
    for module in list(network.modules()):
        if isinstance(module, MitAttention | SwinBlock):
            _fold_fusion(module)
    for name, child in list(network.named_children()):
        if isinstance(child, SegFormerHead):
            setattr(network, name, FoldedHead(child))
    network.requires_grad_(False)
    network.fold_constants()
    return network


def _fold_fusion(host: MitAttention | SwinBlock) -> None:
    fusion = host.fusion
    folded = None if fusion is None else fusion.folded(host)
    if fusion is None or folded is None:
        return
    for name in fusion.names:
        delattr(host, name)
    setattr(host, "fusion", folded)  # noqa: B010  a module in place of the plain value
