"""What is learned from what: the two things that differ from one training to another.

A loss is a weighted sum of terms, each the mean over some things (pixels, instances, images). How many of
them a batch has is known before the network sees it, so that a batch can be cut into parts, for several
processes or one after the other, and still give the mean over all of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from torch import Tensor, nn

from rgbd_perception.models.network import Network


class TrainingBatch(Protocol):
    """One part of a batch: a NamedTuple, whose tensors are moved to the device."""

    @property
    def names(self) -> Sequence[str]:
        """Of the samples, for people."""

    @property
    def counts(self) -> Mapping[str, float]:
        """How many things each term of the loss is a mean over in this part, or the sum of their weights."""

    def part(self, first: int, stop: int) -> TrainingBatch:
        """The samples from ``first`` up to ``stop``."""


class BatchSource(Protocol):
    """Makes batches. The same arguments give the same batch, so that resuming is exact."""

    def make(self, number: int, progress: float, part: int, parts: int) -> TrainingBatch:
        """Part ``part`` of ``parts`` of batch ``number``, at ``progress`` (0..1) of the training."""


class Objective(nn.Module):
    """A network with its loss."""

    network: Network

    def forward(self, batch: TrainingBatch) -> dict[str, Tensor]:
        """The weighted terms of the loss by name, each a mean over what ``batch.counts`` has for it."""
        raise NotImplementedError
