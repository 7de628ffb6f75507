"""Stochastic depth (Huang et al. 2016, arXiv:1603.09382)."""

from __future__ import annotations

from torch import Tensor, nn


class DropPath(nn.Module):
    """Drops the residual branch of whole samples while training."""

    def __init__(self, probability: float) -> None:
        super().__init__()
        self.probability = probability

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or self.probability == 0.0:
            return x
        keep = 1.0 - self.probability
        shape = (x.shape[0],) + (1,) * (x.ndim - 1)
        return x * (x.new_empty(shape).bernoulli_(keep) / keep)


def drop_path_rates(last: float, blocks: int) -> list[float]:
    """Rates of the blocks of a network: they rise linearly from 0 to ``last``."""
    return [last * index / max(blocks - 1, 1) for index in range(blocks)]
