"""Questions to a map one after the other, each when what its blocks hold has been caught up with."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count

from rgbd_perception.mapping.view import MapView

_BLOCKS_AT_ONCE, _PATIENCE = 512, 64
"""So many are read while the map waits, a few milliseconds; more of them when after so many turns a map that
changes fast still has not been caught up with."""
_PAUSE_S = 0.0005
"""Between two such waits, because a lock that is asked for again at once is not given to others."""


class Turns:
    """Whoever has the turn may have blocks read, and may rely on what was read not to change."""

    def __init__(self) -> None:
        self._lock = threading.Lock()

    @contextmanager
    def question(self, look: Callable[[int], MapView | None]) -> Iterator[MapView]:
        """What ``look(most)`` gives when no more than ``most`` blocks had to be read for it, and None before;
        its snapshot is closed afterwards."""
        with self._lock:
            turns = count()
            while (view := look(_BLOCKS_AT_ONCE * (1 + next(turns) // _PATIENCE))) is None:
                time.sleep(_PAUSE_S)
            try:
                yield view
            finally:
                view.snapshot.close()

    def in_between(self, work: Callable[[], None]) -> None:
        """Do the work unless a question is under way."""
        if self._lock.acquire(blocking=False):
            try:
                work()
            finally:
                self._lock.release()
