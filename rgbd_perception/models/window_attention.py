"""Attention inside (shifted) square windows: what Swin V1 and V2 share, and its form for inference."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from rgbd_perception.models.windows import (
    FIRMLY_MASKED,
    Windows,
    from_windows,
    masked_bias,
    repeat_bias,
    to_windows,
    window_order,
)


class HeadTokens(NamedTuple):
    """Queries, keys and values, (n, heads, N, C / heads) each; products of q and k are the scores."""

    q: Tensor
    k: Tensor
    v: Tensor


class WindowAttention(nn.Module):
    """Frame of the attentions: a subclass says what queries and keys are and how positions count."""

    qkv: nn.Module

    def __init__(
        self, dim: int, heads: int, windows: Windows, linear: Callable[[int, int], nn.Module] = nn.Linear
    ) -> None:
        """``linear`` makes the projections, from the numbers of channels that go in and come out."""
        super().__init__()
        self.dim, self.heads, self.windows = dim, heads, windows
        self.qkv = linear(dim, 3 * dim)
        self.proj = linear(dim, dim)

    def forward(self, x: Tensor) -> Tensor:
        """(B, H, W, C) -> (B, H, W, C)."""
        height, width = x.shape[1:3]
        layout = self.windows.layout(height, width)
        order, inverse = (index.to(x.device) for index in window_order(layout))
        windows = to_windows(x, layout, order, inverse)
        tokens = self.head_tokens(windows)
        bias = repeat_bias(masked_bias(self.position_bias(), layout), len(windows)).to(tokens.q.dtype)
        if self.training:  # faster than the fused kernel where the bias needs a gradient
            attended = torch.softmax(tokens.q @ tokens.k.transpose(-1, -2) + bias, dim=-1) @ tokens.v
        else:
            attended = F.scaled_dot_product_attention(*tokens, attn_mask=bias, scale=1.0)
        return from_windows(self.proj(join_heads(attended)), layout, order, inverse, (height, width))

    def head_tokens(self, windows: Tensor) -> HeadTokens:
        """What tokens (n, N, C) become in the heads."""
        raise NotImplementedError

    def position_bias(self) -> Tensor:
        """What relative positions add to the scores: (1, heads, N, N) for windows of N tokens."""
        raise NotImplementedError

    def deployed(self) -> FrozenWindowAttention:
        """The same function of the features, for inference."""
        raise NotImplementedError


class FrozenWindowAttention(nn.Module):
    """For inference: the position bias and, for one size of the map, order of tokens and masks are constants.

    A map of another size than the last one costs those anew; an exporter calls ``fit`` beforehand, so that
    they are constants of its graph too.
    """

    position_bias: Tensor
    bias: Tensor
    order: Tensor
    inverse: Tensor

    def __init__(self, plain: WindowAttention, qkv: nn.Module) -> None:
        """``qkv`` takes the place of that of ``plain``, with all that can be folded into it."""
        super().__init__()
        self.heads, self.windows = plain.heads, plain.windows
        self.qkv, self.proj = qkv, plain.proj
        self.register_buffer("position_bias", plain.position_bias().detach(), persistent=False)
        for name in ("bias", "order", "inverse"):
            self.register_buffer(name, torch.empty(0), persistent=False)
        self._fitted = (0, 0)

    def fit(self, height: int, width: int) -> None:
        """Work out the constants for maps of this size."""
        layout = self.windows.layout(height, width)
        with torch.inference_mode(False), torch.no_grad():
            device = self.position_bias.device
            self.order, self.inverse = (index.to(device) for index in window_order(layout))
            self.bias = masked_bias(self.position_bias, layout, FIRMLY_MASKED)
        self._fitted = (height, width)

    def forward(self, x: Tensor) -> Tensor:
        """(B, H, W, C) -> (B, H, W, C)."""
        height, width = x.shape[1:3]
        if self._fitted != (height, width):
            self.fit(height, width)
        layout = self.windows.layout(height, width)
        windows = to_windows(x, layout, self.order, self.inverse)
        tokens = self.head_tokens(windows)
        bias = repeat_bias(self.bias, len(windows))
        attended = F.scaled_dot_product_attention(*tokens, attn_mask=bias, scale=1.0)
        return from_windows(
            self.proj(join_heads(attended)), layout, self.order, self.inverse, (height, width)
        )

    def head_tokens(self, windows: Tensor) -> HeadTokens:
        """What tokens (n, N, C) become in the heads: here the queries come scaled out of ``qkv``."""
        return split_heads(self.qkv(windows), self.heads)


def fit_stages(stages: Iterable[nn.Module], height: int, width: int) -> None:
    """Fit the frozen attentions of stages, of which each gets a map half as large (rounded up) as before.

    ``height`` and ``width`` are those of the first stage's map.
    """
    for stage in stages:
        for module in stage.modules():
            if isinstance(module, FrozenWindowAttention):
                module.fit(height, width)
        height, width = -(-height // 2), -(-width // 2)


def split_heads(qkv: Tensor, heads: int) -> HeadTokens:
    """(n, N, 3 C) -> the tokens of the heads."""
    parts = (part.unflatten(-1, (heads, -1)).transpose(1, 2) for part in qkv.chunk(3, dim=-1))
    return HeadTokens(*parts)


def join_heads(x: Tensor) -> Tensor:
    """(n, heads, N, C / heads) -> (n, N, C)."""
    return x.transpose(1, 2).flatten(2)
