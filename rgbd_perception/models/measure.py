"""How large a network is: parameters and multiply-accumulates, counted without memory for either."""

from __future__ import annotations

from typing import NamedTuple

from rgbd_perception.models.network import Network
from rgbd_perception.models.registry import create_model

SIZE = (480, 640)
"""The resolution that published figures refer to."""


class NetworkSize(NamedTuple):
    """Trainable values; multiply-accumulates of matrix products and convolutions for one pair of images."""

    parameters: int
    gmac: float


def count_parameters(name: str) -> int:
    """Trainable values of the network ``name``."""
    return sum(parameter.numel() for parameter in _make(name).parameters())


def measure(name: str, size: tuple[int, int] = SIZE) -> NetworkSize:
    """The network ``name`` as it is trained (not ``fused()``), for images of ``size`` (H, W)."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    model = _make(name)
    with torch.device("meta"), torch.inference_mode(), FlopCounterMode(display=False) as counter:
        model(torch.empty(1, 3, *size), torch.empty(1, 1, *size))
    parameters = sum(parameter.numel() for parameter in model.parameters())
    return NetworkSize(parameters, counter.get_total_flops() / 2e9)


def _make(name: str) -> Network:
    import torch

    with torch.device("meta"):  # shapes only
        return create_model(name).eval()
