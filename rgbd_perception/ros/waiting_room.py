"""A short wait for frames that arrive before something they need, such as their pose. No ROS in here."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

from rgbd_perception.errors import FrameDropped

T = TypeVar("T")


class NotYet(FrameDropped):
    """What the frame needs has not arrived but may still come: the frame can wait for it."""


class WaitingRoom(Generic[T]):
    """Keeps items that are not ready for at most ``wait_s`` seconds; each of them leaves exactly once.

    ``resolve(item)``         uses the item, or raises NotYet (keep it) or another FrameDropped (give it up)
    ``dropped(item, error)``  told of every item that was given up

    Of more than ``capacity`` waiting items the oldest is given up. Items are tried in the order of their
    arrival. Thread-safe; the callbacks run under the room's lock, so that no item overtakes another: they
    must be quick and must not call the room.
    """

    def __init__(
        self,
        resolve: Callable[[T], None],
        dropped: Callable[[T, FrameDropped], None],
        *,
        wait_s: float,
        capacity: int = 8,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._resolve = resolve
        self._dropped = dropped
        self._wait_s = wait_s
        self._capacity = capacity
        self._clock = clock
        self._lock = threading.Lock()
        self._waiting: deque[tuple[T, float]] = deque()

    def __len__(self) -> int:
        with self._lock:
            return len(self._waiting)

    def offer(self, item: T) -> None:
        """Use ``item`` now, or keep it until ``poll`` finds that it can be used."""
        with self._lock:
            self._waiting.append((item, self._clock() + self._wait_s))
            self._try_all(self._clock(), self._capacity)

    def poll(self) -> None:
        """Try the waiting items again: call it when something arrived, and now and then for the deadlines."""
        with self._lock:
            self._try_all(self._clock(), self._capacity)

    def close(self) -> None:
        """Try everything a last time and give up the rest, each for the reason why it was still waiting."""
        with self._lock:
            self._try_all(float("inf"), 0)

    def _try_all(self, now: float, capacity: int) -> None:
        kept: deque[tuple[T, float, NotYet]] = deque()
        for item, deadline in self._waiting:
            try:
                self._resolve(item)
            except NotYet as reason:
                if now >= deadline:
                    self._dropped(item, reason)
                else:
                    kept.append((item, deadline, reason))
            except FrameDropped as error:
                self._dropped(item, error)
        while len(kept) > capacity:
            oldest, _, missing = kept.popleft()
            self._dropped(oldest, missing)
        self._waiting = deque((item, deadline) for item, deadline, _ in kept)
