"""Floor plans: a rectangle cut into rooms, with doors between them and windows to the outside."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

ROOM_KINDS = ("living room", "bedroom", "kitchen", "bathroom", "office", "hallway")
WALL = 0.05
"""Thickness in metres of one room's half of a wall."""


@dataclass(frozen=True)
class Opening:
    """A hole in a wall: ``along`` metres from the wall's middle, ``width`` wide, z from low to high.

    kind    "door" or "window"
    to      the room behind it, or -1 for the outside
    owner   whether this room's side carries the door leaf and frame (an inner door has two sides)
    hinge   on which end of the opening a door hangs: -1 or 1 along the wall
    angle   radians by which a door stands open into the room
    """

    kind: str
    along: float
    width: float
    low: float
    high: float
    to: int = -1
    owner: bool = True
    hinge: int = 1
    angle: float = 0.0


@dataclass
class Room:
    """Interior rectangle in metres; side 0 is the wall at y0 (its inside faces +y), then x1, y1, x0."""

    index: int
    kind: str
    x0: float
    y0: float
    x1: float
    y1: float
    height: float
    openings: list[list[Opening]] = field(default_factory=lambda: [[], [], [], []])

    @property
    def size(self) -> tuple[float, float]:
        return self.x1 - self.x0, self.y1 - self.y0

    @property
    def area(self) -> float:
        return self.size[0] * self.size[1]

    @property
    def center(self) -> tuple[float, float]:
        return (self.x0 + self.x1) / 2, (self.y0 + self.y1) / 2

    def wall_length(self, side: int) -> float:
        return self.size[side % 2]

    def wall_yaw(self, side: int) -> float:
        """Yaw of an object that stands with its back against this wall."""
        return (0.0, np.pi / 2, np.pi, -np.pi / 2)[side]

    def wall_point(self, side: int, along: float, out: float = 0.0) -> tuple[float, float]:
        """World x, y of the point ``along`` metres from the wall's middle, ``out`` metres into the room."""
        cx, cy = self.center
        return (
            (cx + along, self.y0 + out),
            (self.x1 - out, cy + along),
            (cx - along, self.y1 - out),
            (self.x0 + out, cy - along),
        )[side]


def make_plan(rng: Generator, kinds: tuple[str, ...]) -> list[Room]:
    """Rooms of these kinds, connected by doors; every room has a way to every other."""
    rectangles = _split(rng, len(kinds))
    order = np.argsort([-(r[2] - r[0]) * (r[3] - r[1]) for r in rectangles])
    wanted = sorted(kinds, key=lambda kind: _PREFERRED_RANK[kind])
    height = float(rng.uniform(2.35, 2.9))
    rooms: list[Room] = []
    for index, (place, kind) in enumerate(zip(order, wanted, strict=True)):
        x0, y0, x1, y1 = rectangles[place]
        rooms.append(Room(index, kind, x0 + WALL, y0 + WALL, x1 - WALL, y1 - WALL, height))
    _connect(rng, rooms)
    _outer_doors(rng, rooms)
    _windows(rng, rooms)
    return rooms


_PREFERRED_RANK = {
    "living room": 0,
    "kitchen": 1,
    "bedroom": 2,
    "office": 3,
    "bathroom": 4,
    "hallway": 5,
}


def _split(rng: Generator, count: int) -> list[tuple[float, float, float, float]]:
    area = count * rng.uniform(13.0, 19.0)
    aspect = rng.uniform(1.0, 1.5)
    w, d = np.sqrt(area * aspect), np.sqrt(area / aspect)
    rectangles = [(0.0, 0.0, float(w), float(d))]
    while len(rectangles) < count:
        largest = int(np.argmax([(r[2] - r[0]) * (r[3] - r[1]) for r in rectangles]))
        x0, y0, x1, y1 = rectangles.pop(largest)
        cut = float(rng.uniform(0.42, 0.58))
        if x1 - x0 > y1 - y0:
            x = x0 + cut * (x1 - x0)
            rectangles += [(x0, y0, x, y1), (x, y0, x1, y1)]
        else:
            y = y0 + cut * (y1 - y0)
            rectangles += [(x0, y0, x1, y), (x0, y, x1, y1)]
    return rectangles


def _shared(a: Room, b: Room) -> tuple[int, int, float, float] | None:
    """Side of ``a``, side of ``b`` and the world interval where they touch, or None."""
    gap = 2 * WALL + 1e-3
    for side_a, side_b, apart, low, high in (
        (1, 3, abs(a.x1 - b.x0), max(a.y0, b.y0), min(a.y1, b.y1)),
        (3, 1, abs(a.x0 - b.x1), max(a.y0, b.y0), min(a.y1, b.y1)),
        (2, 0, abs(a.y1 - b.y0), max(a.x0, b.x0), min(a.x1, b.x1)),
        (0, 2, abs(a.y0 - b.y1), max(a.x0, b.x0), min(a.x1, b.x1)),
    ):
        if apart < gap and high - low > 1.4:
            return side_a, side_b, low, high
    return None


def _along(room: Room, side: int, world: float) -> float:
    """Position along the wall of a world coordinate on it."""
    cx, cy = room.center
    return (world - cx, world - cy, cx - world, cy - world)[side]


def _connect(rng: Generator, rooms: list[Room]) -> None:
    group = list(range(len(rooms)))
    pairs = [(a, b) for a in range(len(rooms)) for b in range(a)]
    for pick in rng.permutation(len(pairs)):
        a, b = (rooms[i] for i in pairs[pick])
        joined = group[a.index] == group[b.index]
        touching = _shared(a, b)
        if touching is None or (joined and rng.random() > 0.3):
            continue
        side_a, side_b, low, high = touching
        width, top = float(rng.uniform(0.9, 1.05)), float(rng.uniform(2.0, 2.1))
        place = float(rng.uniform(low + 0.6, high - 0.6))
        along = _along(a, side_a, place)
        # the leaf opens towards the nearer corner, where it is least in the way
        leaf = Opening(
            "door",
            along,
            width,
            0.0,
            top,
            b.index,
            True,
            1 if along > 0 else -1,
            float(rng.uniform(1.45, 1.56)),
        )
        a.openings[side_a].append(leaf)
        b.openings[side_b].append(Opening("door", _along(b, side_b, place), width, 0.0, top, a.index, False))
        old, new = group[a.index], group[b.index]
        group = [new if g == old else g for g in group]


def _outer_sides(room: Room, rooms: list[Room]) -> list[int]:
    """Sides that are not shared with any other room."""
    inner = set()
    for other in rooms:
        if other is room:
            continue
        for side, apart, low, high in (
            (1, other.x0 - room.x1, max(room.y0, other.y0), min(room.y1, other.y1)),
            (3, room.x0 - other.x1, max(room.y0, other.y0), min(room.y1, other.y1)),
            (2, other.y0 - room.y1, max(room.x0, other.x0), min(room.x1, other.x1)),
            (0, room.y0 - other.y1, max(room.x0, other.x0), min(room.x1, other.x1)),
        ):
            if abs(apart) < 2 * WALL + 1e-3 and high - low > 0.01:
                inner.add(side)
    return [side for side in range(4) if side not in inner]


def _place(rng: Generator, room: Room, side: int, width: float, margin: float) -> float | None:
    """A free position along the wall for an opening of this width, or None."""
    reach = room.wall_length(side) / 2 - width / 2 - margin
    if reach <= 0:
        return None
    for _ in range(12):
        along = float(rng.uniform(-reach, reach))
        if all(abs(along - o.along) > (width + o.width) / 2 + 0.3 for o in room.openings[side]):
            return along
    return None


def _outer_doors(rng: Generator, rooms: list[Room]) -> None:
    """The entrance, and now and then another closed door (a store room, a balcony)."""
    entrance = next((room for room in rooms if room.kind == "hallway"), rooms[-1])
    for room in rooms:
        if room is not entrance and rng.random() > 0.25:
            continue
        for side in rng.permutation(_outer_sides(room, rooms)):
            width = float(rng.uniform(0.85, 1.0))
            along = _place(rng, room, int(side), width, 0.3)
            if along is not None:
                hinge = int(rng.choice([-1, 1]))
                room.openings[side].append(
                    Opening("door", along, width, 0.0, float(rng.uniform(2.0, 2.1)), hinge=hinge)
                )
                break


def _windows(rng: Generator, rooms: list[Room]) -> None:
    for room in rooms:
        sides = list(rng.permutation(_outer_sides(room, rooms)))
        count = 1 if room.kind in ("bathroom", "hallway") else int(rng.integers(1, 3))
        for side in sides[:count]:
            narrow = room.kind == "bathroom"
            width = float(
                rng.uniform(0.6, 0.9) if narrow else rng.uniform(0.9, min(2.2, room.wall_length(side) * 0.6))
            )
            low = float(rng.uniform(1.1, 1.3) if narrow else rng.uniform(0.75, 1.0))
            high = min(
                room.height - 0.2, low + float(rng.uniform(0.6, 0.8) if narrow else rng.uniform(1.0, 1.45))
            )
            along = _place(rng, room, int(side), width, 0.35)
            if along is not None:
                room.openings[side].append(Opening("window", along, width, low, high))


def outline(rooms: list[Room]) -> NDArray[np.float64]:
    """x0, y0, x1, y1 around all rooms."""
    corners = np.array([(r.x0, r.y0, r.x1, r.y1) for r in rooms])
    return np.concatenate([corners[:, :2].min(axis=0), corners[:, 2:].max(axis=0)])
