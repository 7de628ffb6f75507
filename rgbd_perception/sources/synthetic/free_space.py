"""Where a camera can go: a grid over the floor of an apartment."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from rgbd_perception.sources.synthetic.plan import WALL, Room, outline

if TYPE_CHECKING:
    from rgbd_perception.sources.synthetic.apartment import Apartment

CELL = 0.08
"""Side of a cell in metres; less than a wall is thick."""
_RADIUS = 0.2
_TALL = 1.9


@dataclass(frozen=True, eq=False)
class FreeSpace:
    """Grid over the apartment: True where a camera of radius 0.2 m fits at any height up to 1.9 m."""

    x0: float
    y0: float
    free: NDArray[np.bool_]

    def point(self, cell: tuple[int, int]) -> NDArray[np.float64]:
        return np.array([self.x0 + (cell[1] + 0.5) * CELL, self.y0 + (cell[0] + 0.5) * CELL])

    def at(self, x: float, y: float) -> bool:
        row, column = int((y - self.y0) / CELL), int((x - self.x0) / CELL)
        inside = 0 <= row < self.free.shape[0] and 0 <= column < self.free.shape[1]
        return bool(inside and self.free[row, column])

    def reaches(self, room: Room) -> bool:
        """Whether a camera can stand in the room."""
        rows = slice(int((room.y0 - self.y0) / CELL) + 1, int((room.y1 - self.y0) / CELL))
        columns = slice(int((room.x0 - self.x0) / CELL) + 1, int((room.x1 - self.x0) / CELL))
        return bool(self.free[rows, columns].any())


def free_space(apartment: Apartment) -> FreeSpace:
    """Rasterise everything between 5 cm and 1.9 m, grow it by the radius, keep the largest connected part."""
    x0, y0, x1, y1 = outline(list(apartment.rooms))
    shape = int((y1 - y0) / CELL) + 1, int((x1 - x0) / CELL) + 1
    xs, ys = x0 + (np.arange(shape[1]) + 0.5) * CELL, y0 + (np.arange(shape[0]) + 0.5) * CELL
    blocked = np.ones(shape, dtype=bool)
    for room in apartment.rooms:
        _open(blocked, xs, ys, (room.x0, room.y0), (room.x1, room.y1))
        for side in range(4):
            for o in room.openings[side]:
                if o.kind == "door" and o.to >= 0:
                    _open(
                        blocked,
                        xs,
                        ys,
                        room.wall_point(side, o.along - o.width / 2, -2 * WALL),
                        room.wall_point(side, o.along + o.width / 2, 0.05),
                    )
    _mark(blocked, apartment, x0, y0)
    steps = int(np.ceil(_RADIUS / CELL))
    grid = np.hypot(*np.mgrid[-steps : steps + 1, -steps : steps + 1])
    grown = ndimage.binary_dilation(blocked, grid * CELL <= _RADIUS + 1e-6, border_value=1)
    label, count = ndimage.label(~grown)
    if count == 0:
        return FreeSpace(float(x0), float(y0), ~grown)
    main = int(np.argmax(np.bincount(label.ravel())[1:])) + 1
    return FreeSpace(float(x0), float(y0), label == main)


def _open(
    blocked: NDArray[np.bool_],
    xs: NDArray[np.float64],
    ys: NDArray[np.float64],
    corner: tuple[float, float],
    opposite: tuple[float, float],
) -> None:
    """Clear the cells whose middle lies in a rectangle. Walls are thicker than a cell: one always remains."""
    (x0, x1), (y0, y1) = sorted((corner[0], opposite[0])), sorted((corner[1], opposite[1]))
    blocked[np.ix_((ys > y0) & (ys < y1), (xs > x0) & (xs < x1))] = False


def _mark(blocked: NDArray[np.bool_], apartment: Apartment, x0: float, y0: float) -> None:
    """Set the cells under every triangle of the height band; floors, ceilings and walls are known already."""
    structure = np.array(
        [False, *(i.class_name in ("floor", "ceiling", "wall") for i in apartment.instances)]
    )
    corners = apartment.vertices[apartment.triangles[~structure[apartment.tri_instance]]]
    low, high = corners.min(axis=1), corners.max(axis=1)
    keep = (high[:, 2] > 0.05) & (low[:, 2] < _TALL)
    columns0 = np.floor((low[keep, 0] - x0) / CELL).astype(int)
    columns1 = np.floor((high[keep, 0] - x0) / CELL).astype(int) + 1
    rows0 = np.floor((low[keep, 1] - y0) / CELL).astype(int)
    rows1 = np.floor((high[keep, 1] - y0) / CELL).astype(int) + 1
    # a summed difference image marks all rectangles at once
    change = np.zeros((blocked.shape[0] + 1, blocked.shape[1] + 1), dtype=np.int64)
    limit_r, limit_c = blocked.shape
    rows0, rows1 = np.clip(rows0, 0, limit_r), np.clip(rows1, 0, limit_r)
    columns0, columns1 = np.clip(columns0, 0, limit_c), np.clip(columns1, 0, limit_c)
    np.add.at(change, (rows0, columns0), 1)
    np.add.at(change, (rows1, columns1), 1)
    np.add.at(change, (rows0, columns1), -1)
    np.add.at(change, (rows1, columns0), -1)
    blocked |= change.cumsum(axis=0).cumsum(axis=1)[:-1, :-1] > 0
