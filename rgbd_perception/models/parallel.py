"""Two or more streams through one network: shared layers and one layer norm per stream.

The streams (color, depth, ...) are stacked along the batch axis, color first: M streams of B images are a
tensor of M * B samples, and ``x.chunk(M)`` takes them apart. A shared layer then is an ordinary layer. Names
follow the published parameters: ``q.module.weight``, ``norm1.ln_0.weight``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from rgbd_perception.models.deployment import linear_of
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


class ParallelLinear(nn.Module):
    """One linear layer per stream: (2B, ..., C) -> (2B, ..., D)."""

    def __init__(self, dim_in: int, dim_out: int) -> None:
        super().__init__()
        self.streams = nn.ModuleList(nn.Linear(dim_in, dim_out) for _ in range(STREAMS))

    @classmethod
    def of(cls, layers: Sequence[tuple[Tensor, Tensor]]) -> ParallelLinear:
        """With copies of these weights and biases."""
        parallel = cls(1, 1)
        parallel.streams = nn.ModuleList(linear_of(weight, bias) for weight, bias in layers)
        return parallel

    def forward(self, x: Tensor) -> Tensor:
        parts = x.chunk(STREAMS)
        return torch.cat([layer(part) for layer, part in zip(self.streams, parts, strict=True)])


class SharedMlp(nn.Module):
    """Linear, exact GELU, linear: (..., C) -> (..., C); shared by the streams."""

    def __init__(self, dim: int, hidden: int) -> None:
        super().__init__()
        self.fc1 = Shared(nn.Linear(dim, hidden))
        self.fc2 = Shared(nn.Linear(hidden, dim))

    def forward(self, x: Tensor) -> Tensor:
        return self.fc2(F.gelu(self.fc1(x)))


def exchanged(x: Tensor) -> Tensor:
    """Each stream in the place of the other: (2B, ...) -> (2B, ...)."""
    first, second = x.chunk(STREAMS)
    return torch.cat((second, first))


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
