"""Batches made ahead of time in threads: cropping and resizing run while the network computes."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Generic, TypeVar

Item = TypeVar("Item")


class Prefetcher(Generic[Item]):
    """Items ``make(first)``, ``make(first + 1)``, ... in their order. A context manager.

    ``threads`` make them; twice as many are begun ahead of the one that is asked for.
    """

    def __init__(self, make: Callable[[int], Item], first: int, threads: int = 1) -> None:
        self._make = make
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix="batches")
        self._pending: deque[Future[Item]] = deque()
        self._following = first
        for _ in range(2 * threads):
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
