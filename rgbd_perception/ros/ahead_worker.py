"""Preparing the next item while one is processed: two threads, the newest item wins. No ROS in here."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Generic, TypeVar

from rgbd_perception.ros.worker import NewestFrameWorker

Item = TypeVar("Item")
Ready = TypeVar("Ready")


class AheadWorker(Generic[Item, Ready]):
    """``process(prepare(item))`` for the newest item, in a thread of its own.

    An item that comes while that thread is busy waits for its turn; where ``ahead()``, it is prepared in a
    second thread meanwhile. Items keep their order. Each ends as in ``NewestFrameWorker``: one that a newer
    item replaces is ``superseded`` before and after it was prepared, and ``done`` follows ``process``.

    prepare  runs beside ``process`` and, for two items, beside itself: must be thread-safe
    ahead    asked for every item, in the thread that submits; may change its mind
    """

    def __init__(
        self,
        prepare: Callable[[Item], Ready],
        process: Callable[[Ready], None],
        *,
        ahead: Callable[[], bool],
        drop: Callable[[str, str], None],
        done: Callable[[], None],
        name: str = "worker",
    ) -> None:
        self._prepare, self._process, self._ahead = prepare, process, ahead
        self._processing: NewestFrameWorker[Callable[[], Ready]] = NewestFrameWorker(
            self._finish, drop=drop, done=done, name=name
        )
        self._preparing: NewestFrameWorker[Item] = NewestFrameWorker(
            self._begin, drop=drop, done=lambda: None, name=f"{name}, ahead"
        )

    def submit(self, item: Item) -> None:
        """Hand over an item; never blocks. All items come from one thread."""
        # No item overtakes one that is being prepared; and where nothing is processed, nothing is gained.
        if self._preparing.is_busy or (self._processing.is_busy and self._ahead()):
            self._preparing.submit(item)
        else:
            self._processing.submit(partial(self._prepare, item))

    def drain(self, timeout_s: float) -> bool:
        """Wait until nothing waits and nothing runs; False when a thread takes longer than ``timeout_s``."""
        return self._preparing.drain(timeout_s) and self._processing.drain(timeout_s)

    def close(self, timeout_s: float = 10.0) -> bool:
        """Finish what runs, drop what waits, end the threads. False when one takes longer than that."""
        ended = self._preparing.close(timeout_s)
        return self._processing.close(timeout_s) and ended

    def _begin(self, item: Item) -> None:
        ready = self._prepare(item)
        self._processing.submit(lambda: ready)

    def _finish(self, make: Callable[[], Ready]) -> None:
        self._process(make())
