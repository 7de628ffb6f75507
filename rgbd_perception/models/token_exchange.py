"""TokenFusion (Wang et al. 2022, arXiv:2204.08721) in a block: score the tokens, replace the worthless.

As released, not the tokens are exchanged but what the attention adds to them, and there is no positional
alignment.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from rgbd_perception.models.mit import MitBlock
from rgbd_perception.models.parallel import STREAMS

THRESHOLD = 0.02
"""Scores below it: the token takes what the attention gave to its twin in the other stream."""


class ScorePredictor(nn.Module):
    """How much the tokens are worth, 0..1; one network per stream."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.score_nets = nn.ModuleList(_score_net(dim) for _ in range(STREAMS))

    def forward(self, x: Tensor) -> Tensor:
        """(2B, h, w, C) -> (2B, h, w, 1)."""
        logits = [net(part) for net, part in zip(self.score_nets, x.chunk(STREAMS), strict=True)]
        return torch.cat(logits).softmax(dim=-1)[..., :1]


def exchanging(block: MitBlock, x: Tensor, score: Tensor) -> Tensor:
    """A block of MiT with the exchange after its attention: (2B, h, w, C), (2B, h, w, 1) -> (2B, h, w, C)."""
    attended = score * block.attn(block.norm1(x))
    twin = attended.roll(x.shape[0] // STREAMS, dims=0)
    x = x + block.drop_path(torch.where(score >= THRESHOLD, attended, twin))
    return x + block.drop_path(block.mlp(block.norm2(x)))


def _score_net(dim: int) -> nn.Sequential:
    return nn.Sequential(
        nn.LayerNorm(dim, eps=1e-5),
        nn.Linear(dim, dim),
        nn.GELU(),
        nn.Linear(dim, dim // 2),
        nn.GELU(),
        nn.Linear(dim // 2, dim // 4),
        nn.GELU(),
        nn.Linear(dim // 4, 2),
    )
