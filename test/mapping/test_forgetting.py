"""forget_after_s removes what was not seen for so long, and only that."""

from __future__ import annotations

import pytest

from rgbd_perception.errors import UserError
from rgbd_perception.mapping import MapConfig, VoxelMap
from test.mapping.scenes import ROOM, looking_along, observe

_SECOND = 1_000
"""In the unit of `observe`."""


def _map(**options: float) -> VoxelMap:
    """A room seen at 0 s, then the back of it, until 10 s."""
    voxel_map = VoxelMap(MapConfig(max_voxels=100_000, **options))
    voxel_map.integrate(*observe(ROOM, looking_along(0.0), 0, with_embedding=False))
    for second in (4, 10):
        voxel_map.integrate(*observe(ROOM[1:], looking_along(0.0), second * _SECOND, with_embedding=False))
    return voxel_map


def test_what_is_old_goes_wherever_it_is():
    """Without a wall behind them the voxels of the wall are not seen through: only their age counts."""
    stays, goes = _map(), _map(forget_after_s=5.0)
    assert stays.voxels().last_seen.min() == 0
    assert goes.voxels().last_seen.min() == 10_000_000_000
    assert 0 < len(goes) < len(stays)


@pytest.mark.parametrize("after_s", [10.0, float("inf")])
def test_what_is_not_old_enough_stays(after_s: float):
    assert len(_map(forget_after_s=after_s)) == len(_map())


def test_a_negative_time_is_refused():
    with pytest.raises(UserError, match="forget_after_s must be at least 0"):
        MapConfig(forget_after_s=-1.0)
