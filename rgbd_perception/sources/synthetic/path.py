"""Camera paths through an apartment and single random views, both free of collisions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from heapq import heappop, heappush

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from scipy import ndimage

from rgbd_perception.frame import CameraIntrinsics
from rgbd_perception.sources.synthetic.apartment import Apartment, Instance
from rgbd_perception.sources.synthetic.plan import WALL, outline
from rgbd_perception.sources.synthetic.render import Renderer, View

_CELL = 0.08
_RADIUS = 0.2
_TALL = 1.9


@dataclass(frozen=True)
class FreeSpace:
    """Grid over the apartment: True where a camera of radius 0.2 m fits at any height up to 1.9 m."""

    x0: float
    y0: float
    free: NDArray[np.bool_]

    def point(self, cell: tuple[int, int]) -> NDArray[np.float64]:
        return np.array([self.x0 + (cell[1] + 0.5) * _CELL, self.y0 + (cell[0] + 0.5) * _CELL])

    def at(self, x: float, y: float) -> bool:
        row, column = int((y - self.y0) / _CELL), int((x - self.x0) / _CELL)
        inside = 0 <= row < self.free.shape[0] and 0 <= column < self.free.shape[1]
        return bool(inside and self.free[row, column])


def free_space(apartment: Apartment) -> FreeSpace:
    """Rasterise everything between 5 cm and 1.9 m, grow it by the radius, keep the largest connected part."""
    x0, y0, x1, y1 = outline(list(apartment.rooms))
    shape = int((y1 - y0) / _CELL) + 1, int((x1 - x0) / _CELL) + 1
    xs, ys = x0 + (np.arange(shape[1]) + 0.5) * _CELL, y0 + (np.arange(shape[0]) + 0.5) * _CELL
    blocked = np.ones(shape, dtype=bool)
    for room in apartment.rooms:
        _open(blocked, xs, ys, (room.x0, room.y0), (room.x1, room.y1))
        for side in range(4):
            for o in room.openings[side]:
                if o.kind == "door" and o.to >= 0:
                    _open(blocked, xs, ys, room.wall_point(side, o.along - o.width / 2, -2 * WALL), room.wall_point(side, o.along + o.width / 2, 0.05))
    _mark(blocked, apartment, x0, y0)
    steps = int(np.ceil(_RADIUS / _CELL))
    grid = np.hypot(*np.mgrid[-steps : steps + 1, -steps : steps + 1])
    grown = ndimage.binary_dilation(blocked, grid * _CELL <= _RADIUS + 1e-6, border_value=1)
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
    """Clear the cells whose middle lies in a rectangle; walls are thicker than a cell, so one always remains."""
    (x0, x1), (y0, y1) = sorted((corner[0], opposite[0])), sorted((corner[1], opposite[1]))
    blocked[np.ix_((ys > y0) & (ys < y1), (xs > x0) & (xs < x1))] = False


def _mark(blocked: NDArray[np.bool_], apartment: Apartment, x0: float, y0: float) -> None:
    """Set the cells under every triangle of the height band; floors, ceilings and walls are known already."""
    structure = np.array([False, *(i.class_name in ("floor", "ceiling", "wall") for i in apartment.instances)])
    corners = apartment.vertices[apartment.triangles[~structure[apartment.tri_instance]]]
    low, high = corners.min(axis=1), corners.max(axis=1)
    keep = (high[:, 2] > 0.05) & (low[:, 2] < _TALL)
    columns0 = np.floor((low[keep, 0] - x0) / _CELL).astype(int)
    columns1 = np.floor((high[keep, 0] - x0) / _CELL).astype(int) + 1
    rows0 = np.floor((low[keep, 1] - y0) / _CELL).astype(int)
    rows1 = np.floor((high[keep, 1] - y0) / _CELL).astype(int) + 1
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


def look_at(eye: NDArray[np.floating], target: NDArray[np.floating], roll: float = 0.0) -> NDArray[np.float64]:
    """Pose (4, 4) of an optical frame (x right, y down, z forward) at ``eye`` that looks at ``target``."""
    forward = np.asarray(target, dtype=np.float64) - eye
    forward /= np.linalg.norm(forward)
    right = np.cross(forward, (0.0, 0.0, 1.0))
    right /= max(float(np.linalg.norm(right)), 1e-9)
    down = np.cross(forward, right)
    c, s = np.cos(roll), np.sin(roll)
    pose = np.eye(4)
    pose[:3, 0], pose[:3, 1], pose[:3, 2] = c * right + s * down, c * down - s * right, forward
    pose[:3, 3] = eye
    return pose


def intrinsics_for(size: tuple[int, int], fov: float) -> CameraIntrinsics:
    """Pinhole camera of (H, W) pixels with a horizontal field of view of ``fov`` degrees."""
    height, width = size
    focal = width / 2 / np.tan(np.radians(fov) / 2)
    return CameraIntrinsics(float(focal), float(focal), (width - 1) / 2, (height - 1) / 2, width, height)


def random_views(
    apartment: Apartment,
    count: int,
    rng: Generator,
    size: tuple[int, int] = (240, 320),
    renderer: Renderer | None = None,
) -> Iterator[View]:
    """``count`` independent views: other intrinsics, height and tilt each; most of them look at an object.

    A view that stares at a near surface or shows fewer than four things is drawn again.
    """
    camera = renderer or Renderer(apartment)
    space = free_space(apartment)
    cells = np.argwhere(space.free)
    if len(cells) == 0:
        return
    things = [i for i in apartment.instances if not i.structural]
    for _ in range(count):
        view = _one_view(apartment, space, cells, things, rng, size)
        for _ in range(8):
            small = View(view.pose, intrinsics_for((12, 16), 65.0))
            depth, instance = camera.geometry(small)
            if float(np.median(depth)) > 0.6 and len(np.unique(instance)) >= 5:
                break
            view = _one_view(apartment, space, cells, things, rng, size)
        yield view


def _one_view(
    apartment: Apartment,
    space: FreeSpace,
    cells: NDArray[np.int64],
    things: list[Instance],
    rng: Generator,
    size: tuple[int, int],
) -> View:
    focal = intrinsics_for(size, float(rng.uniform(55, 75)))
    jitter = rng.uniform(-0.02, 0.02, 2) * size[::-1]
    camera = CameraIntrinsics(focal.fx, focal.fy * float(rng.uniform(0.98, 1.02)), focal.cx + float(jitter[0]), focal.cy + float(jitter[1]), size[1], size[0])
    cell = cells[rng.integers(len(cells))]
    height = float(rng.uniform(0.35, 1.75))
    eye = np.array([*space.point((int(cell[0]), int(cell[1]))), height])
    roll = float(rng.normal(0, 0.04))
    if rng.random() < 0.65:
        target = _target_near(eye, things, rng)
        if target is not None:
            return View(look_at(eye, target + rng.normal(0, 0.15, 3), roll), camera)
    yaw, tilt = rng.uniform(-np.pi, np.pi), rng.normal(-0.2, 0.22)
    direction = np.array([np.cos(yaw) * np.cos(tilt), np.sin(yaw) * np.cos(tilt), np.sin(tilt)])
    return View(look_at(eye, eye + direction, roll), camera)


def _target_near(eye: NDArray[np.float64], things: list[Instance], rng: Generator) -> NDArray[np.float64] | None:
    """The middle of an object at a distance that suits its size, or None."""
    for _ in range(10):
        thing = things[int(rng.integers(len(things)))]
        center = np.array(thing.box_center)
        distance = float(np.linalg.norm(center - eye))
        largest = max(thing.box_size)
        if max(0.5, 0.8 * largest) < distance < 1.2 + 2.2 * largest:
            return center
    return None


def camera_path(apartment: Apartment, count: int, seed: int, size: tuple[int, int]) -> list[View]:
    """``count`` views of one smooth walk through all rooms, looking around and at objects near the way."""
    rng = np.random.default_rng([seed, 5])
    space = free_space(apartment)
    stops = _stops(apartment, space, rng)
    cells = _tour(space, stops)
    track = _smooth_track(space, cells, count, rng)
    return _look_around(apartment, track, rng, intrinsics_for(size, float(rng.uniform(60, 70))))


def _stops(apartment: Apartment, space: FreeSpace, rng: Generator) -> list[tuple[int, int]]:
    """Some free cells in every room, far from each other, rooms in the order of a walk through the doors."""
    stops: list[tuple[int, int]] = []
    cells = np.argwhere(space.free)
    points = np.stack([space.x0 + (cells[:, 1] + 0.5) * _CELL, space.y0 + (cells[:, 0] + 0.5) * _CELL], axis=1)
    for index in _room_order(apartment):
        room = apartment.rooms[index]
        inside = (points[:, 0] > room.x0) & (points[:, 0] < room.x1) & (points[:, 1] > room.y0) & (points[:, 1] < room.y1)
        own, where = cells[inside], points[inside]
        if len(own) == 0:
            continue
        chosen = [int(rng.integers(len(own)))]
        for _ in range(4):
            apart = np.min(np.linalg.norm(where[:, None] - where[chosen][None], axis=2), axis=1)
            chosen.append(int(np.argmax(apart + rng.uniform(0, 0.3, len(apart)))))
        while chosen:
            # nearest first: no walking to and fro
            here = np.array(stops[-1] if stops else own[chosen[0]])
            nearest = min(chosen, key=lambda i: float(np.sum((own[i] - here) ** 2)))
            chosen.remove(nearest)
            stops.append((int(own[nearest, 0]), int(own[nearest, 1])))
    return stops


def _room_order(apartment: Apartment) -> list[int]:
    """Depth-first through the doors from room 0; every room once."""
    order: list[int] = []
    stack = [0]
    while stack:
        index = stack.pop()
        if index in order:
            continue
        order.append(index)
        stack += [o.to for side in apartment.rooms[index].openings for o in side if o.kind == "door" and o.to >= 0]
    return order


def _tour(space: FreeSpace, stops: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Cells of the shortest ways from stop to stop."""
    tour = [stops[0]]
    for start, goal in zip(stops[:-1], stops[1:], strict=True):
        tour += _shortest(space, start, goal)[1:]
    return tour


def _shortest(space: FreeSpace, start: tuple[int, int], goal: tuple[int, int]) -> list[tuple[int, int]]:
    """A* on the 8-connected grid that prefers to keep away from obstacles."""
    away = ndimage.distance_transform_edt(space.free)
    cost = 1.0 + 2.0 / (1.0 + away)
    best = {start: 0.0}
    came: dict[tuple[int, int], tuple[int, int]] = {}
    queue = [(0.0, start)]
    while queue:
        _, cell = heappop(queue)
        if cell == goal:
            break
        for dr in (-1, 0, 1):
            for dc in (-1, 0, 1):
                near = (cell[0] + dr, cell[1] + dc)
                inside = 0 <= near[0] < space.free.shape[0] and 0 <= near[1] < space.free.shape[1]
                if near == cell or not inside or not space.free[near]:
                    continue
                total = best[cell] + np.hypot(dr, dc) * cost[near]
                if total < best.get(near, np.inf):
                    best[near] = total
                    came[near] = cell
                    heappush(queue, (total + np.hypot(near[0] - goal[0], near[1] - goal[1]), near))
    way = [goal]
    while way[-1] != start:
        if way[-1] not in came:
            return [start]
        way.append(came[way[-1]])
    return way[::-1]


def _smooth_track(
    space: FreeSpace, cells: list[tuple[int, int]], count: int, rng: Generator
) -> NDArray[np.float64]:
    """(count, 3) camera positions along the cells at even speed, with a slowly changing height."""
    way = np.array([space.point(cell) for cell in cells])
    soft = ndimage.gaussian_filter1d(way, 3.0, axis=0, mode="nearest") if len(way) > 3 else way
    blocked = [not space.at(float(x), float(y)) for x, y in soft]
    soft[blocked] = way[blocked]
    travelled = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(soft, axis=0), axis=1))])
    even = np.linspace(0.0, travelled[-1], count)
    xy = np.stack([np.interp(even, travelled, soft[:, axis]) for axis in range(2)], axis=1)
    base = float(rng.uniform(0.75, 1.4))
    phase = rng.uniform(0, 2 * np.pi, 2)
    time = np.arange(count)
    height = base + 0.25 * np.sin(time / 37.0 + phase[0]) + 0.012 * np.sin(time / 2.1 + phase[1])
    return np.column_stack([xy, np.clip(height, 0.4, 1.7)])


def _look_around(
    apartment: Apartment, track: NDArray[np.float64], rng: Generator, camera: CameraIntrinsics
) -> list[View]:
    """Turn towards one object after the other: targets change every 12 to 25 frames, the turn is smooth."""
    count = len(track)
    things = [i for i in apartment.instances if not i.structural]
    centers = np.array([i.box_center for i in things])
    largest = np.array([max(i.box_size) for i in things])
    rooms = np.array([i.room for i in things])
    seen = np.zeros(len(things))
    yaw, pitch = np.zeros(count), np.zeros(count)
    frame, last = 0, float(rng.uniform(-np.pi, np.pi))
    while frame < count:
        until = min(count, frame + int(rng.integers(12, 26)))
        middle = track[(frame + until - 1) // 2]
        offset = centers - middle
        distance = np.linalg.norm(offset, axis=1)
        turn = np.abs(_wrapped(np.arctan2(offset[:, 1], offset[:, 0]) - last))
        fits = np.abs(np.log(distance / (0.9 + 1.2 * largest))) + 5.0 * (distance < 0.5)
        elsewhere = 3.0 * (rooms != _room_of(apartment, middle))
        pick = int(np.argmin(fits + 1.2 * seen + elsewhere + 0.4 * turn + rng.uniform(0, 0.5, len(things))))
        seen[pick] += 1
        # the middle of the span stands for all of it: an object that is passed closely must not whirl the camera
        last += float(_wrapped(np.arctan2(offset[pick, 1], offset[pick, 0]) - last))
        yaw[frame:until] = last
        pitch[frame:until] = np.arctan2(offset[pick, 2], np.hypot(offset[pick, 0], offset[pick, 1]))
        frame = until
    shake = ndimage.gaussian_filter1d(rng.normal(0, 1, (count, 3)), 3.0, axis=0, mode="nearest")
    yaw = ndimage.gaussian_filter1d(yaw, 6.0, mode="nearest") + 0.03 * shake[:, 0]
    pitch = np.clip(ndimage.gaussian_filter1d(pitch, 6.0, mode="nearest"), -0.9, 0.4) + 0.03 * shake[:, 1]
    ahead = np.stack([np.cos(yaw) * np.cos(pitch), np.sin(yaw) * np.cos(pitch), np.sin(pitch)], axis=1)
    return [View(look_at(track[i], track[i] + ahead[i], 0.05 * shake[i, 2]), camera) for i in range(count)]


def _wrapped(angle: NDArray[np.float64] | float) -> NDArray[np.float64]:
    """Angle in -pi..pi."""
    return np.asarray((np.asarray(angle) + np.pi) % (2 * np.pi) - np.pi)


def _room_of(apartment: Apartment, point: NDArray[np.float64]) -> int:
    for room in apartment.rooms:
        if room.x0 - 0.1 < point[0] < room.x1 + 0.1 and room.y0 - 0.1 < point[1] < room.y1 + 0.1:
            return room.index
    return 0
