"""Cutting work into ranges for a few threads of the map's own.

Kernels release the GIL. numba's parallel loops are not used: their thread layer must not be entered by two
threads at once, and a map is read and written by several.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

Runner = Callable[[Callable[[int, int], None], int, int], None]
"""run(work, count, least) calls work(first, last) for ranges that cover 0..count and waits for all of them.

Fewer than ``least`` items go to one thread: waking another one takes longer, above all on a busy machine."""


def run_in_turn(work: Callable[[int, int], None], count: int, least: int) -> None:
    """The runner of a single thread."""
    del least
    work(0, count)


class Threads:
    """A runner on ``threads`` threads, the calling one included."""

    def __init__(self, threads: int) -> None:
        self._parts = threads
        self._pool = ThreadPoolExecutor(max(threads - 1, 1), thread_name_prefix="voxel_map")

    def __call__(self, work: Callable[[int, int], None], count: int, least: int) -> None:
        parts = self._parts if count >= least else 1
        bounds = [count * part // parts for part in range(parts + 1)]
        pending = [self._pool.submit(work, *part) for part in pairwise(bounds[1:])]
        work(bounds[0], bounds[1])
        for future in pending:
            future.result()

    def close(self) -> None:
        """Wait for what is running and end the threads."""
        self._pool.shutdown(wait=True)
