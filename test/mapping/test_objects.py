"""Objects of a map: the same however its rows lie and its world is turned, with ids that last."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from rgbd_perception.mapping import MapConfig, MapObject, VoxelMap
from test.mapping.scenes import NAMES, ROOM, VOCABULARY, Cuboid, MadeUpEncoder, looking_along, observe

CONFIG = MapConfig(max_voxels=50_000, carve_misses=1)
WALL, CHAIR, TABLE = ROOM
BRIDGE = Cuboid((2.02, -0.3, 0.72), (2.42, 0.46, 1.02), 1)
"""From the place of the table to the chair, and of the chair's class."""


def _empty(config: MapConfig = CONFIG) -> VoxelMap:
    voxel_map = VoxelMap(config)
    voxel_map.set_vocabulary(VOCABULARY, MadeUpEncoder().encode(NAMES))
    return voxel_map


def _see(voxel_map: VoxelMap, cuboids: tuple[Cuboid, ...], frames: int = 3) -> None:
    for index in range(frames):
        pose = looking_along(0.1 * np.sin(index), (0.0, 0.1 * index, 1.0))
        voxel_map.integrate(*observe(cuboids, pose))


def _by_label(objects: list[MapObject]) -> dict[str, MapObject]:
    assert len({item.label for item in objects}) == len(objects)
    return {item.label: item for item in objects}


def test_ids_last_in_files(tmp_path):
    voxel_map = _empty()
    _see(voxel_map, (WALL, TABLE))
    voxel_map.objects()
    _see(voxel_map, ROOM)
    before = voxel_map.objects()
    assert {item.label: item.id for item in before} == {"table": 1, "chair": 2}
    voxel_map.save(tmp_path / "room.rgbdmap")
    loaded = VoxelMap.load(tmp_path / "room.rgbdmap", CONFIG)
    assert loaded.objects() == before
    _see(loaded, (WALL, CHAIR, TABLE, Cuboid((2.02, 1.22, 0.52), (2.42, 1.52, 1.12), 3)))
    assert {item.label: item.id for item in loaded.objects()} == {"table": 1, "chair": 2, "lamp": 3}


def test_ids_are_new_after_the_map_was_cleared():
    voxel_map = _empty()
    _see(voxel_map, ROOM)
    assert sorted(item.id for item in voxel_map.objects()) == [1, 2]
    voxel_map.clear()
    assert voxel_map.objects() == []
    _see(voxel_map, ROOM)
    assert sorted(item.id for item in voxel_map.objects()) == [3, 4]


def test_a_merged_object_is_found_by_both_ids_and_a_split_one_tells():
    voxel_map = _empty()
    left = Cuboid((2.02, 0.42, 0.52), (2.42, 0.92, 1.12), 1)
    right = Cuboid((2.02, -0.88, 0.62), (2.42, -0.28, 0.92), 1)
    _see(voxel_map, (WALL, left, right))
    large, small = voxel_map.objects()
    _see(voxel_map, (WALL, left, right, BRIDGE))
    (merged,) = voxel_map.objects()
    assert (merged.id, merged.merged) == (large.id, (small.id,))
    assert voxel_map.object(small.id) == voxel_map.object(large.id) == merged
    _see(voxel_map, (WALL, left, right), frames=8)
    parts = voxel_map.objects()
    assert len(parts) == 2
    assert parts[0].id == merged.id
    assert parts[1].split_from == merged.id
    assert parts[1].id not in (large.id, small.id)
    assert voxel_map.object(99) is None


@settings(max_examples=10)
@given(st.integers(0, 2**32 - 1))
def test_the_order_of_rows_does_not_matter(seed):
    exact = replace(CONFIG, storage="exact")
    voxel_map, shuffled = _empty(exact), _empty(exact)
    _see(voxel_map, ROOM)
    with voxel_map._view() as view:
        names = tuple(voxel_map._layers.store.columns)
        columns = view.snapshot.read_all(names)
    order = np.random.default_rng(seed).permutation(len(voxel_map))
    shuffled._fill(view.header, {name: columns[name][order] for name in names})
    assert shuffled.objects() == voxel_map.objects()


@settings(max_examples=10)
@given(st.integers(1, 3), st.floats(-0.1, 0.1))
def test_a_turned_world_turns_the_boxes(quarters, yaw):
    voxel_map, turned = _empty(), _empty()
    turn = np.eye(4)
    turn[:2, :2] = np.linalg.matrix_power(np.array([[0, -1], [1, 0]]), quarters)
    for index in range(3):
        frame, prediction = observe(ROOM, looking_along(yaw, (0.0, 0.1 * index, 1.0)))
        assert frame.pose is not None
        voxel_map.integrate(frame, prediction)
        turned.integrate(frame.with_pose(turn @ frame.pose), prediction)
    before, after = _by_label(voxel_map.objects()), _by_label(turned.objects())
    assert before.keys() == after.keys()
    voxel = CONFIG.voxel_size
    for label, item in before.items():
        expected = turn[:3, :3] @ np.array(item.position)
        np.testing.assert_allclose(after[label].position, expected, atol=voxel)
        sizes = np.abs(np.array(after[label].size) - item.size)
        assert sizes.max() <= 1.5 * voxel


def test_a_map_of_stuff_only_has_no_objects():
    voxel_map = _empty()
    _see(voxel_map, (WALL,))
    assert len(voxel_map) > 0
    assert voxel_map.objects() == []
    _see(voxel_map, ROOM)
    assert sorted(item.id for item in voxel_map.objects()) == [1, 2]


def test_crumbs_of_another_class_are_part_of_an_object_that_they_are_like():
    spoiled = Cuboid((2.019, 0.53, 0.66), (2.1, 0.78, 0.93), 2)

    def objects(fragment_voxels: int) -> list[tuple[str, int]]:
        voxel_map = _empty(MapConfig(max_voxels=50_000, fragment_voxels=fragment_voxels))
        for index in range(3):
            pose = looking_along(0.1 * np.sin(index), (0.0, 0.1 * index, 1.0))
            frame, prediction = observe((WALL, CHAIR, spoiled), pose)
            chair = MadeUpEncoder().encode(["chair"])[0].astype(np.float16)
            assert prediction.embedding is not None
            prediction.embedding[prediction.cell_labels == 2] = chair
            voxel_map.integrate(frame, prediction)
        return [(item.label, item.voxels) for item in voxel_map.objects()]

    (label, voxels), (crumb, few) = objects(0)
    assert (label, crumb) == ("chair", "table")
    assert few < 30
    assert objects(30) == [("chair", voxels + few)]
