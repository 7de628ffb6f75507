"""What fuses the two streams of a block, and the parts that such fusions are made of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional as F

DIRECTIONS = ("0_to_1", "1_to_0")
"""Names of the directions in the checkpoints. The first has its query from stream 0 and updates stream 0."""


class Fusion(Protocol):
    """A way of fusing two streams.

    The published names put the tensors of a fusion directly into the module that fuses (the attention in MiT,
    the block in Swin). So a fusion is no module: it gives its host the tensors and computes with them.
    """

    @property
    def names(self) -> tuple[str, ...]:
        """What ``equip`` adds to a host."""

    def equip(self, host: nn.Module, dim: int) -> None:
        """Register the parameters for streams of width ``dim`` in ``host``."""

    def fuse(self, host: Any, x: Tensor) -> Tensor:
        """(2B, ..., C), stream 0 first -> the same shape."""

    def folded(self, host: Any) -> nn.Module | None:
        """A module whose ``fuse`` is the same function with less arithmetic; None where there is none."""


@dataclass(frozen=True)
class ModuleFusion:
    """A fusion that has no published names, and so can be one module of its host.

    ``make`` makes that from the width of the streams. A module with a form for inference offers ``deployed``.
    """

    make: Callable[[int], nn.Module]

    @property
    def names(self) -> tuple[str, ...]:
        """What ``equip`` adds to a host."""
        return ("exchange",)

    def equip(self, host: nn.Module, dim: int) -> None:
        """Register the module for streams of width ``dim`` in ``host``."""
        host.add_module("exchange", self.make(dim))

    def fuse(self, host: Any, x: Tensor) -> Tensor:
        """(2B, H, W, C), stream 0 first -> the same shape."""
        return host.exchange(x)

    def folded(self, host: Any) -> None:
        """Nothing: a module is replaced by its form for inference where it is."""


@torch.no_grad()
def fold_fusion(host: Any) -> None:
    """Put the folded form of ``host.fusion`` in the place of its tensors, where there is such a form."""
    dtype = next(host.parameters()).dtype
    folded = None if host.fusion is None else host.fusion.folded(host.double())
    if folded is not None:
        for name in host.fusion.names:
            delattr(host, name)
        host.fusion = folded
    host.to(dtype)


class PixelAttention(nn.Module):
    """Multi-head attention of one query per pixel over T tokens of the same pixel; nothing crosses pixels."""

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.in_proj_weight = nn.Parameter(torch.empty(3 * dim, dim))
        self.in_proj_bias = nn.Parameter(torch.zeros(3 * dim))
        self.out_proj = nn.Linear(dim, dim)
        nn.init.xavier_uniform_(self.in_proj_weight)

    def forward(self, query: Tensor, keys: Tensor, values: Tensor) -> Tensor:
        """Query (..., C), keys and values (T, ..., C) -> (..., C)."""
        weights = self.in_proj_weight.chunk(3)
        biases = self.in_proj_bias.chunk(3)
        q, k, v = (
            F.linear(x, weight, bias).unflatten(-1, (self.heads, -1))
            for x, weight, bias in zip((query, keys, values), weights, biases, strict=True)
        )
        scores = (q * k).sum(dim=-1, keepdim=True) * q.shape[-1] ** -0.5
        attended = (scores.softmax(dim=0) * v).sum(dim=0)
        return self.out_proj(attended.flatten(-2))

    def of_one_token(self) -> tuple[Tensor, Tensor]:
        """Weight and bias of the linear layer of the value that is left where T is 1, from float64."""
        _, _, to_value = self.in_proj_weight.double().chunk(3)
        _, _, value_bias = self.in_proj_bias.double().chunk(3)
        out = self.out_proj.weight.double()
        weight, bias = out @ to_value, out @ value_bias + self.out_proj.bias
        return weight.to(self.out_proj.weight.dtype), bias.to(self.out_proj.weight.dtype)


class TwoLayerMlp(nn.Module):
    """Linear, exact GELU, linear."""

    def __init__(self, dim_in: int, dim: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(dim_in, dim)
        self.fc2 = nn.Linear(dim, dim)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc2(F.gelu(self.fc1(x)))
