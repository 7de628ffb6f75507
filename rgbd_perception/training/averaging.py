"""Exponential moving average of the weights: what is evaluated and exported."""

from __future__ import annotations

import copy

import torch
from torch import nn


class WeightAverage:
    """Keeps a copy of ``model`` that follows it slowly.

    The decay grows with the number of updates up to ``decay``, so that the random start is soon forgotten.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.model = copy.deepcopy(model).eval().requires_grad_(False)
        self.decay = decay
        self.updates = 0

    @torch.no_grad()
    def update(self, model: nn.Module) -> None:
        """Move the copy towards ``model``; counters and tables are copied as they are."""
        self.updates += 1
        decay = min(self.decay, (1 + self.updates) / (10 + self.updates))
        averages, values = self.model.state_dict(), model.state_dict()
        floating = [name for name, value in values.items() if value.is_floating_point()]
        torch._foreach_lerp_(
            [averages[name] for name in floating], [values[name] for name in floating], 1 - decay
        )
        for name in values.keys() - set(floating):
            averages[name].copy_(values[name])
