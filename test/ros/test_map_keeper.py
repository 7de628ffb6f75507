"""What is saved when: the file of the autosave, other files, files being written while frames come."""

from __future__ import annotations

import os
import threading

import numpy as np
import pytest

from rgbd_perception.errors import UserError
from rgbd_perception.mapping import MapConfig, VoxelMap
from rgbd_perception.ros.map_keeper import MapKeeper
from rgbd_perception.vocabulary import Vocabulary
from test.ros.mapping_rig import NAMES, Rig, predict
from test.ros.spinning import spinner
from test.ros.tiny_room import room_frames

VOCABULARY = Vocabulary(NAMES)
CONFIG = MapConfig(voxel_size=0.1, max_voxels=50_000)
PATIENCE_S = 60.0


@pytest.fixture
def keeper():
    keeper = MapKeeper(CONFIG, "map")
    keeper.set_vocabulary(VOCABULARY)
    return keeper


def _fuse(keeper, frames):
    for frame in frames:
        keeper.integrate(frame, predict(frame, VOCABULARY))


def test_what_was_saved_elsewhere_is_not_saved_here(keeper, tmp_path):
    """A map saved to another file on request must not make the autosave think that its own is up to date."""
    ours, other = tmp_path / "auto.rgbdmap", tmp_path / "other.rgbdmap"
    assert keeper.is_saved(ours), "nothing was mapped: an old file must stay"
    _fuse(keeper, room_frames(2))
    assert not keeper.is_saved(ours)
    keeper.save(other)
    assert keeper.is_saved(other)
    assert not keeper.is_saved(ours)
    keeper.save(ours)
    assert keeper.is_saved(ours)
    keeper.load(other)
    assert not keeper.is_saved(ours), "another map is in memory now"
    keeper.save(ours)
    keeper.clear()
    assert not keeper.is_saved(ours), "a map that was cleared must not come back"


def test_a_save_that_failed_is_not_done(keeper, tmp_path):
    _fuse(keeper, room_frames(1))
    path = tmp_path / "missing" / "auto.rgbdmap"
    with pytest.raises(UserError, match="could not be written"):
        keeper.save(path)
    assert not keeper.is_saved(path)


def test_mapping_goes_on_while_a_file_is_written(keeper, tmp_path, monkeypatch):
    """The disk hangs in fsync: frames and queries must not notice, and the file has the map as it was."""
    frames = list(room_frames(12))
    _fuse(keeper, frames[:4])
    before = keeper.map.voxels()
    hangs, goes_on = threading.Event(), threading.Event()

    def slow_fsync(handle):
        hangs.set()
        assert goes_on.wait(PATIENCE_S)

    path = tmp_path / "auto.rgbdmap"
    monkeypatch.setattr(os, "fsync", slow_fsync)
    saving = threading.Thread(target=keeper.save, args=(path,))
    saving.start()
    try:
        assert hangs.wait(PATIENCE_S)
        mapping = threading.Thread(target=_fuse, args=(keeper, frames[4:]))
        mapping.start()
        mapping.join(PATIENCE_S)
        assert not mapping.is_alive(), "mapping waits for the disk"
        assert saving.is_alive()
        assert len(keeper.map) > len(before.centers)
    finally:
        goes_on.set()
        saving.join()
    assert not keeper.is_saved(path), "what came meanwhile is not in the file"
    saved = VoxelMap.load(path, CONFIG).voxels()
    np.testing.assert_array_equal(saved.centers, before.centers)
    np.testing.assert_array_equal(saved.weights, before.weights)


def test_the_node_goes_on_with_its_map_and_does_not_read_it_twice(tmp_path):
    path = tmp_path / "auto.rgbdmap"
    parameters = {"autosave": True, "map_file": str(path), "preload_text_encoder": False}
    with spinner() as served:
        rig = Rig(served, **parameters, autosave_interval=3600.0)
        rig.map_room(VOCABULARY, count=2)
        rig.stop()
        saved = len(VoxelMap.load(path))
        again = Rig(served, **parameters, autosave_interval=3600.0, load_on_start=True)
        assert len(again.node.keeper.map) == saved
        again.map_room(VOCABULARY, count=12)
        voxels = len(again.node.keeper.map)
        assert voxels > saved
        again.node.trigger_deactivate()
        again.node.trigger_cleanup()
        again.node.trigger_configure()
        assert len(again.node.keeper.map) == voxels, "an older map was read over the present one"


def test_an_autosave_that_will_replace_a_map_says_so(tmp_path, capfd):
    path = tmp_path / "auto.rgbdmap"
    VoxelMap(CONFIG, frame_id="map").save(path)
    before = path.read_bytes()
    with spinner() as served:
        Rig(served, autosave=True, map_file=str(path)).stop()
    assert "load_on_start:=true" in capfd.readouterr().err
    assert path.read_bytes() == before, "nothing was mapped"


def test_an_autosave_that_fails_is_an_error_in_diagnostics(tmp_path):
    folder = tmp_path / "maps"
    folder.mkdir()
    path = folder / "auto.rgbdmap"
    with spinner() as served:
        rig = Rig(
            served, autosave=True, map_file=str(path), autosave_interval=1.0, preload_text_encoder=False
        )
        served.until(lambda: rig.node._requests.is_warm, PATIENCE_S, "the compiler")
        folder.rmdir()
        rig.map_room(VOCABULARY, count=1)
        served.until(lambda: "autosave failed" in rig.node._state()[1], what="the error")
        folder.mkdir()
        served.until(path.is_file, what="the next autosave")
        served.until(lambda: rig.node._state()[1] == "running", what="the end of the error")
