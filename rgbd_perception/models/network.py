"""What inference and training can rely on, whatever the network."""

from __future__ import annotations

from typing import Protocol, TypeVar

from torch import Tensor, nn

from rgbd_perception.models.deployment import fused_copy
from rgbd_perception.models.output import ModelOutput

Fused = TypeVar("Fused", bound="Network")


class NetworkConfig(Protocol):
    """The part of a configuration that says how to feed a network and how to read its output."""

    @property
    def depth_mean(self) -> float:
        """Metres."""

    @property
    def depth_std(self) -> float:
        """Metres."""

    @property
    def input_size(self) -> tuple[int, int]:
        """(H, W) the network was made for."""

    @property
    def input_multiple(self) -> int:
        """Height and width of an input must be multiples of this."""

    @property
    def stride(self) -> int:
        """Input pixels along one side of an output cell."""


class Network(nn.Module):
    """Base class of all networks."""

    config: NetworkConfig
    has_embeddings = False
    """Whether the outputs are text-aligned embeddings, not scores of fixed classes."""

    min_size = 1
    """Height and width of an input must be at least this."""

    def forward(self, rgb: Tensor, depth: Tensor) -> ModelOutput:
        """Normalised color (B, 3, H, W) and depth (B, 1, H, W) -> raw outputs."""
        raise NotImplementedError

    def fused(self: Fused) -> Fused:
        """A copy for inference with loaded weights: the same function, cheaper, and it cannot be trained.

        Batch norms are folded into convolutions, what does not depend on the input is a constant, for inputs
        of ``config.input_size`` also what depends on their size: such a network can be exported for it.
        """
        return fused_copy(self, self.config.input_size)
