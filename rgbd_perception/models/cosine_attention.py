"""Steps of scaled cosine attention that its trainable and its frozen form share."""

from __future__ import annotations

import torch
from torch import Tensor

EPSILON = 1e-12


def split_heads(qkv: Tensor, heads: int) -> tuple[Tensor, Tensor, Tensor]:
    """(n, N, 3 C) -> unit queries, unit keys and values, (n, heads, N, C / heads) each."""
    count, tokens, channels = qkv.shape
    parts = qkv.view(count, tokens, 3, heads, channels // (3 * heads)).permute(2, 0, 3, 1, 4)
    q, k = unit_vectors(parts[:2]).unbind(0)
    return q, k, parts[2]


def unit_vectors(x: Tensor) -> Tensor:
    """``x`` over its length along the last axis; zero stays zero.

    Computed in float32 at least: in float16 squares and the epsilon would underflow, and the keys of padded
    tokens, which are exactly zero, would become NaN.
    """
    wide = x.to(torch.promote_types(x.dtype, torch.float32))
    return torch.nn.functional.normalize(wide, dim=-1, eps=EPSILON).to(x.dtype)


def join_heads(x: Tensor) -> Tensor:
    """(n, heads, N, C / heads) -> (n, N, C)."""
    return x.transpose(1, 2).flatten(2)


def repeat_bias(bias: Tensor, batch: int) -> Tensor:
    """Bias (1 or windows of an image, heads, N, N) for all windows of a batch."""
    if bias.shape[0] > 1 and batch > 1:  # one mask per window of an image
        return bias.repeat(batch, 1, 1, 1)
    return bias
