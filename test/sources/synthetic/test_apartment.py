"""Apartments: the same seed gives the same bytes, rooms are full, nothing overlaps, boxes are exact."""

from __future__ import annotations

import hashlib
from collections import Counter

import numpy as np
import pytest

from rgbd_perception.errors import UserError
from rgbd_perception.sources.synthetic.apartment import Apartment, RoomConfig, generate_apartment
from rgbd_perception.sources.synthetic.concepts import CLASS_NAMES
from rgbd_perception.sources.synthetic.free_space import free_space
from rgbd_perception.sources.synthetic.plan import ROOM_KINDS

ARRAYS = (
    "vertices",
    "normals",
    "triangles",
    "tri_instance",
    "tri_material",
    "materials",
    "lights",
    "ambient",
)


@pytest.fixture(scope="module")
def apartments() -> list[Apartment]:
    """One of each number of rooms, and every kind of room alone."""
    several = [generate_apartment(seed, RoomConfig(rooms=seed)) for seed in range(1, 5)]
    alone = [generate_apartment(20 + i, RoomConfig(kinds=(kind,))) for i, kind in enumerate(ROOM_KINDS)]
    return several + alone


def _digest(apartment: Apartment) -> str:
    digest = hashlib.sha256(repr(apartment.instances).encode())
    for name in ARRAYS:
        digest.update(getattr(apartment, name).tobytes())
    return digest.hexdigest()


def test_same_seed_gives_the_same_bytes() -> None:
    config = RoomConfig(rooms=2)
    first = _digest(generate_apartment(3, config))
    np.random.seed(1)  # noqa: NPY002  the global state must not matter
    assert _digest(generate_apartment(3, config)) == first
    assert _digest(generate_apartment(4, config)) != first


def test_every_room_has_enough_objects(apartments: list[Apartment]) -> None:
    for apartment in apartments:
        counts = Counter(i.room for i in apartment.instances if not i.structural)
        for room in apartment.rooms:
            assert counts[room.index] >= 12, f"seed {apartment.seed}, {room.kind}"


def test_some_classes_come_several_times_in_a_room(apartments: list[Apartment]) -> None:
    for apartment in apartments:
        for room in apartment.rooms:
            counts = Counter(i.class_name for i in apartment.instances if i.room == room.index)
            assert max(n for name, n in counts.items() if name != "wall") >= 2


def test_every_class_appears_over_a_few_seeds(apartments: list[Apartment]) -> None:
    more = [generate_apartment(seed, RoomConfig(rooms=5)) for seed in range(40, 43)]
    seen = {i.class_name for apartment in apartments + more for i in apartment.instances}
    assert seen == set(CLASS_NAMES)


def test_structure_of_every_room_has_its_own_instances(apartments: list[Apartment]) -> None:
    for apartment in apartments:
        for room in apartment.rooms:
            counts = Counter(i.class_name for i in apartment.instances if i.room == room.index)
            assert (counts["wall"], counts["floor"], counts["ceiling"]) == (4, 1, 1)
        assert any(i.class_name == "door" for i in apartment.instances)


def test_every_room_can_be_reached(apartments: list[Apartment]) -> None:
    for apartment in apartments:
        space = free_space(apartment)
        assert all(space.reaches(room) for room in apartment.rooms), f"seed {apartment.seed}"


def test_boxes_enclose_their_triangles_exactly(apartments: list[Apartment]) -> None:
    apartment = apartments[1]
    for instance in apartment.instances:
        own = apartment.triangles[apartment.tri_instance == instance.id].ravel()
        offset = apartment.vertices[own].astype(np.float64) - instance.box_center
        c, s = np.cos(instance.yaw), np.sin(instance.yaw)
        local = offset @ np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])
        half = np.array(instance.box_size) / 2
        np.testing.assert_allclose(local.max(axis=0), half, atol=2e-5)
        np.testing.assert_allclose(local.min(axis=0), -half, atol=2e-5)


def test_objects_stay_in_their_room(apartments: list[Apartment]) -> None:
    for apartment in apartments:
        for instance in apartment.instances:
            if instance.structural:
                continue
            room = apartment.rooms[instance.room]
            own = apartment.triangles[apartment.tri_instance == instance.id].ravel()
            low, high = apartment.vertices[own].min(axis=0), apartment.vertices[own].max(axis=0)
            assert low[0] > room.x0 - 0.01 and high[0] < room.x1 + 0.01, instance
            assert low[1] > room.y0 - 0.01 and high[1] < room.y1 + 0.01, instance
            assert low[2] > -0.01 and high[2] < room.height + 0.01, instance


def test_furniture_on_the_floor_does_not_overlap(apartments: list[Apartment]) -> None:
    """Boxes along the axes of things that stand on the floor, rugs apart; chairs may touch tables by 3 cm."""
    for apartment in apartments:
        boxes = []
        for instance in apartment.instances:
            own = apartment.triangles[apartment.tri_instance == instance.id].ravel()
            low, high = apartment.vertices[own].min(axis=0), apartment.vertices[own].max(axis=0)
            if not instance.structural and instance.class_name != "rug" and low[2] < 0.001:
                boxes.append((instance, low + 0.015, high - 0.015))
        for i, (a, low_a, high_a) in enumerate(boxes):
            for b, low_b, high_b in boxes[:i]:
                assert not np.all((low_a < high_b) & (low_b < high_a)), (apartment.seed, a, b)


@pytest.mark.parametrize("rooms", [0, 13])
def test_impossible_number_of_rooms_is_refused(rooms: int) -> None:
    with pytest.raises(UserError, match="1 to 12 rooms"):
        RoomConfig(rooms=rooms)


def test_unknown_kind_of_room_is_refused() -> None:
    with pytest.raises(UserError, match="living room"):
        RoomConfig(kinds=("garage",))
