"""DSIM of DiffPixelFormer (arXiv:2511.13047): fusion by what two streams share and where they differ.

Three forms with the same parameters, so that one checkpoint loads into each of them:

released  What the authors' code does as published. Key and value are sums, one token each. A softmax over one
          key is 1: discriminators, factors, key noise, query and key projections do not reach the output.
stacked   The other switch of their code: three tokens, without the factors.
paper     Our reading of the paper's equations 4 to 7: the three tokens, with the factors on the keys. It has
          no published results.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, get_args

import torch
from torch import Tensor, nn

from rgbd_perception.errors import UserError
from rgbd_perception.models.discriminators import DiscriminatorName
from rgbd_perception.models.folded_fusion import FoldedDsim
from rgbd_perception.models.fusion import DIRECTIONS, TwoLayerMlp
from rgbd_perception.models.pixel_fusion import GeminiFusion

DsimMode = Literal["released", "stacked", "paper"]


@dataclass(frozen=True)
class Dsim(GeminiFusion):
    """Difference and similarity discriminators before the attention of GeminiFusion."""

    mode: DsimMode = "released"

    def __post_init__(self) -> None:
        if self.mode not in get_args(DsimMode):
            raise UserError(f"expected mode {', '.join(get_args(DsimMode))}, got {self.mode!r}")
        super().__post_init__()
        if self.mode == "released" and self.chosen_discriminator != self.published_discriminator:
            raise UserError(
                f"expected mode stacked or paper for discriminator {self.discriminator}, got mode released, "
                "in which no discriminator reaches the output"
            )

    @property
    def published_discriminator(self) -> DiscriminatorName:
        """The one in the checkpoints."""
        return "sigmoid" if self.mode == "released" else "softmax"

    @property
    def names(self) -> tuple[str, ...]:
        """What ``equip`` adds to a host."""
        own = (f"{part}_{direction}" for part in ("diff", "scale_factor") for direction in DIRECTIONS)
        return (*super().names, *own)

    def equip(self, host: nn.Module, dim: int) -> None:
        """Register the parameters for streams of width ``dim`` in ``host``."""
        super().equip(host, dim)
        for direction in DIRECTIONS:
            host.add_module(f"diff_{direction}", TwoLayerMlp(dim, dim))
            host.register_parameter(f"scale_factor_{direction}", nn.Parameter(torch.full((2,), 0.5)))

    def tokens(self, host: Any, direction: int, own: Tensor, other: Tensor) -> tuple[Tensor, Tensor]:
        """Keys and values (T, ..., C) of one direction: T is 1 in the released form, else 3."""
        similarity = own * host.relation_judger(torch.cat((own, other), dim=-1))
        difference = own * getattr(host, f"diff_{DIRECTIONS[direction]}")(own - other).softmax(dim=-1)
        if self.mode != "stacked":
            factors = getattr(host, f"scale_factor_{DIRECTIONS[direction]}").softmax(dim=0)
            difference, similarity = factors[0] * difference, factors[1] * similarity
        key, value = own + host.k_noise.weight[direction], own + host.v_noise.weight[direction]
        if self.mode == "released":
            return (key + difference + similarity).unsqueeze(0), (value + other).unsqueeze(0)
        return torch.stack((key, difference, similarity)), torch.stack((value, own - other, other))

    def folded(self, host: Any) -> nn.Module | None:
        """What is left of the released form: a linear layer. The other forms have nothing to fold."""
        if self.mode != "released":
            return None
        return FoldedDsim((host.cross_attn_0_to_1, host.cross_attn_1_to_0), host.v_noise.weight)
