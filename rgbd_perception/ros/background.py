"""Slow work of service callbacks, in a thread of its own, awaited without blocking the executor."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from typing import TypeVar

from rclpy.node import Node
from rclpy.task import Future
from rclpy.timer import Timer

T = TypeVar("T")

_LOOK_S = 0.5
"""How often a thread without work looks whether the main thread has ended."""


class BackgroundThread:
    """Runs jobs one after another. A coroutine callback of ``node`` awaits the result of ``run``:

        async def _on_save(self, request, response):
            response.message = await self._files.run(self._save, request.path)

    Exceptions of a job come out of ``await``.
    """

    def __init__(self, node: Node, name: str) -> None:
        self._node = node
        self._jobs: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name=name)
        self._thread.start()

    def run(self, function: Callable[..., T], *args: object) -> Future[T]:
        """Queue ``function(*args)``; returns what a coroutine callback can await."""
        future: Future[T] = Future()

        def job() -> None:
            try:
                future.set_result(function(*args))
            except Exception as error:  # noqa: BLE001 - comes out of `await`
                future.set_exception(error)
            self._wake_executor()

        self._jobs.put(job)
        return future

    def every(self, period_s: float, function: Callable[[], object]) -> Timer:
        """A timer of the node that runs ``function`` here, and skips a turn while the last one is not done.

        An exception is logged; the next turn comes all the same.
        """
        pending: Future[object] | None = None

        def guarded() -> None:
            try:
                function()
            except Exception as error:  # noqa: BLE001 - logged; the next turn comes all the same
                if not self._node.context.ok():
                    return  # everything fails once ROS is shut down
                self._node.get_logger().error(f"{type(error).__name__}: {error}")

        def turn() -> None:
            nonlocal pending
            if pending is None or pending.done():
                pending = self.run(guarded)

        return self._node.create_timer(period_s, turn)

    def wait(self) -> None:
        """Wait until everything that was queued before is done."""
        done = threading.Event()
        self._jobs.put(done.set)
        done.wait()

    def close(self) -> None:
        """Finish what is queued and end the thread."""
        self._jobs.put(None)
        self._thread.join()

    def _work(self) -> None:
        # Not a daemon: ending the interpreter in the middle of an import of torch crashes. But a node whose
        # constructor is interrupted never calls `close`; then the end of the main thread must end this one.
        while threading.main_thread().is_alive():
            try:
                job = self._jobs.get(timeout=_LOOK_S)
            except queue.Empty:
                continue
            if job is None:
                return
            job()

    def _wake_executor(self) -> None:
        # The executor looks at waiting coroutines only when something wakes it; an empty task does.
        executor = self._node.executor
        if executor is not None:
            executor.create_task(lambda: None)
