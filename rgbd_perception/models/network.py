"""What inference and training can rely on, whatever the network."""

from __future__ import annotations

from typing import Protocol

from torch import Tensor, nn

from rgbd_perception.models.output import ModelOutput


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

    def forward(self, rgb: Tensor, depth: Tensor) -> ModelOutput:
        """Normalised color (B, 3, H, W) and depth (B, 1, H, W) -> raw outputs."""
        raise NotImplementedError

    def fold_constants(self) -> None:
        """Precompute what does not depend on the input; after loading weights. ``train()`` undoes it."""
        raise NotImplementedError
