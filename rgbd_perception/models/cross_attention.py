"""Attention of each stream to the other: the fusions that DiffPixelFormer's Table III compares DSIM with.

Our own designs: the paper (arXiv:2511.13047) gives no more than names, parameters and compute. Both figures
are met, at two image sizes, which settles the linear layers, the tokens that these work on, and the size of
the windows. Residual connections, the number of heads and what the second layer of shifted windows reads are
our choice.

All modules map two stacked streams (2B, H, W, C), see ``parallel``, to the same shape.
"""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from rgbd_perception.models.fusion import PixelAttention
from rgbd_perception.models.parallel import STREAMS, ParallelLinear, exchanged
from rgbd_perception.models.window_attention import (
    FrozenWindowAttention,
    HeadTokens,
    WindowAttention,
    join_heads,
    split_heads,
)
from rgbd_perception.models.windows import Windows


class CrossAttention(nn.Module):
    """Each token attends to all tokens of the other stream.

    Both directions share the projections, and there is none behind the attention: 3 C^2 + 3 C parameters.
    """

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(dim, 3 * dim)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = split_heads(self.qkv(x.flatten(1, 2)), self.heads)
        attended = F.scaled_dot_product_attention(q, exchanged(k), exchanged(v))
        return x + join_heads(attended).view(x.shape)


class WindowedCrossAttention(nn.Module):
    """Each token attends to the other stream's tokens in its window: 8 C^2 + 8 C parameters per layer.

    One layer, or with ``shifted`` two, of which the second has its windows moved by half their size and reads
    what the first has made of both streams.
    """

    def __init__(self, dim: int, heads: int, window: int, shifted: bool) -> None:
        super().__init__()
        shifts = (0, window // 2) if shifted else (0,)
        self.layers = nn.ModuleList(
            CrossWindowAttention(dim, heads, Windows(window, shift, always_shift=False)) for shift in shifts
        )

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers:
            x = x + layer(x)
        return x


class CrossWindowAttention(WindowAttention):
    """Window attention with keys and values from the other stream, without a bias of positions.

    Each direction has projections of its own. The layer of a stream in ``qkv`` makes its queries, for its own
    direction, and the keys and values that the other stream reads.
    """

    def __init__(self, dim: int, heads: int, windows: Windows) -> None:
        super().__init__(dim, heads, windows, ParallelLinear)

    def head_tokens(self, windows: Tensor) -> HeadTokens:
        """See the base class."""
        q, k, v = split_heads(self.qkv(windows), self.heads)
        return HeadTokens(q * self._scale, exchanged(k), exchanged(v))

    def position_bias(self) -> Tensor:
        """(1, 1, N, N): none, only shifted windows have something to mask."""
        tokens = self.windows.window**2
        return next(self.parameters()).new_zeros(1, 1, tokens, tokens)

    @torch.no_grad()
    def deployed(self) -> FrozenCrossWindowAttention:
        """The same function of the features, for inference: the scale is folded into the queries."""
        qkv = copy.deepcopy(self.qkv)
        for parameter in qkv.parameters():
            parameter[: self.dim] *= self._scale
        return FrozenCrossWindowAttention(self, qkv)

    @property
    def _scale(self) -> float:
        return (self.dim // self.heads) ** -0.5


class FrozenCrossWindowAttention(FrozenWindowAttention):
    """For inference: masks and the order of the tokens are constants."""

    def head_tokens(self, windows: Tensor) -> HeadTokens:
        """See the base class."""
        q, k, v = super().head_tokens(windows)
        return HeadTokens(q, exchanged(k), exchanged(v))


class PixelCrossAttention(nn.Module):
    """Each token attends to its twin, the other stream's token at the same place: 8 C^2 + 8 C parameters.

    The published compute leaves room for one key only, without discriminator and noise. A softmax over one
    key is 1: the query and key projections, half of the parameters, do not reach the output. GeminiFusion's
    fusion has two keys.
    """

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.directions = nn.ModuleList(PixelAttention(dim, heads) for _ in range(STREAMS))

    def forward(self, x: Tensor) -> Tensor:
        streams = x.chunk(STREAMS)
        twins = (twin.unsqueeze(0) for twin in reversed(streams))
        updates = [
            attention(own, twin, twin)
            for attention, own, twin in zip(self.directions, streams, twins, strict=True)
        ]
        return x + torch.cat(updates)

    @torch.no_grad()
    def deployed(self) -> FoldedPixelCrossAttention:
        """The linear layers of the twins that are left of it."""
        return FoldedPixelCrossAttention(self)


class FoldedPixelCrossAttention(nn.Module):
    """For inference: each token plus a linear layer of its twin."""

    def __init__(self, plain: PixelCrossAttention) -> None:
        super().__init__()
        self.update = ParallelLinear.of([attention.of_one_token() for attention in plain.directions])

    def forward(self, x: Tensor) -> Tensor:
        return x + self.update(exchanged(x))
