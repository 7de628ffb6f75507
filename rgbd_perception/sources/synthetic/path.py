"""Cameras: poses that look at something, and independent random views of an apartment."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from rgbd_perception.frame import CameraIntrinsics
from rgbd_perception.sources.synthetic.apartment import Apartment, Instance
from rgbd_perception.sources.synthetic.free_space import FreeSpace, free_space
from rgbd_perception.sources.synthetic.render import Renderer, View


def look_at(
    eye: NDArray[np.floating], target: NDArray[np.floating], roll: float = 0.0
) -> NDArray[np.float64]:
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
    camera = CameraIntrinsics(
        focal.fx,
        focal.fy * float(rng.uniform(0.98, 1.02)),
        focal.cx + float(jitter[0]),
        focal.cy + float(jitter[1]),
        size[1],
        size[0],
    )
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


def _target_near(
    eye: NDArray[np.float64], things: list[Instance], rng: Generator
) -> NDArray[np.float64] | None:
    """The middle of an object at a distance that suits its size, or None."""
    for _ in range(10):
        thing = things[int(rng.integers(len(things)))]
        center = np.array(thing.box_center)
        distance = float(np.linalg.norm(center - eye))
        largest = max(thing.box_size)
        if max(0.5, 0.8 * largest) < distance < 1.2 + 2.2 * largest:
            return center
    return None
