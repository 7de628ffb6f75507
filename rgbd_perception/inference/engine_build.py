"""From an ONNX file to the bytes of a TensorRT engine. The types of the graph are those of the engine."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from rgbd_perception.errors import UserError
from rgbd_perception.inference.tensorrt_api import TensorRt

OnProgress = Callable[[float, str], None]
"""Told the share that is done (0..1, never falling) and the name of the phase; called from other threads."""


class BuiltEngine(NamedTuple):
    """An engine in memory, and the seconds that TensorRT took."""

    data: bytes
    seconds: float


class BuildCancelled(UserError):
    """Whoever asked for the engine does not want it any more."""


def build_engine(
    api: TensorRt,
    onnx_file: Path,
    targets: Sequence[str] = (),
    on_progress: OnProgress | None = None,
    cancel: threading.Event | None = None,
) -> BuiltEngine:
    """Build the engine of ``onnx_file``.

    targets      GPUs that are not here, such as "sm86"; none: the GPU of this machine. TensorRT for RTX then
                 builds, with or without a GPU, for all from Ampere on
    on_progress  see there; stays silent where this TensorRT does not tell (8.6)
    cancel       set by another thread, it ends the build with BuildCancelled

    Raises UserError where TensorRT refuses the graph, the targets or the machine.
    """
    check_targets(api, targets)
    builder = api.builder()
    network = api.network(builder)
    parser = api.parser(network)
    _parse(api, parser, onnx_file)
    listener = _Progress(on_progress, cancel)
    config = api.config(builder, network, targets, listener)
    started = time.monotonic()
    with api.errors() as errors:
        data = builder.build_serialized_network(network, config)
    if cancel is not None and cancel.is_set():
        raise BuildCancelled("the build of the engine was stopped")
    if data is None:
        reason = _one_line(errors[-1]) if errors else "it gave no reason"
        raise UserError(f"{api} cannot build an engine of {onnx_file}: {reason}")
    return BuiltEngine(bytes(memoryview(data)), time.monotonic() - started)


def check_targets(api: TensorRt, targets: Sequence[str]) -> None:
    """Raise UserError unless ``api`` builds for these GPUs."""
    unknown = [target for target in targets if target not in api.targets]
    if not unknown:
        return
    known = f"knows {', '.join(api.targets)}" if api.targets else "builds for the GPU of this machine only"
    orin = " (on a Jetson Orin, sm87, build without a target)" if "sm87" in unknown else ""
    raise UserError(f"cannot build for {', '.join(unknown)}: {api} {known}{orin}")


def _parse(api: TensorRt, parser: Any, onnx_file: Path) -> None:
    if not onnx_file.is_file():
        raise UserError(f"expected an ONNX file, {onnx_file} does not exist")
    with api.errors():
        understood = parser.parse_from_file(str(onnx_file))
    if understood:
        return
    problems = [_describe(parser.get_error(index)) for index in range(parser.num_errors)]
    first = problems[0] if problems else "no reason given"
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    raise UserError(f"{api} does not take {onnx_file}: {first}{more}")


def _describe(error: Any) -> str:
    """One line with operator, name and reason. TensorRT 8.6 knows the index of the node only."""
    operator = error.node_operator() if hasattr(error, "node_operator") else ""
    name = error.node_name() if hasattr(error, "node_name") else ""
    reason = _one_line(error.desc())
    if name or operator:
        return f"operator {operator or '?'} of node '{name}': {reason}"
    return f"node {error.node()}: {reason}" if error.node() >= 0 else reason


def _one_line(text: str) -> str:
    return " ".join(text.split())


class _Phase:
    """Something that goes on: how many of its steps are done, and in which phase it belongs."""

    def __init__(self, parent: str | None, steps: int) -> None:
        self.parent = parent
        self.steps = max(1, steps)
        self.done = 0


class _Progress:
    """From nested phases to one share that never falls. Thread-safe."""

    def __init__(self, on_progress: OnProgress | None, cancel: threading.Event | None) -> None:
        self._on_progress = on_progress
        self._cancel = cancel
        self._lock = threading.Lock()
        self._phases: dict[str, _Phase] = {}
        self._share = 0.0

    def phase_start(self, name: str, parent: str | None, steps: int) -> None:
        """See PhaseListener."""
        with self._lock:
            self._phases[name] = _Phase(parent, steps)
        self._tell(name)

    def step_complete(self, name: str, step: int) -> bool:
        """See PhaseListener."""
        with self._lock:
            if (phase := self._phases.get(name)) is not None:
                phase.done = min(phase.steps, max(phase.done, step + 1))
        self._tell(name)
        return self._cancel is None or not self._cancel.is_set()

    def phase_finish(self, name: str) -> None:
        """See PhaseListener."""
        with self._lock:
            phase = self._phases.pop(name, None)
            if phase is not None and phase.parent is None:
                self._share = 1.0
        self._tell(name)

    def _tell(self, name: str) -> None:
        if self._on_progress is None:
            return
        with self._lock:
            self._share = share = max(self._share, self._share_of_root(name))
        self._on_progress(share, name)

    def _share_of_root(self, name: str) -> float:
        """What the innermost phase ``name`` and those around it have done of the whole."""
        share = 0.0
        phase = self._phases.get(name)
        for _ in range(len(self._phases)):  # parents are names: a circle must not hang the build
            if phase is None:
                break
            share = min(1.0, (phase.done + share) / phase.steps)
            if phase.parent is None:
                return share
            phase = self._phases.get(phase.parent)
        return 0.0  # an end is missing: nothing is known about the whole
