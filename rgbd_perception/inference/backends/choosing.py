"""Which backend runs a model: the one that was asked for, or the fastest that can."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from rgbd_perception.errors import UserError
from rgbd_perception.inference.backends.base import Backend, BackendRequest, Unavailable

AUTO = "auto"


class Chosen(NamedTuple):
    """A backend, and one line that says why this one."""

    backend: Backend
    reason: str


def _onnxruntime(request: BackendRequest) -> Backend:
    from rgbd_perception.inference.backends.onnx_runtime import create

    return create(request)


def _torch(request: BackendRequest) -> Backend:
    from rgbd_perception.inference.backends.pytorch import create

    return create(request)


BACKENDS: Mapping[str, Callable[[BackendRequest], Backend]] = {"onnxruntime": _onnxruntime, "torch": _torch}
"""By name, the fastest first. Each raises Unavailable where it cannot run a model on this machine."""


def choose_backend(name: str, request: BackendRequest) -> Chosen:
    """The backend ``name`` for a model; "auto": the first of BACKENDS that can.

    Raises UserError where there is none, with the reason of each.
    """
    if name != AUTO:
        if name not in BACKENDS:
            raise UserError(f"expected the backend {AUTO}, {' or '.join(BACKENDS)}, got {name!r}")
        return Chosen(BACKENDS[name](request), f"{name}: as asked for")
    skipped: list[str] = []
    for candidate, create in BACKENDS.items():
        try:
            backend = create(request)
        except Unavailable as error:
            skipped.append(f"not {candidate}: {error}")
        else:
            return Chosen(backend, "; ".join((candidate, *skipped)))
    raise UserError(f"nothing can run {request.model} here: {'; '.join(skipped)}")
