"""Which backend runs a model: the one that was asked for, or the fastest that can."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import NamedTuple

from rgbd_perception.errors import UserError
from rgbd_perception.inference.backends.base import Backend, BackendRequest, Unavailable
from rgbd_perception.inference.backends.failover import Failover

AUTO = "auto"


class Chosen(NamedTuple):
    """A backend, and one line that says why this one."""

    backend: Backend
    reason: str


def _tensorrt(request: BackendRequest) -> Backend:
    from rgbd_perception.inference.backends.tensorrt import create

    return create(request)


def _openvino(request: BackendRequest) -> Backend:
    from rgbd_perception.inference.backends.openvino import create

    return create(request)


def _onnxruntime(request: BackendRequest) -> Backend:
    from rgbd_perception.inference.backends.onnx_runtime import create

    return create(request)


def _torch(request: BackendRequest) -> Backend:
    from rgbd_perception.inference.backends.pytorch import create

    return create(request)


BACKENDS: Mapping[str, Callable[[BackendRequest], Backend]] = {
    "tensorrt": _tensorrt,
    "openvino": _openvino,
    "onnxruntime": _onnxruntime,
    "torch": _torch,
}
"""By name, the fastest first. Each raises Unavailable where it cannot run a model on this machine."""


def choose_backend(name: str, request: BackendRequest) -> Chosen:
    """The backend ``name`` for a model; "auto": the first of BACKENDS that can, the others behind it.

    One that dies while it runs is started anew, see ``Failover``. Raises UserError where there is none, with
    the reason of each.
    """
    if name != AUTO and name not in BACKENDS:
        raise UserError(f"expected a backend of {', '.join((AUTO, *BACKENDS))}, got {name!r}")
    openers = [functools.partial(create, request) for key, create in BACKENDS.items() if name in (AUTO, key)]
    if name != AUTO:
        return Chosen(Failover(openers[0](), openers), f"{name}: as asked for")
    skipped: list[str] = []
    for index, candidate in enumerate(BACKENDS):
        try:
            backend = openers[index]()
        except Unavailable as error:
            skipped.append(f"not {candidate}: {error}")
        else:
            return Chosen(Failover(backend, openers[index:]), "; ".join((candidate, *skipped)))
    raise UserError(f"nothing can run {request.model} here: {'; '.join(skipped)}")
