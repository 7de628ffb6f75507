"""GeminiFusion (Jia et al. 2024, arXiv:2406.01210): each pixel of a stream attends to itself and its twin.

One query per pixel, two keys: the own feature plus a learned noise vector, and the own feature weighted by
its relation to the other stream's. The values are the own feature plus noise, and the other's feature.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from rgbd_perception.models.discriminators import (
    DiscriminatorName,
    check_discriminator,
    make_discriminator,
)
from rgbd_perception.models.folded_fusion import FoldedGemini
from rgbd_perception.models.fusion import DIRECTIONS, PixelAttention, TwoLayerMlp

NOISES = ("k_noise", "v_noise")
"""Learned vectors, one per direction, constant over the pixels: nothing is random."""


@dataclass(frozen=True)
class GeminiFusion:
    """The module of the paper, as released, or with another of the ``discriminators``; None: its own."""

    heads: int = 8
    discriminator: DiscriminatorName | None = None

    def __post_init__(self) -> None:
        check_discriminator(self.chosen_discriminator)

    @property
    def published_discriminator(self) -> DiscriminatorName:
        """The one in the checkpoints."""
        return "softmax"

    @property
    def chosen_discriminator(self) -> DiscriminatorName:
        """The one that ``equip`` makes."""
        return self.published_discriminator if self.discriminator is None else self.discriminator

    @property
    def names(self) -> tuple[str, ...]:
        """What ``equip`` adds to a host."""
        return (*(f"cross_attn_{direction}" for direction in DIRECTIONS), "relation_judger", *NOISES)

    def equip(self, host: nn.Module, dim: int) -> None:
        """Register the parameters for streams of width ``dim`` in ``host``."""
        for direction in DIRECTIONS:
            host.add_module(f"cross_attn_{direction}", PixelAttention(dim, self.heads))
        host.add_module("relation_judger", make_discriminator(self.chosen_discriminator, dim))
        for noise in NOISES:
            host.add_module(noise, nn.Embedding(len(DIRECTIONS), dim))

    def fuse(self, host: Any, x: Tensor) -> Tensor:
        """(2B, ..., C), stream 0 first -> the same shape. Both directions read the unfused streams."""
        first, second = x.chunk(2)
        return torch.cat([self._update(host, 0, first, second), self._update(host, 1, second, first)])

    def tokens(self, host: Any, direction: int, own: Tensor, other: Tensor) -> tuple[Tensor, Tensor]:
        """Keys and values (2, ..., C) of one direction."""
        score = host.relation_judger(torch.cat((own, other), dim=-1))
        keys = torch.stack((own + host.k_noise.weight[direction], own * score))
        values = torch.stack((own + host.v_noise.weight[direction], other))
        return keys, values

    def folded(self, host: Any) -> nn.Module | None:
        """The closed form of the attention over two keys; none where the discriminator looks at means."""
        if not isinstance(host.relation_judger[0], TwoLayerMlp):
            return None
        attentions = (host.cross_attn_0_to_1, host.cross_attn_1_to_0)
        return FoldedGemini(attentions, host.relation_judger, host.k_noise.weight, host.v_noise.weight)

    def _update(self, host: Any, direction: int, own: Tensor, other: Tensor) -> Tensor:
        attention = getattr(host, f"cross_attn_{DIRECTIONS[direction]}")
        return own + attention(own, *self.tokens(host, direction, own, other))
