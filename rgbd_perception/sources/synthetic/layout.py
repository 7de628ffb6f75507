"""Where things stand in one room: free floor, free wall, free places on furniture, always without overlap."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from scipy import ndimage

from rgbd_perception.sources.synthetic.plan import Opening, Room
from rgbd_perception.sources.synthetic.shape import Shape, Support

CELL = 0.1
"""Grid of the walkability check, metres."""
ROBOT = 0.26
"""Radius that must fit between the furniture, metres."""


@dataclass(frozen=True, eq=False)
class Placed:
    """An object in the apartment: shape, class, position of its origin, yaw, index of its room."""

    shape: Shape
    class_name: str
    position: tuple[float, float, float]
    yaw: float
    room: int

    def world(self, point: tuple[float, float, float]) -> tuple[float, float, float]:
        """A point of the object frame in the world."""
        c, s = np.cos(self.yaw), np.sin(self.yaw)
        x, y, z = point
        px, py, pz = self.position
        return float(px + c * x - s * y), float(py + s * x + c * y), float(pz + z)


@dataclass(frozen=True)
class _Block:
    """Occupied axis-aligned volume; rugs and pendant lamps leave most heights free."""

    x0: float
    y0: float
    x1: float
    y1: float
    z0: float
    z1: float

    def overlaps(self, other: _Block, gap: float) -> bool:
        return (
            self.x0 < other.x1 + gap
            and other.x0 < self.x1 + gap
            and self.y0 < other.y1 + gap
            and other.y0 < self.y1 + gap
            and self.z0 < other.z1
            and other.z0 < self.z1
        )


def footprint(shape: Shape, x: float, y: float, z: float, yaw: float) -> _Block:
    """The volume of ``shape`` placed there, as a block along the world axes."""
    low, high = shape.bounds
    corners = np.array([(a, b) for a in (low[0], high[0]) for b in (low[1], high[1])])
    c, s = np.cos(yaw), np.sin(yaw)
    turned = corners @ np.array([[c, s], [-s, c]])
    (x0, y0), (x1, y1) = turned.min(axis=0), turned.max(axis=0)
    return _Block(
        float(x + x0), float(y + y0), float(x + x1), float(y + y1), float(z + low[2]), float(z + high[2])
    )


class RoomLayout:
    """Collects the objects of one room; every ``put_*`` returns the object, or None where nothing fits."""

    def __init__(self, room: Room, rng: Generator) -> None:
        self.room = room
        self.rng = rng
        self.placed: list[Placed] = []
        self._occupied: dict[tuple[int, int], list[tuple[float, float, float]]] = {}
        doors = [(side, o) for side in range(4) for o in room.openings[side] if o.kind == "door"]
        self._blocks = [self._leaf(side, o) for side, o in doors if o.angle > 0]
        self._keep_free = [self._door_zone(side, o) for side, o in doors]

    def put(
        self,
        shape: Shape,
        name: str,
        x: float,
        y: float,
        z: float = 0.0,
        yaw: float = 0.0,
        gap: float = 0.02,
        solid: bool = True,
    ) -> Placed | None:
        """At exactly this place, if it is free and leaves a way through the room."""
        z = max(z, -float(shape.bounds[0][2])) if z == 0.0 else z  # slanted legs may reach below the origin
        block = footprint(shape, x, y, z, yaw)
        if not self._inside(block):
            return None
        if solid:
            if any(block.overlaps(other, gap) for other in self._blocks):
                return None
            if any(block.overlaps(zone, 0.0) for zone in self._keep_free):
                return None
            if z < 1.0 and not self._passable([*self._blocks, block]):
                return None
            self._blocks.append(block)
        placed = Placed(shape, name, (float(x), float(y), float(z)), float(yaw), self.room.index)
        self.placed.append(placed)
        return placed

    def put_wall(
        self,
        shape: Shape,
        name: str,
        sides: tuple[int, ...] = (0, 1, 2, 3),
        z: float = 0.0,
        tries: int = 10,
        gap: float = 0.02,
        corner: bool = False,
    ) -> Placed | None:
        """With the back against a wall, not in front of a door; high things not in front of a window."""
        low, high = shape.bounds
        width = float(high[0] - low[0])
        for _ in range(tries):
            side = int(self.rng.choice(sides))
            reach = self.room.wall_length(side) / 2 - width / 2 - 0.02
            if reach < 0:
                continue
            along = (
                float(self.rng.choice([-reach, reach])) if corner else float(self.rng.uniform(-reach, reach))
            )
            if not self.wall_free(side, along, width, z + float(low[2]), z + float(high[2])):
                continue
            x, y = self.room.wall_point(side, along - float(low[0] + high[0]) / 2, 0.015 - float(low[1]))
            done = self.put(shape, name, x, y, z, self.room.wall_yaw(side), gap)
            if done is not None:
                return done
        return None

    def put_free(
        self,
        shape: Shape,
        name: str,
        tries: int = 10,
        margin: float = 0.5,
        yaw: float | None = None,
        gap: float = 0.05,
        solid: bool = True,
    ) -> Placed | None:
        """Somewhere on the floor, at least ``margin`` from the walls."""
        w, d = self.room.size
        cx, cy = self.room.center
        for _ in range(tries):
            turn = float(self.rng.integers(4)) * np.pi / 2 if yaw is None else yaw
            block = footprint(shape, 0, 0, 0, turn)
            rx = w / 2 - margin - (block.x1 - block.x0) / 2
            ry = d / 2 - margin - (block.y1 - block.y0) / 2
            if rx < 0 or ry < 0:
                continue
            x, y = cx + self.rng.uniform(-rx, rx), cy + self.rng.uniform(-ry, ry)
            done = self.put(shape, name, float(x), float(y), 0.0, turn, gap, solid)
            if done is not None:
                return done
        return None

    def put_on(
        self,
        shape: Shape,
        name: str,
        owner: Placed,
        support: Support,
        taken: list[tuple[float, float, float]],
        tries: int = 6,
        yaw: float = 0.4,
        rear: bool = False,
    ) -> Placed | None:
        """On a support of ``owner``, beside what stands there (``taken``: x, y, radius in the object frame).

        ``rear`` puts it at the far edge, where it can lean against a back.
        """
        low, size = shape.bounds[0], shape.size
        if (
            size[2] > support.clearance
            or size[0] > support.size[0] + 0.12
            or size[1] > support.size[1] + 0.12
        ):
            return None
        radius = float(np.hypot(size[0], size[1])) / 2 * 0.85
        rx, ry = max(0.0, support.size[0] / 2 - size[0] / 2), max(0.0, support.size[1] / 2 - size[1] / 2)
        for _ in range(tries):
            x = float(support.center[0] + self.rng.uniform(-rx, rx))
            y = float(support.center[1] + (-ry if rear else self.rng.uniform(-ry, ry)))
            position = owner.world((x, y, support.center[2] - float(low[2]) + 0.001))
            turn = owner.yaw + float(self.rng.uniform(-yaw, yaw))
            block = footprint(shape, *position, turn)
            free = all(np.hypot(x - tx, y - ty) >= radius + tr for tx, ty, tr in taken)
            if free and self._inside(block):
                taken.append((x, y, radius))
                self.placed.append(Placed(shape, name, position, turn, self.room.index))
                return self.placed[-1]
        return None

    def occupied(self, owner: Placed, support: int) -> list[tuple[float, float, float]]:
        """What stands on this support of ``owner``: x, y, radius in the object frame. Append to it."""
        return self._occupied.setdefault((self.placed.index(owner), support), [])

    def put_ceiling(self, shape: Shape, name: str, x: float, y: float) -> Placed | None:
        return self.put(shape, name, x, y, self.room.height - 0.001, solid=False)

    def _door_zone(self, side: int, door: Opening) -> _Block:
        """The floor in front of a door that nothing may stand on."""
        half = door.width / 2 + 0.12
        return self._at_wall(side, door.along - half, door.along + half, door.width + 0.1)

    def _leaf(self, side: int, door: Opening) -> _Block:
        """The volume of an open door."""
        end = door.along + door.hinge * door.width / 2
        lock = end - door.hinge * (0.12 + door.width * float(np.cos(door.angle)))
        return self._at_wall(side, min(end, lock), max(end, lock), door.width)

    def _at_wall(self, side: int, start: float, stop: float, depth: float) -> _Block:
        """Man-high volume from ``start`` to ``stop`` along a wall, ``depth`` into the room."""
        a, b = self.room.wall_point(side, start), self.room.wall_point(side, stop, depth)
        return _Block(min(a[0], b[0]), min(a[1], b[1]), max(a[0], b[0]), max(a[1], b[1]), 0.0, 2.2)

    def wall_free(self, side: int, along: float, width: float, low: float, high: float) -> bool:
        for o in self.room.openings[side]:
            near = abs(along - o.along) < (width + o.width) / 2 + (0.12 if o.kind == "door" else 0.02)
            if near and low < o.high and high > o.low + 0.02:
                return False
        return True

    def _inside(self, block: _Block) -> bool:
        """Whether a volume lies within the room, to a millimetre."""
        room, slack = self.room, 1e-3
        return (
            block.x0 >= room.x0 - slack
            and block.x1 <= room.x1 + slack
            and block.y0 >= room.y0 - slack
            and block.y1 <= room.y1 + slack
            and block.z1 <= room.height + slack
        )

    def _passable(self, blocks: list[_Block]) -> bool:
        """Whether a robot can still go from every door to every other and has room to stand."""
        free = walkable(self.room, blocks)
        label, count = ndimage.label(free)
        if count == 0:
            return False
        sizes = np.bincount(label.ravel())[1:]
        main = int(np.argmax(sizes)) + 1
        if sizes[main - 1] * CELL * CELL < 0.8:
            return False
        for zone in self._keep_free:
            row0, row1 = int((zone.y0 - self.room.y0) / CELL), int((zone.y1 - self.room.y0) / CELL) + 1
            column0, column1 = int((zone.x0 - self.room.x0) / CELL), int((zone.x1 - self.room.x0) / CELL) + 1
            if not np.any(label[max(row0, 0) : row1, max(column0, 0) : column1] == main):
                return False
        return True


def walkable(room: Room, blocks: list[_Block], radius: float = ROBOT) -> NDArray[np.bool_]:
    """(rows y, columns x) of CELL metres: True where a robot's centre can be between ``blocks`` and walls."""
    w, d = room.size
    xs = room.x0 + (np.arange(int(w / CELL)) + 0.5) * CELL
    ys = room.y0 + (np.arange(int(d / CELL)) + 0.5) * CELL
    free = ((ys > room.y0 + radius) & (ys < room.y1 - radius))[:, None] & (
        (xs > room.x0 + radius) & (xs < room.x1 - radius)
    )[None, :]
    for b in blocks:
        if b.z1 < 0.05 or b.z0 > 1.9:
            continue
        free &= ~(
            ((ys > b.y0 - radius) & (ys < b.y1 + radius))[:, None]
            & ((xs > b.x0 - radius) & (xs < b.x1 + radius))[None, :]
        )
    return free
