"""Slow work of service callbacks, in a thread of its own, awaited without blocking the executor."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from typing import TypeVar

from rclpy.node import Node
from rclpy.task import Future

T = TypeVar("T")


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
            except Exception as error:
                future.set_exception(error)
            self._wake_executor()

        self._jobs.put(job)
        return future

    def close(self) -> None:
        """Finish what is queued and end the thread."""
        self._jobs.put(None)
        self._thread.join()

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            job()

    def _wake_executor(self) -> None:
        # The executor looks at waiting coroutines only when something wakes it; an empty task does.
        executor = self._node.executor
        if executor is not None:
            executor.create_task(lambda: None)
