"""Backends in the order of preference: one that dies is started anew, one that dies again is given up."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Protocol

from numpy.typing import NDArray

from rgbd_perception.errors import FrameDropped, UserError

BACKEND_FAILED = "backend_failed"
"""Reason under which a frame is counted whose backend died."""

GRACE_FRAMES = 100
"""A backend that dies within so many frames of its last restart is given up."""

RETRY_S = 10.0
"""When every backend has failed, the first is tried again after so many seconds."""

_KEPT_INPUTS = ("class_matrix", "class_offset")
"""Inputs that are given when they change; a new backend has to be told them again."""

log = logging.getLogger(__name__)


class GraphBackend(Protocol):
    """Something that runs an exported graph."""

    name: str

    def __call__(
        self, inputs: Mapping[str, NDArray[Any]], wanted: Collection[str] | None = None
    ) -> dict[str, NDArray[Any]]:
        """Inputs by name -> outputs by name; an input that is left out stays what it was."""

    def close(self) -> None:
        """Free what it holds."""


Opener = Callable[[], GraphBackend]
"""Makes a backend ready. Raises UserError where this machine cannot have it."""


class Failover:
    """The first of ``openers`` that can be opened, and the others behind it. Not thread-safe.

    name  of the backend that runs now
    """

    def __init__(self, openers: Sequence[Opener], clock: Callable[[], float] = time.monotonic) -> None:
        """Open one. Each that cannot be had is logged in one line; raises the last UserError if none can."""
        self._openers = openers
        self._clock = clock
        self._kept: dict[str, NDArray[Any]] = {}
        self._tell_kept = False
        self._frames_since_start = GRACE_FRAMES
        self._retry_at = 0.0
        self._backend: GraphBackend | None
        self._index, self._backend = self._open(0)

    @property
    def name(self) -> str:
        """Of the backend that runs now."""
        return "none" if self._backend is None else self._backend.name

    def __call__(
        self, inputs: Mapping[str, NDArray[Any]], wanted: Collection[str] | None = None
    ) -> dict[str, NDArray[Any]]:
        """Run the graph.

        Raises FrameDropped ``backend_failed`` where the backend died; another one is ready then.
        """
        self._kept.update((name, inputs[name]) for name in _KEPT_INPUTS if name in inputs)
        backend = self._backend or self._reopen()
        if self._tell_kept:
            inputs = {**self._kept, **inputs}
        try:
            outputs = backend(inputs, wanted)
        except FrameDropped:
            raise
        except Exception as error:
            self._replace(backend, error)
            raise FrameDropped(BACKEND_FAILED, f"{backend.name}: {error}; {self.name} goes on") from error
        self._tell_kept = False
        self._frames_since_start += 1
        return outputs

    def close(self) -> None:
        """Free the backend."""
        if self._backend is not None:
            self._backend.close()
            self._backend = None

    def _open(self, first: int) -> tuple[int, GraphBackend]:
        problem = UserError("there is no backend")
        for index, opener in enumerate(self._openers[first:], first):
            try:
                backend = opener()
            except UserError as error:
                log.warning("%s", error)
                problem = error
            else:
                return index, backend
        raise problem

    def _replace(self, dead: GraphBackend, error: Exception) -> None:
        """Start the backend anew, or the next one where the last restart did not help."""
        log.error("the backend %s has failed: %s: %s", dead.name, type(error).__name__, error)
        with contextlib.suppress(Exception):  # a device that has failed may refuse this too
            dead.close()
        again = self._frames_since_start >= GRACE_FRAMES
        self._backend = None
        self._start(self._index if again else self._index + 1)

    def _reopen(self) -> GraphBackend:
        """When nothing was left, from the beginning. Raises FrameDropped before it is time for that."""
        if self._clock() >= self._retry_at:
            self._start(0)
        if self._backend is None:
            raise FrameDropped(BACKEND_FAILED, "no backend works; it is tried again every few seconds")
        return self._backend

    def _start(self, first: int) -> None:
        self._frames_since_start = 0
        self._tell_kept = True
        try:
            self._index, self._backend = self._open(first)
            log.warning("going on with the backend %s", self._backend.name)
        except UserError:
            self._retry_at = self._clock() + RETRY_S
