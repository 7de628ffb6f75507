"""Starting the processes of a graph, watching them, and ending them without leaving one behind."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

import yaml

from rgbd_perception.errors import UserError

NODES = ("replay", "perception", "mapping")
"""The nodes of the demo's graph."""

GRACE_S = {signal.SIGINT: 20.0, signal.SIGTERM: 5.0, signal.SIGKILL: 5.0}
"""Seconds that a process gets to react to each signal, in the order in which they are sent.

After SIGINT there is time for what a node may be in the middle of: loading a network, saving a map.
"""

REMAPPINGS = ("mapping:frame:=perception/frame", "mapping:labels:=perception/labels")
"""How the nodes are connected where their names are those of NODES."""

_PR_SET_PDEATHSIG = 1
_STDERR = 2


@dataclass(frozen=True)
class GraphPlan:
    """What to run.

    parameters    node name -> parameter name -> value
    processes     one process for each node, instead of one container process for all
    environment   variables added to those of this process
    """

    parameters: Mapping[str, Mapping[str, object]]
    processes: bool = False
    environment: Mapping[str, str] = field(default_factory=dict)

    def commands(self, parameter_file: Path) -> dict[str, list[str]]:
        """Name -> command line of every process."""
        ros_args = ["--ros-args", "--params-file", str(parameter_file)]
        for rule in REMAPPINGS:
            ros_args += ["-r", rule]
        nodes = [name for name in NODES if name in self.parameters]
        groups = {name: [name] for name in nodes} if self.processes else {"container": nodes}
        start = [sys.executable, "-m", "rgbd_perception.ros.container", "--nodes"]
        return {name: [*start, *members, *ros_args] for name, members in groups.items()}


class Graph:
    """The running processes of a plan, as a context manager: leaving it ends them all.

    Their output goes to standard error, because standard output may be kept for JSON.
    """

    def __init__(self, plan: GraphPlan) -> None:
        self._plan = plan
        self._children: dict[str, subprocess.Popen[bytes]] = {}
        self._folder = tempfile.TemporaryDirectory(prefix="rgbd_perception_")

    def __enter__(self) -> Graph:
        parameter_file = Path(self._folder.name) / "parameters.yaml"
        write_parameters(parameter_file, self._plan.parameters)
        environment = {**os.environ, **self._plan.environment}
        for name, command in self._plan.commands(parameter_file).items():
            self._children[name] = subprocess.Popen(
                command,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=_STDERR,
                # Ctrl-C in the terminal reaches only us; we end the children in order.
                start_new_session=True,
                preexec_fn=_die_with_parent,
            )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def pids(self) -> dict[str, int]:
        """Name -> process id of every child, ended ones included."""
        return {name: child.pid for name, child in self._children.items()}

    def check(self) -> None:
        """Raise UserError if a process has ended although nobody asked it to."""
        for name, child in self._children.items():
            status = child.poll()
            if status is not None:
                raise UserError(
                    f"the process '{name}' ended too early ({_describe(status)}); its last lines say why"
                )

    def stop(self) -> dict[str, int]:
        """End all processes: SIGINT, then SIGTERM, then SIGKILL. Returns name -> exit status (0: cleanly)."""
        for number, grace_s in GRACE_S.items():
            running = [(name, child) for name, child in self._children.items() if child.poll() is None]
            for name, child in running:
                if number != signal.SIGINT:
                    print(f"{name} (pid {child.pid}) does not end: sending {number.name}", file=sys.stderr)
                child.send_signal(number)
            if _wait([child for _, child in running], grace_s):
                break
        self._folder.cleanup()
        return {name: child.wait() for name, child in self._children.items()}


def write_parameters(path: Path, parameters: Mapping[str, Mapping[str, object]]) -> None:
    """Write a ROS parameter file for nodes of these names without a namespace."""
    content = {
        node: {"ros__parameters": {name: _plain(value) for name, value in values.items()}}
        for node, values in parameters.items()
        if values
    }
    path.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")


def _plain(value: object) -> object:
    """``value`` in the types that YAML and ROS parameters have."""
    if isinstance(value, tuple):
        return list(value)
    return str(value) if isinstance(value, Path) else value


def _wait(children: Sequence[subprocess.Popen[bytes]], timeout_s: float) -> bool:
    end = time.monotonic() + timeout_s
    for child in children:
        try:
            child.wait(max(0.0, end - time.monotonic()))
        except subprocess.TimeoutExpired:
            return False
    return True


def _describe(status: int) -> str:
    return f"signal {signal.Signals(-status).name}" if status < 0 else f"exit status {status}"


def _die_with_parent() -> None:
    """Ask Linux to end this process when its parent is killed: a demo must not leave nodes running."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
