"""The command `demo`: what it refuses, what it passes on, and a whole run in one container."""

from __future__ import annotations

import argparse
import json
import signal
import subprocess
import sys
from dataclasses import fields, replace

import numpy as np
import pytest

from rgbd_perception.cli import demo
from rgbd_perception.cli.main import main
from rgbd_perception.mapping import VoxelMap
from rgbd_perception.ros.replay_node import ReplayParameters, _options
from rgbd_perception.sources import SourceOptions, open_source
from test.ros.tiny_room import camera_pose, write_room
from test.ros.weights import write_random_weights

FRAMES = 40
KEYS = {
    "frames_in", "frames_processed", "drops", "fps", "latency_ms", "voxels", "bytes_per_voxel", "map_bytes",
    "queries", "map_from_source",
}  # fmt: skip


@pytest.fixture(scope="module")
def room(tmp_path_factory):
    """The tiny room in a world whose y axis points down, as SLAM systems have it."""
    folder = write_room(tmp_path_factory.mktemp("room") / "room", FRAMES)
    for path in folder.glob("*.pose.txt"):
        np.savetxt(path, np.linalg.inv(camera_pose(0.0)) @ np.loadtxt(path))
    return folder


def command(*arguments):
    return [sys.executable, "-m", "rgbd_perception.cli.main", "demo", *map(str, arguments)]


def test_whole_run_in_one_container(room, tmp_path):
    weights = write_random_weights(tmp_path / "random.safetensors")
    out = tmp_path / "out"
    arguments = ("--source", room, "--out", out, "--model", weights, "--up=-y", "--json", "-")
    run = subprocess.run(
        command(*arguments, "--query", "a chair"), capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
    report = json.loads(run.stdout)
    assert report.keys() == KEYS
    assert report["frames_in"] == FRAMES == report["frames_processed"] + sum(report["drops"].values())
    assert [query["text"] for query in report["queries"]] == ["a chair"]
    assert "frames    40 in" in run.stderr
    assert (out / "demo.png").stat().st_size > 10_000

    turned = np.array(report["map_from_source"])
    np.testing.assert_allclose(turned @ [0, -1, 0, 1], [0, 0, 1, 1], atol=1e-9)
    saved = VoxelMap.load(out / "map.rgbdmap")
    np.testing.assert_array_equal(saved.map_from_source, turned)
    assert len(saved) == report["voxels"] > 500
    height = np.ptp(saved.voxels().centers[:, 2])
    assert height < 2.7, "walls of a room 2.5 m high do not stand upright in the map"


def test_terminated_demo_leaves_no_process(room, tmp_path):
    """`timeout` and process managers send SIGTERM to the command only: it must take its nodes along."""
    weights = write_random_weights(tmp_path / "random.safetensors")
    process = subprocess.Popen(
        command("--source", room, "--out", tmp_path, "--model", weights), stderr=subprocess.PIPE, text=True
    )
    while "starting the graph" not in process.stderr.readline():
        assert process.poll() is None
    process.send_signal(signal.SIGTERM)
    # The nodes write to the same pipe: it ends only when all of them have.
    process.stderr.read()
    assert process.wait(60) == 130


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--source", "nowhere"], "'nowhere' does not exist"),
        (["--frames", "-1"], "not to be negative"),
        (["--query", "a chair", " "], "expected texts with at least one letter behind --query"),
        (["--fps", "nan"], "not to be negative"),
        (["--rate", "0"], "--rate as a positive number"),
    ],
)
def test_bad_input_is_one_line_and_status_2(arguments, message, tmp_path, capsys):
    assert main(["demo", "--out", str(tmp_path), *arguments]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line


def test_variables_that_would_end_every_node_are_refused(room, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("ROS_DOMAIN_ID", "300")
    assert main(["demo", "--source", str(room), "--out", str(tmp_path)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "expected ROS_DOMAIN_ID as a whole number from 0 to 232, got '300'" in line


def test_every_option_of_the_source_reaches_replay(room):
    """Options take the way over the parameters of the node and come out as they were given."""
    given = SourceOptions(
        intrinsics=(60.0, 61.0, 39.0, 29.0), max_depth=4.0, up="x", rate=5.0, depth_encoding="mm",
        color_topic="/c", depth_topic="/d", camera_info_topic="/i", pose_topic="/p", map_frame="world",
        camera_in_child=(1.0, 2.0, 3.0, 0.0, 0.0, 0.0, 1.0), slop=0.1, max_pose_gap=2.0,
    )  # fmt: skip
    unchanged = [f.name for f in fields(SourceOptions) if getattr(given, f.name) == f.default]
    assert not unchanged, "this test must give every option another value than its default"
    parser = argparse.ArgumentParser()
    demo.add_arguments(parser)
    values = demo._replay_parameters(
        parser.parse_args(["--source", str(room)]), given, open_source(str(room))
    )
    passed = {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}
    assert _options(replace(ReplayParameters(), **passed)) == given


def test_table_shows_ranks_and_reasons(capsys):
    answer = {"label": "sofa", "position": [1.0, 2.0, 0.4], "size": [2.0, 0.9, 0.8], "score": 0.91}
    report = {
        "frames_in": 10, "frames_processed": 8, "drops": {"superseded": 2}, "fps": None, "voxels": 5,
        "map_bytes": 500, "bytes_per_voxel": 100.0,
        "queries": [
            {"text": "a couch", "message": "", "answers": [answer, answer]},
            {"text": "a seat", "message": "nothing found", "answers": [], "negatives": ["sofa"]},
        ],
    }  # fmt: skip
    demo.print_report(report)
    lines = capsys.readouterr().out.splitlines()
    assert "10 in, 8 processed, dropped: 2 superseded" in lines[0]
    couch = next(index for index, line in enumerate(lines) if line.startswith("a couch"))
    assert "1  sofa" in lines[couch]
    assert "2  sofa" in lines[couch + 1]
    assert lines[couch + 2].startswith("a seat (not sofa)")
    assert lines[couch + 2].endswith("nothing found")
