"""Two or more streams through one network: shared layers and one layer norm per stream.

The streams (color, depth, ...) are stacked along the batch axis, color first: M streams of B images are a
tensor of M * B samples, and ``x.chunk(M)`` takes them apart. A shared layer then is an ordinary layer. Names
follow the published parameters: ``q.module.weight``, ``norm1.ln_0.weight``.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from rgbd_perception.models.inputs import check_images

STREAMS = 2
NORM_EPS = 1e-6


class Shared(nn.Module):
    """A layer with the same parameters for all streams; the published names have ``.module.`` for it."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, x: Tensor) -> Tensor:
        return self.module(x)


class ParallelNorm(nn.Module):
    """One layer norm per stream over the last axis, named ``{prefix}_0``, ``{prefix}_1``, ..."""

    def __init__(self, dim: int, streams: int = STREAMS, prefix: str = "ln") -> None:
        super().__init__()
        for index in range(streams):
            self.add_module(f"{prefix}_{index}", nn.LayerNorm(dim, eps=NORM_EPS))

    def forward(self, x: Tensor) -> Tensor:
        """(M * B, ..., C) -> the same shape."""
        norms = list(self.children())
        return torch.cat([norm(part) for norm, part in zip(norms, x.chunk(len(norms)), strict=True)])


class SharedMlp(nn.Module):
    """Linear, exact GELU, linear: (..., C) -> (..., C); shared by the streams."""

    def __init__(self, dim: int, hidden: int) -> None:
        super().__init__()
        self.fc1 = Shared(nn.Linear(dim, hidden))
        self.fc2 = Shared(nn.Linear(hidden, dim))

    def forward(self, x: Tensor) -> Tensor:
        return self.fc2(F.gelu(self.fc1(x)))


def stack_streams(images: Mapping[str, Tensor], min_size: int) -> Tensor:
    """Images by name, color first -> (M * B, 3, H, W); one channel stands for three equal ones.

    Raises InputError for images that do not fit, see ``check_images``.
    """
    check_images(images, extra_channels=(1, 3), min_size=min_size)
    return torch.cat([image.expand(-1, 3, -1, -1) for image in images.values()])


def initialise(module: nn.Module) -> None:
    """Linear layers from a truncated normal of 0.02, convolutions after He et al. (2015); for ``apply``."""
    if isinstance(module, nn.Linear):
        nn.init.trunc_normal_(module.weight, std=0.02)
    elif isinstance(module, nn.Conv2d):
        fan_out = module.weight.numel() // module.in_channels
        nn.init.normal_(module.weight, std=(2.0 / fan_out) ** 0.5)
    else:
        return
    if module.bias is not None:
        nn.init.zeros_(module.bias)
