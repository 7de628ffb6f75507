"""From a seed to an apartment: plan, structure, furniture, lights, as flat arrays ready for ray casting."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from rgbd_perception.errors import UserError
from rgbd_perception.sources.synthetic import concepts, structure
from rgbd_perception.sources.synthetic.free_space import free_space
from rgbd_perception.sources.synthetic.furnish import furnish
from rgbd_perception.sources.synthetic.layout import Placed
from rgbd_perception.sources.synthetic.plan import ROOM_KINDS, Room, make_plan

LIGHTS = 3
"""Lights per room; the first two cast shadows."""
_ATTEMPTS = 12


@dataclass(frozen=True)
class RoomConfig:
    """What to generate.

    rooms        number of rooms, connected by doors
    kinds        kind of each room, or empty for a random choice
    min_objects  furniture and household objects in every room, at least
    clutter      amount of small things; 1 is a lived-in home
    """

    rooms: int = 1
    kinds: tuple[str, ...] = ()
    min_objects: int = 12
    clutter: float = 1.0

    def __post_init__(self) -> None:
        if not 1 <= self.rooms <= 12:
            raise UserError(f"expected 1 to 12 rooms, got {self.rooms}: use several apartments for more")
        unknown = [kind for kind in self.kinds if kind not in ROOM_KINDS]
        if unknown or (self.kinds and len(self.kinds) != self.rooms):
            raise UserError(
                f"expected one of {', '.join(ROOM_KINDS)} for each of {self.rooms} rooms, got {self.kinds}"
            )


@dataclass(frozen=True)
class Instance:
    """One object or part of the structure: exact oriented box (yaw about z) and the words that describe it.

    ``box_center`` (3,) and ``box_size`` (3,) are in metres, ``box_size`` along the box's own axes.
    """

    id: int
    class_name: str
    label: int
    room: int
    position: tuple[float, float, float]
    yaw: float
    box_center: tuple[float, float, float]
    box_size: tuple[float, float, float]
    attributes: tuple[str, ...]
    description: str

    @property
    def structural(self) -> bool:
        return self.label < 5


@dataclass(frozen=True, eq=False)
class Apartment:
    """Everything the renderer needs. Triangle i belongs to instance ``tri_instance[i]`` (ids start at 1).

    vertices (V, 3), corner normals ``normals`` (V, 3), triangles (T, 3), tri_instance (T,) uint16,
    tri_material (T,) int32 into materials (M, 16), frames (I + 1, 5) cos, sin, x, y, z by instance id,
    lights (R, 3, 8) x, y, z, r, g, b, radius, unused, ambient (R, 3).
    """

    seed: int
    config: RoomConfig
    rooms: tuple[Room, ...]
    instances: tuple[Instance, ...]
    vertices: NDArray[np.float32] = field(repr=False)
    normals: NDArray[np.float32] = field(repr=False)
    triangles: NDArray[np.int32] = field(repr=False)
    tri_instance: NDArray[np.uint16] = field(repr=False)
    tri_material: NDArray[np.int32] = field(repr=False)
    materials: NDArray[np.float32] = field(repr=False)
    frames: NDArray[np.float32] = field(repr=False)
    lights: NDArray[np.float32] = field(repr=False)
    ambient: NDArray[np.float32] = field(repr=False)

    @cached_property
    def labels(self) -> NDArray[np.uint16]:
        """(I + 1,) class id by instance id; 65535 at 0."""
        return np.array([65535, *(i.label for i in self.instances)], dtype=np.uint16)

    @cached_property
    def instance_room(self) -> NDArray[np.int32]:
        """(I + 1,) index of the room by instance id."""
        return np.array([0, *(i.room for i in self.instances)], dtype=np.int32)


def generate_apartment(seed: int, config: RoomConfig | None = None) -> Apartment:
    """The apartment of this seed: the same seed and config give the same arrays, bit for bit.

    A draw in which furniture or doors cut a room off is thrown away and made anew.
    """
    config = config or RoomConfig()
    for attempt in range(_ATTEMPTS):
        apartment = _draw(seed, attempt, config)
        space = free_space(apartment)
        if all(space.reaches(room) for room in apartment.rooms):
            break
    return apartment


def _draw(seed: int, attempt: int, config: RoomConfig) -> Apartment:
    rng = np.random.default_rng([seed, attempt, 0])
    rooms = make_plan(rng, tuple(config.kinds or _pick_kinds(rng, config.rooms)))
    placed: list[Placed] = []
    for room in rooms:
        placed += _structure(room, np.random.default_rng([seed, attempt, 1, room.index]))
        own = np.random.default_rng([seed, attempt, 2, room.index])
        placed += furnish(room, own, config.min_objects, config.clutter)
    lights, ambient = _lights(rooms, placed, np.random.default_rng([seed, attempt, 3]))
    return _assemble(seed, config, rooms, placed, lights, ambient, np.random.default_rng([seed, attempt, 4]))


def _pick_kinds(rng: Generator, count: int) -> tuple[str, ...]:
    if count == 1:
        return (str(rng.choice(ROOM_KINDS[:5], p=(0.22, 0.24, 0.2, 0.18, 0.16))),)
    first = [str(k) for k in rng.permutation(["living room", "bedroom", "kitchen", "bathroom", "office"])]
    kinds = [*first, "hallway"][:count]
    while len(kinds) < count:
        kinds.append(str(rng.choice(ROOM_KINDS)))
    return tuple(kinds)


def _structure(room: Room, rng: Generator) -> list[Placed]:
    finish = structure.pick_finish(rng, room.kind)
    accent_side = int(rng.integers(4))
    cx, cy = room.center
    parts = [
        Placed(structure.slab_shape(room, finish.floor, False), "floor", (cx, cy, 0.0), 0.0, room.index),
        Placed(
            structure.slab_shape(room, finish.ceiling, True),
            "ceiling",
            (cx, cy, room.height),
            0.0,
            room.index,
        ),
    ]
    for side in range(4):
        yaw = room.wall_yaw(side)
        x, y = room.wall_point(side, 0.0)
        paint = finish.accent if side == accent_side else finish.wall
        wall = structure.wall_shape(room, side, paint, finish.skirting)
        parts.append(Placed(wall, "wall", (x, y, 0.0), yaw, room.index))
        for opening in room.openings[side]:
            x, y = room.wall_point(side, opening.along)
            if opening.kind == "window":
                shape = structure.window_shape(rng, opening, finish.frame, float(rng.uniform(0.7, 2.2)))
                parts.append(Placed(shape, "window", (x, y, 0.0), yaw, room.index))
            elif opening.owner:
                shape = structure.door_shape(rng, opening, finish.door, finish.frame)
                parts.append(Placed(shape, "door", (x, y, 0.0), yaw, room.index))
    return parts


def _lights(
    rooms: list[Room], placed: list[Placed], rng: Generator
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Ceiling light, window or second light, lamp; warm, neutral or cold; some of them off."""
    lights = np.zeros((len(rooms), LIGHTS, 8), dtype=np.float32)
    ambient = np.zeros((len(rooms), 3), dtype=np.float32)
    for room in rooms:
        warm = rng.uniform(-1, 1)
        tint = np.array([1.0 + 0.16 * warm, 1.0, 1.0 - 0.22 * warm])
        cx, cy = room.center
        reach = 0.3 * min(room.size)
        power = rng.uniform(0.9, 1.8)
        spot = (cx + rng.uniform(-reach, reach), cy + rng.uniform(-reach, reach), room.height - 0.3)
        lights[room.index, 0] = (*spot, *(power * tint), rng.uniform(0.08, 0.35), 0)
        lights[room.index, 1] = (*_window_light(room, rng), 0)
        lamps = [p for p in placed if p.room == room.index and p.class_name == "lamp" and p.position[2] < 2.0]
        if lamps:
            lamp = lamps[int(rng.integers(len(lamps)))]
            top = float(lamp.shape.bounds[1][2])
            x, y, z = lamp.world((0.0, 0.0, top + 0.12))
            lights[room.index, 2] = (x, y, z, *(rng.uniform(0.0, 0.5) * np.array([1.0, 0.8, 0.5])), 0.1, 0)
        else:
            lights[room.index, 2] = (cx, cy, 1.5, 0, 0, 0, 0.1, 0)
        ambient[room.index] = rng.uniform(0.18, 0.5) * (0.5 + 0.5 * tint)
    return lights, ambient


def _window_light(room: Room, rng: Generator) -> tuple[float, ...]:
    """Daylight just inside the largest window, or a weak second lamp."""
    best, where = 0.0, None
    for side in range(4):
        for o in room.openings[side]:
            if o.kind == "window" and o.width * (o.high - o.low) > best:
                best, where = o.width * (o.high - o.low), (side, o)
    if where is None:
        x, y = room.wall_point(int(rng.integers(4)), 0.0, 0.6)
        return (x, y, 1.9, *(rng.uniform(0.1, 0.6) * np.ones(3)), 0.2)
    side, o = where
    x, y = room.wall_point(side, o.along, 0.25)
    day = rng.uniform(0.2, 1.8) * np.array([0.92, 0.98, 1.1])
    return (x, y, (o.low + o.high) / 2, *day, min(0.45, o.width / 3))


def _assemble(
    seed: int,
    config: RoomConfig,
    rooms: list[Room],
    placed: list[Placed],
    lights: NDArray[np.float32],
    ambient: NDArray[np.float32],
    rng: Generator,
) -> Apartment:
    vertices, normals, triangles, owner, material = [], [], [], [], []
    rows: list[NDArray[np.float32]] = []
    instances: list[Instance] = []
    frames = np.zeros((len(placed) + 1, 5), dtype=np.float32)
    start = 0
    for index, item in enumerate(placed, start=1):
        mesh = item.shape.mesh
        c, s = np.cos(item.yaw), np.sin(item.yaw)
        turn = np.array([[c, s, 0], [-s, c, 0], [0, 0, 1]], dtype=np.float32)
        vertices.append(mesh.vertices @ turn + np.asarray(item.position, dtype=np.float32))
        normals.append(mesh.normals @ turn)
        triangles.append(mesh.triangles + start)
        owner.append(np.full(len(mesh.triangles), index, dtype=np.uint16))
        material.append(item.shape.part + len(rows))
        start += len(mesh.vertices)
        rows += [m.row() for m in item.shape.materials]
        frames[index] = (c, s, *item.position)
        instances.append(_describe(index, item, rng))
    return Apartment(
        seed=seed,
        config=config,
        rooms=tuple(rooms),
        instances=tuple(instances),
        vertices=np.concatenate(vertices),
        normals=np.concatenate(normals),
        triangles=np.concatenate(triangles).astype(np.int32),
        tri_instance=np.concatenate(owner),
        tri_material=np.concatenate(material).astype(np.int32),
        materials=np.stack(rows),
        frames=frames,
        lights=lights,
        ambient=ambient,
    )


def _describe(index: int, item: Placed, rng: Generator) -> Instance:
    low, high = item.shape.bounds
    middle = tuple(float(v) for v in (low + high) / 2)
    center = item.world((middle[0], middle[1], middle[2]))
    size = tuple(float(v) for v in high - low)
    return Instance(
        id=index,
        class_name=item.class_name,
        label=concepts.CLASS_NAMES.index(item.class_name),
        room=item.room,
        position=item.position,
        yaw=float(np.arctan2(np.sin(item.yaw), np.cos(item.yaw))),
        box_center=center,
        box_size=(size[0], size[1], size[2]),
        attributes=item.shape.attributes,
        description=concepts.describe(item.class_name, item.shape.attributes, rng),
    )
