"""Compiled kernels: one way to declare them and to hand arrays over, one place for their cache."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from rgbd_perception.compiled_sources import fingerprint


def kernel(function: Callable[..., Any] | None = None, **options: Any) -> Any:
    """Compile with the GIL released and the machine code cached on disk, until a source file changes that the
    function or what it calls is in.

    Division by zero gives what it gives in numpy: a check would keep loops from being vectorised.

    numba caches beside the source, else in the user's cache folder. Where neither can be written (a read-only
    installation run by a service user without a home), the cache goes to the temporary folder.
    """
    options = {"cache": True, "nogil": True, "error_model": "numpy", **options}

    def decorate(function: Callable[..., Any]) -> Any:
        compiled = compile_cached(function)
        _compare_sources(compiled, function)
        return compiled

    def compile_cached(function: Callable[..., Any]) -> Any:
        try:
            return numba.njit(**options)(function)
        except RuntimeError:  # "cannot cache function: no locator available"
            # A folder per user: another user's folder could neither be written nor trusted.
            folder = Path(tempfile.gettempdir()) / f"rgbd_perception_numba_{os.getuid()}"
            setattr(numba.config, "CACHE_DIR", str(folder))  # noqa: B010 (its names are made at run time)
            return numba.njit(**options)(function)

    return decorate if function is None else decorate(function)


def _compare_sources(compiled: Any, function: Callable[..., Any]) -> None:
    """Have the machine code on disk compared with all sources; a numba without this place compares one."""
    stored: Any = getattr(getattr(compiled, "_cache", None), "_cache_file", None)
    if hasattr(stored, "_source_stamp"):
        sources = fingerprint(function.__module__, Path(function.__code__.co_filename))
        stored._source_stamp = (stored._source_stamp, sources)


def readonly(array: NDArray[Any], dtype: Any) -> NDArray[Any]:
    """Return a C-contiguous read-only view (a copy only where layout or dtype demand it).

    Message buffers are read-only and arrays of our own are not; numba would compile every kernel once for
    each. Handing over read-only views always keeps it at one.
    """
    view = np.ascontiguousarray(array, dtype=dtype).view()
    view.flags.writeable = False
    return view
