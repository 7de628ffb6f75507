"""Batches made ahead of time in a thread: cropping and resizing run while the network computes."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Generic, TypeVar

Item = TypeVar("Item")


class Prefetcher(Generic[Item]):
    """Items ``make(first)``, ``make(first + 1)``, ...: always ``ahead`` of them begun. A context manager."""

    def __init__(self, make: Callable[[int], Item], first: int, ahead: int = 2) -> None:
        self._make = make
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="batches")
        self._pending: deque[Future[Item]] = deque()
        self._following = first
        for _ in range(ahead):
            self._begin()

    def next(self) -> Item:
        """The next item; waits for it. Errors of ``make`` are raised here."""
        self._begin()
        return self._pending.popleft().result()

    def _begin(self) -> None:
        self._pending.append(self._executor.submit(self._make, self._following))
        self._following += 1

    def __enter__(self) -> Prefetcher[Item]:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._executor.shutdown(wait=True, cancel_futures=True)
