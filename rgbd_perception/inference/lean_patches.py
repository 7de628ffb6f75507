"""The first layers of a Swin with two inputs, for processors: what becomes of patches of both images.

Norms over the few channels of a patch are work on very short rows. Here each channel stays a map, a long row,
until the end: the mean is taken out of the weights before, and lengths are two short products.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from rgbd_perception.models.geometry import geometry_features
from rgbd_perception.models.swin_v2_multi import SwinMulti

Size = tuple[int, int]


class Tokens(NamedTuple):
    """A map of ``size`` (h, w) as rows (h * w, C)."""

    rows: Tensor
    size: Size


def embedded_patches(backbone: SwinMulti, rgb: Tensor, depth: Tensor) -> Tokens:
    """Patches of both images, normed, and what the shape of the surface adds."""
    branches = backbone.patch_embedder.rgb_layers, backbone.patch_embedder.depth_layers
    maps = torch.cat(
        [_centered_maps(layers, image) for layers, image in zip(branches, (rgb, depth), strict=True)], dim=1
    )
    size = (maps.shape[2], maps.shape[3])
    norms = [cast(nn.LayerNorm, layers[-1]) for layers in branches]
    rows = _scaled(maps[0].flatten(1), norms)
    offset = torch.cat([norm.bias for norm in norms])
    if backbone.geometry is None:
        return Tokens((rows.T + offset).contiguous(), size)
    assert backbone.geometry.bias is not None
    features = geometry_features(depth, backbone.config.geometry_offset)[0].flatten(1)
    joined = torch.cat((rows, features, torch.ones_like(features[:1])))
    last = (backbone.geometry.bias + offset)[:, None]
    weight = torch.cat((torch.eye(len(rows)), backbone.geometry.weight.flatten(1), last), dim=1)
    return Tokens(joined.T @ weight.T, size)


def _centered_maps(layers: nn.Sequential, image: Tensor) -> Tensor:
    """(1, C, h, w): what the norm at the end of ``layers`` gets, less the mean of its channels."""
    *first, last, _, _ = layers
    for layer in first:
        image = layer(image)
    assert isinstance(last, nn.Conv2d) and last.bias is not None
    weight, bias = _centered(last.weight), _centered(last.bias)
    return F.conv2d(image, weight, bias, cast(Size, last.stride), cast(Size, last.padding))


def _centered(weight: Tensor) -> Tensor:
    """Weights (out, ...) of a layer, changed so that its outputs have the mean 0."""
    return weight - weight.mean(dim=0, keepdim=True)


def _scaled(rows: Tensor, norms: Sequence[nn.LayerNorm]) -> Tensor:
    """Rows of channels (C, N) without a mean as the ``norms`` of consecutive channels scale them."""
    widths = [len(norm.weight) for norm in norms]
    belongs = torch.block_diag(*(torch.ones(width, 1) for width in widths))
    least = torch.tensor([[norm.eps * width] for norm, width in zip(norms, widths, strict=True)])
    inverse = 1.0 / torch.sqrt(belongs.T @ (rows * rows) + least)
    weights = torch.cat([norm.weight * math.sqrt(width) for norm, width in zip(norms, widths, strict=True)])
    return rows * ((belongs * weights[:, None]) @ inverse)
