"""Arithmetic that has to hold in half precision too."""

from __future__ import annotations

import torch
from torch import Tensor

EPSILON = 1e-12


def unit_vectors(x: Tensor, dim: int = -1, epsilon: float = EPSILON, length: Tensor | float = 1.0) -> Tensor:
    """``x`` brought to ``length`` along ``dim``, divided by at least ``epsilon``: zero stays zero.

    Computed in float32 at least: in float16 squares and the epsilon would underflow, and what is exactly
    zero, like the keys of padded tokens, would become NaN. One pass over ``x`` after that for its length.
    """
    wide = x.to(torch.promote_types(x.dtype, torch.float32))
    factor = length / torch.linalg.vector_norm(wide, dim=dim, keepdim=True).clamp_min(epsilon)
    return (wide * factor).to(x.dtype)
