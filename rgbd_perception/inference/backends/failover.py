"""Backends in the order of preference: one that dies is started anew, one that dies again is given up."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from rgbd_perception.errors import FrameDropped, UserError
from rgbd_perception.inference.backends.base import (
    Backend,
    GridOutput,
    NetworkFacts,
    TooManyClasses,
    Unavailable,
)

BACKEND_FAILED = "backend_failed"
"""Reason under which a frame is counted whose backend died."""

GRACE_FRAMES = 100
"""A backend that dies within so many frames of its last restart is given up."""

RETRY_S = 10.0
"""When every backend has failed, the first is tried again after so many seconds."""

_FAULTS_OF_THE_FRAME = (FrameDropped, UserError, ValueError, TypeError)
"""What says that a frame cannot be used, not that the backend is broken."""

NONE = "none"
"""Name while all have failed."""

log = logging.getLogger(__name__)

Opener = Callable[[], Backend]
"""Makes a backend ready. Raises UserError where this machine cannot have it."""


class Failover:
    """A backend that runs, and those that can take its place: itself, started anew, and others behind it.

    All of them must take the sizes of the first and have its facts. Not thread-safe.

    name  of the backend that runs now; "none" while all have failed
    """

    def __init__(
        self, running: Backend, openers: Sequence[Opener], clock: Callable[[], float] = time.monotonic
    ) -> None:
        """``running``: made by the first of ``openers``."""
        self.name = running.name
        self.facts: NetworkFacts = running.facts
        self.sizes = running.sizes
        self._openers = openers
        self._clock = clock
        self._backend: Backend | None = running
        self._index = 0
        self._frames_since_start = GRACE_FRAMES
        self._retry_at = 0.0
        self._rows: NDArray[np.float32] | None = None
        self._is_closed = False

    @property
    def on_cpu(self) -> bool:
        """See ``Backend``: of the one that runs now. May be asked for in other threads, beside a call."""
        backend = self._backend
        return backend is None or backend.on_cpu

    def set_classes(self, rows: NDArray[np.float32]) -> None:
        """See ``Backend``. Where these are too many for the one that runs, one of those behind it that
        takes them goes on in its place.
        """
        if self._backend is not None:
            try:
                self._backend.set_classes(rows)
            except TooManyClasses as error:
                self._make_way(self._backend, rows, error)
        self._rows = rows

    def __call__(
        self, color: NDArray[np.uint8], depth: NDArray[np.float32], scores: bool = True
    ) -> GridOutput:
        """See ``Backend``. Where it cannot run the model for images of this size, the next takes its place.

        Raises FrameDropped ``backend_failed`` where the backend died; another one is ready then.
        """
        if self._is_closed:
            raise RuntimeError("the predictor has been closed")
        backend = self._backend or self._try_again()
        try:
            output = backend(color, depth, scores)
        except Unavailable as refusal:
            self._make_way(backend, self._rows, refusal)
            return self(color, depth, scores)
        except _FAULTS_OF_THE_FRAME:
            raise
        except Exception as error:
            self._replace(backend, error)
            detail = f"{backend.name}: {type(error).__name__}: {error}; {self.name} goes on"
            raise FrameDropped(BACKEND_FAILED, detail) from error
        self._frames_since_start += 1
        return output

    def close(self) -> None:
        """See ``Backend``."""
        self._is_closed = True
        if self._backend is not None:
            self._backend.close()
            self._backend = None

    def _make_way(self, narrow: Backend, rows: NDArray[np.float32] | None, error: UserError) -> None:
        """Go on with the first behind ``narrow`` that takes ``rows``. Raises ``error`` where none does."""
        for index in range(self._index + 1, len(self._openers)):
            try:
                backend = self._open(index, rows)
            except UserError as reason:
                log.warning("%s", reason)
                continue
            log.warning("%s; the backend %s goes on", error, backend.name)
            self._index, self._backend, self.name = index, backend, backend.name
            narrow.close()
            return
        raise error

    def _replace(self, dead: Backend, error: Exception) -> None:
        """Start the backend anew, or the next one where the last restart did not help."""
        log.error("the backend %s has failed: %s: %s", dead.name, type(error).__name__, error)
        self._backend, self.name = None, NONE
        _close_failed(dead)
        self._start(self._index if self._frames_since_start >= GRACE_FRAMES else self._index + 1)

    def _try_again(self) -> Backend:
        """When nothing was left, from the beginning. Raises FrameDropped before it is time for that."""
        if self._clock() >= self._retry_at:
            self._start(0)
        if self._backend is None:
            raise FrameDropped(BACKEND_FAILED, "no backend works; it is tried again every few seconds")
        return self._backend

    def _start(self, first: int) -> None:
        """Take the first that can be had from ``first`` on."""
        self._frames_since_start = 0
        for index in range(first, len(self._openers)):
            try:
                backend = self._open(index, self._rows)
            except UserError as error:
                log.warning("%s", error)
                continue
            self._index, self._backend, self.name = index, backend, backend.name
            log.warning("going on with the backend %s", backend.name)
            return
        self._retry_at = self._clock() + RETRY_S

    def _open(self, index: int, rows: NDArray[np.float32] | None) -> Backend:
        """One of those that can be had, with its classes. Raises UserError where it cannot."""
        with contextlib.ExitStack() as unfinished:
            try:
                backend = self._openers[index]()
                unfinished.callback(_close_failed, backend)
                if rows is not None:
                    backend.set_classes(rows)
            except UserError:
                raise
            except Exception as error:  # a device that has failed refuses in many ways
                raise Unavailable(f"it cannot be started: {type(error).__name__}: {error}") from error
            unfinished.pop_all()
        return backend


def _close_failed(backend: Backend) -> None:
    with contextlib.suppress(Exception):  # a device that has failed may refuse this too
        backend.close()
