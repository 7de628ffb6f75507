"""One thread, one slot, newest frame wins. No ROS in here."""

from __future__ import annotations

import threading
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

from rgbd_perception.errors import FrameDropped

Item = TypeVar("Item")


class NewestFrameWorker(Generic[Item]):
    """Runs ``process`` on the newest submitted item in its own thread; no item is ever lost silently.

    Every submitted item ends exactly once: in ``done()`` after ``process``, or in ``drop(reason, detail)``:

    ``superseded``      a newer item came before this one was begun
    (any)               ``process`` raised FrameDropped with that reason
    ``internal_error``  ``process`` raised anything else; the thread lives on
    ``shutdown``        the worker was closed before the item was begun

    Both are called from the submitting thread and from the worker's: they must be thread-safe.
    """

    def __init__(
        self,
        process: Callable[[Item], None],
        *,
        drop: Callable[[str, str], None],
        done: Callable[[], None],
        name: str = "worker",
    ) -> None:
        self._process = process
        self._drop = drop
        self._done = done
        self._changed = threading.Condition()
        self._slot: list[Item] = []
        self._busy = False
        self._closed = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def submit(self, item: Item) -> None:
        """Hand over an item; one that still waits is ``superseded``. Never blocks on ``process``."""
        unused = None
        with self._changed:
            if self._closed:
                unused = ("shutdown", "the node is being stopped")
            else:
                if self._slot:
                    unused = ("superseded", "a newer frame came before this one was begun")
                self._slot = [item]
                self._changed.notify_all()
        if unused is not None:
            self._drop(*unused)

    @property
    def is_busy(self) -> bool:
        """Whether an item waits or is being processed."""
        with self._changed:
            return bool(self._slot) or self._busy

    def drain(self, timeout_s: float) -> bool:
        """Wait until nothing waits and nothing runs; False when that takes longer than ``timeout_s``."""
        with self._changed:
            return self._changed.wait_for(lambda: not self.is_busy, timeout_s)

    def close(self, timeout_s: float = 10.0) -> bool:
        """Finish what runs, drop what waits, end the thread. False when that takes too long."""
        with self._changed:
            self._closed = True
            waiting, self._slot = self._slot, []
            self._changed.notify_all()
        for _ in waiting:
            self._drop("shutdown", "the node is being stopped")
        if threading.current_thread() is not self._thread:
            self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._busy = False
                self._changed.notify_all()
                self._changed.wait_for(lambda: self._slot or self._closed)
                if self._closed:
                    return
                item = self._slot.pop()
                self._busy = True
            self._finish(item)

    def _finish(self, item: Item) -> None:
        try:
            self._process(item)
        except FrameDropped as error:
            self._drop(error.reason, error.detail)
        except Exception as error:  # noqa: BLE001 - one bad frame must never end the thread
            self._drop("internal_error", f"{type(error).__name__}: {error} ({_origin(error)})")
        else:
            self._done()


def _origin(error: Exception) -> str:
    """File and line that raised ``error``: enough to find it, short enough for one line of the log."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"{Path(last.filename).name}:{last.lineno}"
