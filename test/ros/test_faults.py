"""Signals at any time: the process ends with status 0, and what was mapped is in the file."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from diagnostic_msgs.msg import DiagnosticArray

from rgbd_perception.mapping import VoxelMap
from rgbd_perception.ros.diagnostics import counts_of
from rgbd_perception.ros.graph import GraphPlan, write_parameters
from rgbd_perception.ros.qos import DIAGNOSTICS
from test.ros.spinning import spinner
from test.ros.tiny_room import write_room
from test.ros.weights import write_random_weights

PATIENCE_S = 180.0
"""For machines with much else to do."""


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    return write_random_weights(tmp_path_factory.mktemp("weights") / "random.safetensors")


@pytest.fixture(scope="module")
def room(tmp_path_factory):
    return write_room(tmp_path_factory.mktemp("room") / "room", 20)


@pytest.fixture
def start_container(weights, room, tmp_path):
    """Starts a container with all three nodes that plays in a loop and saves every ``autosave_s`` seconds."""
    started = []

    def start(autosave_s=3600.0):
        parameters = {
            "replay": {"source": str(room), "loop": True},
            "perception": {"model": str(weights)},
            "mapping": {
                "pose_source": "pose",
                "autosave": True,
                "map_file": map_file(tmp_path),
                "autosave_interval": autosave_s,
                "voxel_size": 0.1,
                "preload_text_encoder": False,
            },
        }
        path = tmp_path / "parameters.yaml"
        write_parameters(path, parameters)
        (command,) = GraphPlan(parameters).commands(path).values()
        with (tmp_path / "log.txt").open("w") as log:
            started.append(subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()


def map_file(folder):
    return folder / "map.rgbdmap"


def wait_until(condition, what):
    end = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < end, f"waited {PATIENCE_S} s for {what}"
        time.sleep(0.01)


def check_log(folder):
    """A node that cannot work says so in the log: waiting for it is pointless."""
    log = (folder / "log.txt").read_text()
    assert "[ERROR]" not in log, log


def wait_for_autosave(folder):
    """Until the map file is there."""

    def saved():
        check_log(folder)
        return map_file(folder).is_file()

    wait_until(saved, "the first autosave")


def wait_for_frames(folder, count):
    """Until the mapping node reports ``count`` frames in the map."""
    statuses = []
    with spinner() as served:
        listener = served.node("listener")
        listener.create_subscription(
            DiagnosticArray, "/diagnostics", lambda message: statuses.extend(message.status), DIAGNOSTICS
        )

        def mapped():
            check_log(folder)
            return any(s.name == "mapping" and counts_of(s).frames_processed >= count for s in statuses)

        served.until(mapped, PATIENCE_S, f"{count} frames in the map")


def has_started(process):
    """Whether our code has begun. (Before, SIGINT makes Python write a trace: look for SIGTERM.)"""
    status = Path(f"/proc/{process.pid}/status").read_text()
    mask = int(status.split("SigCgt:")[1].split()[0], 16)
    return bool(mask >> (signal.SIGTERM - 1) & 1)


def end(process, number, folder):
    """Send a signal; the exit status must be 0 and the log without a trace."""
    process.send_signal(number)
    status = process.wait(PATIENCE_S)
    log = (folder / "log.txt").read_text()
    assert status == 0, log
    assert "Traceback" not in log


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("moment", [0, 1, 2])
def test_signal_while_starting(number, moment, start_container, tmp_path):
    """In the first moments, among the imports, while the network is being loaded."""
    container = start_container()
    wait_until(lambda: has_started(container), "the first handler")
    time.sleep(moment * random.Random(number * 10 + moment).uniform(0.5, 1.5))
    end(container, number, tmp_path)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal_while_mapping_saves_the_map(number, start_container, tmp_path):
    container = start_container()
    wait_for_frames(tmp_path, 5)
    time.sleep(random.Random(number).uniform(0, 0.5))
    end(container, number, tmp_path)
    assert len(VoxelMap.load(map_file(tmp_path))) > 100
    assert {item.name for item in tmp_path.iterdir()} == {"map.rgbdmap", "parameters.yaml", "log.txt"}


def test_second_signal_does_not_spoil_the_saving(start_container, tmp_path):
    """`ros2 launch` repeats SIGINT, and a terminal sends it to everybody."""
    container = start_container()
    wait_for_frames(tmp_path, 5)
    container.send_signal(signal.SIGINT)
    time.sleep(0.05)
    end(container, signal.SIGINT, tmp_path)
    assert len(VoxelMap.load(map_file(tmp_path))) > 100


def test_kill_leaves_a_whole_map(start_container, tmp_path):
    container = start_container(autosave_s=1.0)
    wait_for_autosave(tmp_path)
    time.sleep(random.Random(9).uniform(0.5, 1.5))
    container.kill()
    container.wait()
    assert len(VoxelMap.load(map_file(tmp_path))) > 100


def test_python_is_the_one_of_the_tests(tmp_path):
    """The commands of a plan run in this environment, not in whatever `python3` is."""
    commands = GraphPlan({"replay": {}, "mapping": {}}, processes=True).commands(tmp_path)
    assert list(commands) == ["replay", "mapping"]
    assert all(command[0] == sys.executable for command in commands.values())
