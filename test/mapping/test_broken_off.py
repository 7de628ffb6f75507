"""A frame whose fusion fails unexpectedly: nothing goes on with it once ``integrate`` is left."""

from __future__ import annotations

import threading
import time

import pytest

from rgbd_perception.mapping import MapConfig, VoxelMap
from test.mapping.scenes import ROOM, VOCABULARY, looking_along, observe

LAYERS, MAP = "rgbd_perception.mapping.layers", "rgbd_perception.mapping.voxel_map"


@pytest.mark.parametrize(
    ("beside", "failing"),
    [
        (f"{LAYERS}.EvidenceStore.fuse", f"{LAYERS}.SharedFeatures.blend"),
        (f"{MAP}.find_seen_through", f"{LAYERS}.SharedFeatures.blend"),
        (f"{MAP}.half_embedding", f"{MAP}.group_by_voxel"),
    ],
)
@pytest.mark.parametrize("fails_too", [False, True])
def test_what_was_begun_beside_has_ended(
    monkeypatch: pytest.MonkeyPatch, beside: str, failing: str, fails_too: bool
) -> None:
    begun, ended = threading.Event(), threading.Event()

    def slow(*_: object) -> None:
        begun.set()
        time.sleep(0.1)
        ended.set()
        if fails_too:
            raise ArithmeticError("nobody asks for this")

    def fail(*_: object) -> None:
        assert begun.wait(60)
        raise ZeroDivisionError("what went wrong")

    voxel_map = VoxelMap(MapConfig(max_voxels=100_000, threads=2))
    voxel_map.set_vocabulary(VOCABULARY)
    voxel_map.integrate(*observe(ROOM, looking_along(0.0)))
    with monkeypatch.context() as patch:
        patch.setattr(beside, slow)
        patch.setattr(failing, fail)
        with pytest.raises(ZeroDivisionError, match="what went wrong"):
            voxel_map.integrate(*observe(ROOM, looking_along(0.1), 1))
        assert ended.is_set()
    assert voxel_map.integrate(*observe(ROOM, looking_along(0.1), 2)).voxels_touched > 0
    voxel_map.close()
