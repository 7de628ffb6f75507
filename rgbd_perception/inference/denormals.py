"""Denormal numbers as zero, for the calling thread and no longer than a block: processors are slow with them.

The switch belongs to a thread, and threads that it starts inherit it: left on, it would change the arithmetic
of code that has nothing to do with a network.
"""

from __future__ import annotations

import ctypes
import platform
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

_FLUSH_RESULTS, _IGNORE_OPERANDS = 1 << 15, 1 << 6
"""Bits of the control register of SSE."""


class _Environment(ctypes.Structure):
    """C's ``fenv_t`` on Linux for x86-64."""

    _fields_ = (("x87", ctypes.c_uint32 * 7), ("mxcsr", ctypes.c_uint32))


@contextmanager
def denormals_as_zero() -> Iterator[None]:
    """Afterwards the thread's floating point environment is what it was, whatever the block did to it.

    Does nothing but on Linux for x86-64.
    """
    library = _library()
    if library is None:
        yield
        return
    before = _Environment()
    library.fegetenv(ctypes.byref(before))
    flushing = _Environment.from_buffer_copy(before)
    flushing.mxcsr |= _FLUSH_RESULTS | _IGNORE_OPERANDS
    library.fesetenv(ctypes.byref(flushing))
    try:
        yield
    finally:
        library.fesetenv(ctypes.byref(before))


@cache
def _library() -> ctypes.PyDLL | None:
    """C's mathematics, where ``_Environment`` is true; its calls are too short to let go of the GIL."""
    if sys.platform != "linux" or platform.machine() != "x86_64":
        return None
    return ctypes.PyDLL("libm.so.6")
