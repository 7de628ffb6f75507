"""Cutting work into ranges for a few threads of the map's own.

Kernels release the GIL. numba's parallel loops are not used: their thread layer must not be entered by two
threads at once, and a map is read and written by several.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from itertools import count as count_from
from types import TracebackType
from typing import Any, TypeVar

_PARTS_PER_THREAD = 4
"""A thread that the system holds up keeps the others waiting for one part, not for its share of the work."""
Result = TypeVar("Result")

Runner = Callable[[Callable[[int, int], None], int, int], None]
"""run(work, count, least) calls work(first, last) for ranges that cover 0..count and waits for all of them.

Fewer than ``least`` items go to one thread: waking another one takes longer, above all on a busy machine."""


def run_in_turn(work: Callable[[int, int], None], count: int, least: int) -> None:
    """The runner of a single thread."""
    del least
    work(0, count)


class Threads:
    """A runner on ``threads`` threads, the calling one included. Those who are ``at_work`` share them: more
    threads than cores would wait for each other."""

    def __init__(self, threads: int) -> None:
        self._threads = threads
        self._pool = ThreadPoolExecutor(max(threads - 1, 1), thread_name_prefix="voxel_map")
        self._at_work = 0
        self._lock = threading.Lock()

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """While the calling thread has work of its own beside that of others."""
        with self._lock:
            self._at_work += 1
        try:
            yield
        finally:
            with self._lock:
                self._at_work -= 1

    def _spare(self) -> int:
        """Threads that can help."""
        return self._threads - max(self._at_work, 1)

    def __call__(self, work: Callable[[int, int], None], count: int, least: int) -> None:
        helping = self._spare()
        if helping < 1 or count < least:
            work(0, count)
            return
        parts = min((helping + 1) * _PARTS_PER_THREAD, count)
        numbers = count_from()

        def help_out() -> None:
            while (part := next(numbers)) < parts:
                work(count * part // parts, count * (part + 1) // parts)

        with self.beside() as begin:
            helpers = [begin(help_out) for _ in range(helping)]
            help_out()
            for helper in helpers:  # one that has not begun, because its thread is busy, finds nothing left
                helper()

    def beside(self) -> Beside:
        """For work beside that of the calling thread, in a ``with`` block."""
        return Beside(self._pool, self._spare)

    def close(self) -> None:
        """Wait for what is running and end the threads."""
        self._pool.shutdown(wait=True)


class Beside:
    """Begins work on other threads; none of it goes on after the ``with`` block, however that is left."""

    def __init__(self, pool: ThreadPoolExecutor, spare: Callable[[], int]) -> None:
        """Where there are no ``spare`` threads the calling one does everything."""
        self._pool, self._spare = pool, spare
        self._begun: list[Future[Any]] = []

    def __call__(self, work: Callable[[], Result]) -> Callable[[], Result]:
        """Begin ``work`` on another thread where one is free; the function that is returned waits for it, or
        does it when it was not begun: nobody ever waits for other work of a busy thread."""
        if self._spare() < 1:
            return work
        future = self._pool.submit(work)
        self._begun.append(future)
        return lambda: work() if future.cancel() else future.result()

    def __enter__(self) -> Beside:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for future in self._begun:
            if not future.cancel():
                future.exception()  # waits, and leaves the error to whoever asks for the result
