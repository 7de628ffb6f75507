"""A long replay without ROS: saved between frames, killed at any time, resumed to the same map."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import threading
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

from rgbd_perception.cli.main import main
from rgbd_perception.errors import UserError
from rgbd_perception.mapping import MapConfig, VoxelMap
from rgbd_perception.mapping.autosave import Autosave
from rgbd_perception.mapping.progress import note_progress, read_progress
from test.mapping.scenes import INTRINSICS, NAMES, ROOM, VOCABULARY, looking_along, observe, render

FRAMES = 8


def _folder(path: Path) -> Path:
    """A recording with label images; one of its frames cannot be read."""
    path.mkdir()
    np.savetxt(path / "camera-intrinsics.txt", INTRINSICS.matrix)
    for index in range(FRAMES):
        frame, labels = render(ROOM, looking_along(0.1 * index))
        name = str(path / f"frame-{index:06d}")
        cv2.imwrite(f"{name}.color.png", frame.color[..., ::-1])
        cv2.imwrite(f"{name}.depth.png", np.rint(frame.depth * 1000).astype(np.uint16))
        cv2.imwrite(f"{name}.label.png", labels)
        cv2.imwrite(f"{name}.instance.png", np.where(labels == 65535, 0, labels + 1).astype(np.uint16))
        np.savetxt(f"{name}.pose.txt", frame.pose)
    (path / "frame-000002.depth.png").write_bytes(b"no image")
    (path / "frame-000004.label.png").unlink()
    (path / "objects.json").write_text(
        json.dumps({"label_names": list(NAMES), "objects": [], "queries": [], "absent": [], "up": "z"})
    )
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _folder(tmp_path_factory.mktemp("recording") / "room")


def _map(folder: Path, out: Path, *options: str) -> dict:
    report = out.with_suffix(".json")
    arguments = ["map", str(folder), "--labels", "truth", "--up", "z", "--out", str(out), *options]
    assert main([*arguments, "--json", str(report)]) == 0
    return json.loads(report.read_text())


def _columns(path: Path) -> dict[str, np.ndarray]:
    store = VoxelMap.load(path)._layers.store
    rows = store.live_rows()
    rows = rows[np.argsort(store.key[rows])]
    return {name: column[rows] for name, column in store.columns.items()}


@pytest.mark.parametrize("first", [1, 3, 5, FRAMES])
def test_a_resumed_map_is_the_same_map(folder, tmp_path, first):
    whole, part = tmp_path / "whole.rgbdmap", tmp_path / "part.rgbdmap"
    expected = _map(folder, whole)
    _map(folder, part, "--frames", str(first))
    report = _map(folder, part, "--resume")
    # With --frames 3 the unreadable frame 2 is the last one: it is looked at once more.
    assert report["frames_resumed"] == (2 if first == 3 else first)
    for key in ("frames_in", "frames_processed", "drops", "voxels"):
        assert report[key] == expected[key]
    before, after = _columns(whole), _columns(part)
    assert before.keys() == after.keys()
    assert all(np.array_equal(before[name], after[name]) for name in before)


def test_without_a_file_resuming_begins(folder, tmp_path):
    report = _map(folder, tmp_path / "new.rgbdmap", "--resume", "--autosave", "0.001")
    assert report["frames_resumed"] == 0
    assert report["frames_in"] == FRAMES


def test_other_options_are_not_resumed(folder, tmp_path, capsys):
    out = tmp_path / "part.rgbdmap"
    _map(folder, out, "--frames", "2")
    before = out.read_bytes()
    again = ["map", str(folder), "--labels", "truth", "--up", "z", "--out", str(out), "--resume"]
    assert main([*again, "--voxel-size", "0.1"]) == 2
    error = capsys.readouterr().err
    assert "voxel_size 0.05 instead of 0.1" in error
    assert error.count("\n") == 1
    assert out.read_bytes() == before


def _observed() -> VoxelMap:
    voxel_map = VoxelMap(MapConfig(max_voxels=20_000))
    voxel_map.set_vocabulary(VOCABULARY)
    voxel_map.integrate(*observe(ROOM, looking_along(0.0), 0, with_embedding=False))
    return voxel_map


def test_a_map_of_somebody_else_has_no_progress(tmp_path):
    voxel_map = _observed()
    with pytest.raises(UserError, match="cannot be resumed"):
        read_progress(voxel_map, {}, tmp_path / "m.rgbdmap")
    note_progress(voxel_map, {"source": "a"}, 3, {"depth_empty": 1})
    assert read_progress(voxel_map, {"source": "a"}, tmp_path / "m.rgbdmap") == (3, {"depth_empty": 1})


def test_a_slow_disk_makes_saves_rarer(tmp_path, monkeypatch):
    """While one is being written none is begun; what is written is the map when it was begun."""
    voxel_map, path = _observed(), tmp_path / "m.rgbdmap"
    goes_on = threading.Event()
    monkeypatch.setattr(os, "fsync", lambda handle: goes_on.wait(60))
    autosave = Autosave(voxel_map, path, 1e-9, pytest.fail)
    voxels = len(voxel_map)
    assert autosave.between_frames()
    voxel_map.integrate(*observe(ROOM, looking_along(0.5), 1, with_embedding=False))
    assert len(voxel_map) > voxels
    assert not autosave.between_frames()
    goes_on.set()
    autosave.wait()
    assert len(VoxelMap.load(path)) == voxels
    assert autosave.between_frames()
    autosave.wait()
    assert len(VoxelMap.load(path)) == len(voxel_map)


def test_a_save_that_fails_is_said_and_the_next_one_tries_again(tmp_path):
    problems: list[str] = []
    autosave = Autosave(_observed(), tmp_path / "missing" / "m.rgbdmap", 1e-9, problems.append)
    for _ in range(2):
        assert autosave.between_frames()
        autosave.wait()
    assert len(problems) == 2
    assert all("autosave failed" in problem and "\n" not in problem for problem in problems)


def observe_forever(path: Path) -> None:
    """Map and save without end (in a process that will be killed); frame n has stamp n ms."""
    voxel_map = _observed()
    autosave = Autosave(voxel_map, path, 1e-9, print)
    frame, prediction = observe(ROOM, looking_along(0.0), with_embedding=False)
    for stamp in range(1, 10**9):
        voxel_map.integrate(type(frame)(**{**vars(frame), "stamp_ns": stamp * 1_000_000}), prediction)
        note_progress(voxel_map, {}, stamp + 1, {})
        autosave.between_frames()


@pytest.mark.parametrize("kills", [10, pytest.param(100, marks=pytest.mark.slow)])
def test_kill_at_any_time_leaves_a_whole_map_of_one_instant(tmp_path, repository, kills):
    """The newest stamp in the voxels and the progress in the metadata are those of the same frame."""
    path, chance = tmp_path / "m.rgbdmap", random.Random(kills)
    starter = subprocess.Popen(
        [sys.executable, "-c", _STARTER, str(path)], cwd=repository, stdin=subprocess.PIPE,
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    seen = set()
    try:
        for _ in range(kills):
            path.unlink(missing_ok=True)
            starter.stdin.write("start\n")
            starter.stdin.flush()
            child = int(starter.stdout.readline())
            end = time.monotonic() + 60
            while not path.is_file():
                assert time.monotonic() < end, "no autosave came"
                time.sleep(0.001)
            time.sleep(chance.uniform(0, 0.05))
            starter.stdin.write(f"{child}\n")
            starter.stdin.flush()
            assert starter.stdout.readline() == "killed\n"
            loaded = VoxelMap.load(path)
            newest = int(loaded.voxels().last_seen.max()) // 1_000_000
            seen.add(newest)
            assert loaded.notes["progress"]["next_index"] == newest + 1
            _observed().save(path)  # the next writer clears away what the killed one left
            assert [item.name for item in tmp_path.iterdir()] == [path.name]
    finally:
        starter.stdin.close()
        starter.wait(60)
    assert len(seen) > 1, "every kill came at the same moment"


_STARTER = """
import os, signal, sys
from pathlib import Path
from rgbd_perception.mapping import warm_up
from test.mapping.test_autosave import observe_forever
warm_up()
for line in sys.stdin:  # forks of a warm process: imports and kernels would take seconds each time
    if line.strip() == "start":
        child = os.fork()
        if child == 0:
            observe_forever(Path(sys.argv[1]))
        print(child, flush=True)
    else:
        os.kill(int(line), signal.SIGKILL)
        os.waitpid(int(line), 0)
        print("killed", flush=True)
"""
