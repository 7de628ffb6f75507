"""Says why nothing happens while the loops of the map are compiled, the first time on a machine."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

PATIENCE_S = 2.0
"""Seconds of compiling that need no word: one kernel that is new since the last time."""


@contextmanager
def compiling_is_said(patience_s: float = PATIENCE_S) -> Iterator[None]:
    """Within this, one line on standard error once compilers have worked for ``patience_s`` seconds."""
    from numba.core.event import Listener, install_listener

    class Notice(Listener):
        """Kernels that call others are compiled around them: beginnings and ends are nested."""

        def __init__(self) -> None:
            self._depth = 0
            self._since = 0.0
            self._spent_s = 0.0
            self._said = False

        def on_start(self, event: Any) -> None:
            now = time.monotonic()
            if self._depth == 0:
                self._since = now
            self._depth += 1
            if not self._said and self._spent_s + now - self._since >= patience_s:
                self._said = True
                print("compiling the loops of the map: about a minute, this first time only", file=sys.stderr)

        def on_end(self, event: Any) -> None:
            self._depth -= 1
            if self._depth == 0:
                self._spent_s += time.monotonic() - self._since

    with install_listener("numba:compile", Notice()):
        yield
