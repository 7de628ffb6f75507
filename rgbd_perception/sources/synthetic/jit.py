"""One decorator for all numba kernels of the renderer."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, cast

from numba import njit

_Function = TypeVar("_Function", bound=Callable[..., object])


def kernel(function: _Function) -> _Function:
    """Compile to machine code on first use and keep it on disk.

    Division by zero gives inf as in numpy, and sums may be reordered: a third faster, and none of the kernels
    meets NaN.
    """
    return cast(_Function, njit(cache=True, fastmath=True, error_model="numpy")(function))
