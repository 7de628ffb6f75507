"""A loss as a sum and the number of what it is over, so that parts of a batch can be put together exactly."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Terms:
    """Sum of the losses of single pixels (a scalar with a gradient) and their number (a scalar without).

    The loss of a batch that is split over processes or accumulated in steps is the sum of the totals over the
    sum of the counts: a mean of means would weigh pixels of sparsely labelled images more.
    """

    total: Tensor
    count: Tensor

    def mean(self) -> Tensor:
        """The loss; 0, with a gradient of 0, where nothing was counted."""
        return self.total / self.count.clamp_min(1)


def mean_over(parts: Iterable[Terms]) -> Tensor:
    """The loss of all ``parts`` together, in which a pixel of each counts the same."""
    parts = list(parts)
    total, count = (torch.stack(column) for column in zip(*((p.total, p.count) for p in parts), strict=True))
    return Terms(total.sum(), count.sum()).mean()
