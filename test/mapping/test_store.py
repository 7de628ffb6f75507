"""When voxels were last seen: over months, and by a clock that is set back."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from rgbd_perception.frame import Prediction, RgbdFrame
from rgbd_perception.mapping import MapConfig, VoxelMap
from test.mapping.scenes import NAMES, ROOM, VOCABULARY, Cuboid, MadeUpEncoder, looking_along, observe

_DAY = 86_400_000
"""In the unit of `observe`."""
_MILLISECOND = 1_000_000
_CONFIG = MapConfig(max_voxels=100_000)
_BEHIND = (Cuboid((-3.22, -3.02, 0.02), (-3.02, 3.02, 2.52), 0),)


def _map() -> VoxelMap:
    """The room as it was seen on day 100."""
    voxel_map = VoxelMap(_CONFIG)
    voxel_map.set_vocabulary(VOCABULARY, MadeUpEncoder().encode(NAMES))
    for _ in range(2):
        voxel_map.integrate(*observe(ROOM, looking_along(0.0), 100 * _DAY))
    return voxel_map


def _days(voxel_map: VoxelMap) -> tuple[float, float]:
    """When the first and the last voxel was last seen."""
    stamps = voxel_map.voxels().last_seen
    return stamps.min() / (_DAY * _MILLISECOND), stamps.max() / (_DAY * _MILLISECOND)


def _last_seen(voxel_map: VoxelMap, text: str) -> int:
    return voxel_map.query([text], encoder=MadeUpEncoder())[0].answers[0].last_seen_ns


def test_a_map_is_gone_on_with_after_months(tmp_path: Path) -> None:
    _map().save(tmp_path / "map.rgbdmap")
    voxel_map = VoxelMap.load(tmp_path / "map.rgbdmap", _CONFIG)
    for day in (190, 191, 260):
        voxel_map.integrate(*observe(ROOM, looking_along(0.3), day * _DAY))
        oldest, newest = _days(voxel_map)
        assert newest == day
        assert day - 50 < oldest < day - 20, "what is older than can be said counts as rather old"
    voxel_map.save(tmp_path / "later.rgbdmap")
    assert _days(VoxelMap.load(tmp_path / "later.rgbdmap", _CONFIG)) == _days(voxel_map)


def test_what_was_seen_lately_keeps_its_time() -> None:
    """The map is asked before, so that what it keeps up for questions is of before too."""
    voxel_map = _map()
    voxel_map.integrate(*observe(ROOM, looking_along(0.0), 140 * _DAY))
    assert _last_seen(voxel_map, "chair") == 140 * _DAY * _MILLISECOND
    voxel_map.integrate(*observe(_BEHIND, looking_along(np.pi), 150 * _DAY))
    assert _days(voxel_map)[1] == 150
    assert _last_seen(voxel_map, "chair") == 140 * _DAY * _MILLISECOND
    assert {item.last_seen_ns for item in voxel_map.objects() if item.label == "chair"} == {
        140 * _DAY * _MILLISECOND
    }


def test_a_file_that_is_being_written_has_the_times_of_before(tmp_path: Path) -> None:
    voxel_map = _map()
    write = voxel_map.begin_save(tmp_path / "map.rgbdmap")
    voxel_map.integrate(*observe(ROOM, looking_along(0.0), 160 * _DAY))
    write()
    assert _days(VoxelMap.load(tmp_path / "map.rgbdmap", _CONFIG)) == (100, 100)
    assert _days(voxel_map)[1] == 160


def test_nothing_was_seen_in_the_future_when_the_clock_was_set_back() -> None:
    voxel_map, before = _map(), 100 * _DAY - _DAY // 4
    assert _last_seen(voxel_map, "chair") == 100 * _DAY * _MILLISECOND
    voxel_map.integrate(*observe(_BEHIND, looking_along(np.pi), before))
    assert _days(voxel_map) == (99.75, 99.75)
    assert _last_seen(voxel_map, "chair") == before * _MILLISECOND
    voxel_map.integrate(*observe(_BEHIND, looking_along(np.pi), before + 60_000))
    assert _last_seen(voxel_map, "chair") == before * _MILLISECOND


def test_a_map_of_a_robot_goes_on_in_a_simulation_that_starts_at_zero() -> None:
    voxel_map = _map()
    assert _last_seen(voxel_map, "chair") == 100 * _DAY * _MILLISECOND
    for seconds in (5, 6):
        voxel_map.integrate(*observe(_BEHIND, looking_along(np.pi), 1000 * seconds))
        stamps = voxel_map.voxels().last_seen
        assert (stamps.min(), stamps.max()) == (5_000_000_000, seconds * 1_000_000_000)
    assert _last_seen(voxel_map, "chair") == 5_000_000_000


def test_a_frame_that_is_a_little_late_changes_no_times() -> None:
    voxel_map = _map()
    voxel_map.integrate(*observe(ROOM, looking_along(0.0), 100 * _DAY - 5_000))
    assert _days(voxel_map) == (100, 100)


def test_a_full_map_keeps_what_is_in_view_when_the_clock_was_set_back() -> None:
    """A simulation that starts again after two hours, somewhere else."""

    def voxels_in_view(seconds: float) -> int:
        voxel_map = VoxelMap(MapConfig(max_voxels=4_000))
        for step in range(12):
            voxel_map.integrate(*_from(4.0 * (step % 6), 7200 + step))
        for step in range(10):
            voxel_map.integrate(*_from(-6.0 - 4.0 * (step // 5), seconds + step))
        return int((voxel_map.voxels().centers[:, 1] < -3.5).sum())

    assert voxels_in_view(1) == voxels_in_view(7300)


def _from(place: float, seconds: float) -> tuple[RgbdFrame, Prediction]:
    """The room as it is seen ``place`` metres to the left."""
    frame, prediction = observe(ROOM, looking_along(0.0), round(1000 * seconds), with_embedding=False)
    pose = looking_along(0.0, (0.0, place, 1.0))
    return frame.with_pose(pose), prediction
