"""Making items ahead of time in a thread, so that slow decoding does not disturb their playing."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Generic, TypeVar

Item = TypeVar("Item")


class Prefetch(Generic[Item]):
    """Iterates over ``make()`` with up to ``depth`` items ready, made in a thread of its own.

    An exception of the iterable comes out of the iteration, after the items before it.
    """

    def __init__(self, make: Callable[[], Iterable[Item]], depth: int) -> None:
        self.made = 0
        """Items so far."""
        self._queue: queue.Queue[Item | _End] = queue.Queue(maxsize=max(1, depth))
        self._stopped = threading.Event()
        self._full = threading.Event()
        self._thread = threading.Thread(target=self._fill, args=(make,), name="prefetch", daemon=True)
        self._thread.start()

    @property
    def is_full(self) -> bool:
        """Whether ``depth`` items were ready once, or all there are."""
        return self._full.is_set()

    def wait_until_full(self, timeout_s: float | None = None) -> bool:
        """Wait until ``depth`` items are ready, or all there are; False when that takes longer."""
        return self._full.wait(timeout_s)

    def __iter__(self) -> Iterator[Item]:
        while not isinstance(item := self._queue.get(), _End):
            yield item
        if item.error is not None:
            raise item.error

    def close(self) -> None:
        """End the thread; what was made ahead is thrown away and an iteration in another thread ends."""
        self._stopped.set()
        while self._thread.is_alive():
            self._discard()
            self._thread.join(0.05)
        self._discard()
        self._queue.put(_End(None))

    def _fill(self, make: Callable[[], Iterable[Item]]) -> None:
        error: Exception | None = None
        try:
            for item in make():
                if self._stopped.is_set():
                    break
                self.made += 1
                self._queue.put(item)
                if self._queue.full():
                    self._full.set()
        except Exception as raised:  # noqa: BLE001 - comes out of the iteration
            error = raised
        self._full.set()
        self._queue.put(_End(error))

    def _discard(self) -> None:
        try:
            while True:
                self._queue.get_nowait()
        except queue.Empty:
            return


class _End:
    def __init__(self, error: Exception | None) -> None:
        self.error = error
