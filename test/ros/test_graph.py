"""The whole graph in real processes over Fast DDS: replay, perception, mapping and a client that asks."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest
import yaml

from rgbd_perception.errors import UserError
from rgbd_perception.mapping import VoxelMap
from rgbd_perception.ros import graph as graph_module
from rgbd_perception.ros.demo import DemoPlan, Query, run_demo
from rgbd_perception.ros.graph import Graph, GraphPlan, write_parameters
from test.ros.tiny_room import write_room
from test.ros.weights import write_random_weights

FRAMES = 40


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    return write_random_weights(tmp_path_factory.mktemp("weights") / "random.safetensors")


@pytest.fixture(scope="module")
def room(tmp_path_factory):
    return write_room(tmp_path_factory.mktemp("room") / "room", FRAMES)


def test_three_processes_make_a_map_and_no_frame_is_lost(weights, room, tmp_path):
    """The container is run by the test of the command line."""
    plan = DemoPlan(
        replay={"source": str(room), "fps": 15.0, "prefetch": FRAMES},
        map_file=tmp_path / "map.rgbdmap",
        queries=(Query("a chair"), Query("a table", negatives=("a chair",)), Query("   ")),
        model=str(weights),
        processes=True,
    )
    shown = []
    result = run_demo(plan, say=print, show=lambda *stage_and_frames: shown.append(stage_and_frames))
    report = result.to_json([[1, 0, 0, 0]])

    assert set(result.exit_statuses.values()) == {0}
    assert report["frames_in"] == FRAMES == max(frames for stage, frames in shown if stage == "playing")
    assert shown == sorted(shown, key=lambda entry: (entry[0] == "playing", entry[1]))
    assert report["frames_processed"] >= 1  # on a busy machine the others are superseded, and counted
    assert report["frames_in"] == report["frames_processed"] + sum(report["drops"].values())
    assert set(report["drops"]) <= {"superseded", "transport_lost"}, (
        "nothing but lack of time may drop a frame"
    )
    assert {"perception/predict", "mapping/integrate"} <= report["latency_ms"].keys()
    assert report["latency_ms"]["mapping/integrate"].keys() == {"p50", "p95"}
    assert len(VoxelMap.load(plan.map_file)) == report["voxels"] > 500
    assert [query["text"] for query in report["queries"]] == ["a chair", "a table", "   "]
    assert report["queries"][1]["negatives"] == ["a chair"]
    assert "empty one" in report["queries"][2]["message"]


def test_process_that_fails_is_noticed_at_once(capfd):
    plan = GraphPlan({"mapping": {"pose_source": "gps"}}, processes=True)
    with Graph(plan) as graph, pytest.raises(UserError, match=r"'mapping' ended too early \(exit status 2\)"):
        while True:
            graph.check()
    assert "one of tf, pose, odometry), got 'gps'" in capfd.readouterr().err


class StubbornPlan(GraphPlan):
    """A child that ignores the polite signals."""

    def commands(self, parameter_file):
        script = (
            "import signal, time; [signal.signal(s, signal.SIG_IGN) for s in (2, 15)]\n"
            "print('ready', flush=True); time.sleep(60)"
        )
        return {"stubborn": [sys.executable, "-c", script]}


def test_child_that_does_not_listen_is_killed(monkeypatch, capfd):
    monkeypatch.setattr(
        graph_module, "GRACE_S", {signal.SIGINT: 0.3, signal.SIGTERM: 0.3, signal.SIGKILL: 5.0}
    )
    graph = Graph(StubbornPlan({}))
    with graph:
        output = ""
        while "ready" not in output:
            output += capfd.readouterr().err
        pid = graph.pids["stubborn"]
        assert graph.stop() == {"stubborn": -signal.SIGKILL}
    assert "does not end: sending SIGKILL" in capfd.readouterr().err
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_children_do_not_outlive_a_killed_parent(tmp_path):
    """kill -9 of the demo gives it no chance to end its nodes: the system does."""
    script = (
        "import sys, time; from rgbd_perception.ros.graph import Graph, GraphPlan\n"
        "with Graph(GraphPlan({'mapping': {'pose_source': 'pose'}}, processes=True)) as graph:\n"
        "    print(graph.pids['mapping'], flush=True); time.sleep(60)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    child = int(parent.stdout.readline())
    descriptor = os.pidfd_open(child)
    parent.kill()
    parent.wait()
    assert wait_for_end(descriptor, 30), "the node runs on without its parent"


def wait_for_end(descriptor, timeout_s):
    """Whether the process of a pidfd ends in time."""
    import select

    return bool(select.select([descriptor], [], [], timeout_s)[0])


def test_parameter_file_is_what_ros_reads(tmp_path):
    path = tmp_path / "parameters.yaml"
    write_parameters(
        path, {"mapping": {"voxel_size": 0.1, "stuff_classes": ("wall",), "map_file": tmp_path}, "replay": {}}
    )
    assert yaml.safe_load(path.read_text()) == {
        "mapping": {
            "ros__parameters": {"voxel_size": 0.1, "stuff_classes": ["wall"], "map_file": str(tmp_path)}
        }
    }
