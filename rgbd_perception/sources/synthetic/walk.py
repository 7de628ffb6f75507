"""A camera path through an apartment: like a robot or a person with a camera, without collisions."""

from __future__ import annotations

from heapq import heappop, heappush
from itertools import pairwise

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from scipy import ndimage

from rgbd_perception.errors import UserError
from rgbd_perception.frame import CameraIntrinsics
from rgbd_perception.sources.synthetic.apartment import Apartment
from rgbd_perception.sources.synthetic.free_space import CELL, FreeSpace, free_space
from rgbd_perception.sources.synthetic.path import intrinsics_for, look_at
from rgbd_perception.sources.synthetic.render import View


def camera_path(apartment: Apartment, count: int, seed: int, size: tuple[int, int]) -> list[View]:
    """``count`` views of one smooth walk through all rooms, looking around and at objects near the way.

    Raises UserError where furniture leaves no room to walk.
    """
    rng = np.random.default_rng([seed, 5])
    space = free_space(apartment)
    if not space.free.any():
        raise UserError(
            f"expected room to walk in the apartment of seed {seed}, there is none: take another seed"
        )
    stops = _stops(apartment, space, rng)
    cells = _tour(space, stops)
    track = _smooth_track(space, cells, count, rng)
    return _look_around(apartment, track, rng, intrinsics_for(size, float(rng.uniform(60, 70))))


def _stops(apartment: Apartment, space: FreeSpace, rng: Generator) -> list[tuple[int, int]]:
    """Some free cells in every room, far from each other, rooms in the order of a walk through the doors."""
    stops: list[tuple[int, int]] = []
    cells = np.argwhere(space.free)
    points = np.stack([space.x0 + (cells[:, 1] + 0.5) * CELL, space.y0 + (cells[:, 0] + 0.5) * CELL], axis=1)
    for index in _room_order(apartment):
        room = apartment.rooms[index]
        inside = (
            (points[:, 0] > room.x0)
            & (points[:, 0] < room.x1)
            & (points[:, 1] > room.y0)
            & (points[:, 1] < room.y1)
        )
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
        stack += [
            o.to for side in apartment.rooms[index].openings for o in side if o.kind == "door" and o.to >= 0
        ]
    return order


def _tour(space: FreeSpace, stops: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Cells of the shortest ways from stop to stop."""
    tour = [stops[0]]
    for start, goal in pairwise(stops):
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
    """Turn towards one object after the other: targets change every 9 to 17 frames, the turn is smooth."""
    count = len(track)
    things = [i for i in apartment.instances if not i.structural]
    centers = np.array([i.box_center for i in things])
    largest = np.array([max(i.box_size) for i in things])
    rooms = np.array([i.room for i in things])
    seen = np.zeros(len(things))
    yaw, pitch = np.zeros(count), np.zeros(count)
    frame, last = 0, float(rng.uniform(-np.pi, np.pi))
    while frame < count:
        until = min(count, frame + int(rng.integers(9, 18)))
        middle = track[(frame + until - 1) // 2]
        offset = centers - middle
        distance = np.linalg.norm(offset, axis=1)
        bearing = np.arctan2(offset[:, 1], offset[:, 0])
        fits = np.minimum(np.abs(np.log(distance / (0.9 + 1.2 * largest))), 1.5) + 5.0 * (distance < 0.5)
        elsewhere = rooms != _room_of(apartment, middle)
        effort = 0.2 * np.abs(_wrapped(bearing - last)) + rng.uniform(0, 0.3, len(things))
        pick = int(np.argmin(fits + 1.5 * seen + 6.0 * elsewhere + effort))
        # what stands near the target is seen along with it
        beside = (np.abs(_wrapped(bearing - bearing[pick])) < 0.35) & (fits < 0.8) & ~elsewhere
        seen[beside] += 0.6
        seen[pick] += 1
        # the middle of the span stands for all of it: passing close to an object must not whirl the camera
        last += float(_wrapped(np.arctan2(offset[pick, 1], offset[pick, 0]) - last))
        yaw[frame:until] = last
        pitch[frame:until] = np.arctan2(offset[pick, 2], np.hypot(offset[pick, 0], offset[pick, 1]))
        frame = until
    shake = ndimage.gaussian_filter1d(rng.normal(0, 1, (count, 3)), 3.0, axis=0, mode="nearest")
    yaw = ndimage.gaussian_filter1d(yaw, 5.0, mode="nearest") + 0.03 * shake[:, 0]
    pitch = np.clip(ndimage.gaussian_filter1d(pitch, 5.0, mode="nearest"), -0.9, 0.4) + 0.03 * shake[:, 1]
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
