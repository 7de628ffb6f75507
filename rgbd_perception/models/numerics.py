"""Arithmetic that has to hold in half precision too."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

EPSILON = 1e-12


def unit_vectors(x: Tensor, dim: int = -1, epsilon: float = EPSILON) -> Tensor:
    """``x`` over its length along ``dim``, but at least over ``epsilon``: zero stays zero.

    Computed in float32 at least: in float16 squares and the epsilon would underflow, and what is exactly
    zero, like the keys of padded tokens, would become NaN.
    """
    wide = x.to(torch.promote_types(x.dtype, torch.float32))
    return F.normalize(wide, dim=dim, eps=epsilon).to(x.dtype)
