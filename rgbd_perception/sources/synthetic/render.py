"""Rendering a view of an apartment: color, depth, label, instance. Rays by Open3D, shading by numba."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from rgbd_perception.frame import UNKNOWN_LABEL, CameraIntrinsics
from rgbd_perception.open3d_loader import load_open3d
from rgbd_perception.sources.synthetic import shading
from rgbd_perception.sources.synthetic.apartment import Apartment
from rgbd_perception.sources.synthetic.sensor import SensorConfig, develop, sense_depth

_SHADOWED_LIGHTS = 2
_AMBIENT_REACH = 0.45


@dataclass(frozen=True, eq=False)
class View:
    """A camera: pose (4, 4) optical frame to world, intrinsics with the image size."""

    pose: NDArray[np.float64]
    intrinsics: CameraIntrinsics


@dataclass(frozen=True, eq=False)
class Rendered:
    """color (H, W, 3) uint8, depth (H, W) float32 metres (0: none), label and instance (H, W) uint16."""

    color: NDArray[np.uint8]
    depth: NDArray[np.float32]
    label: NDArray[np.uint16]
    instance: NDArray[np.uint16]


@dataclass(frozen=True, eq=False)
class _Hits:
    """What each ray met: distance along the ray, triangle, material, room, point, normal, albedo, cosine."""

    t: NDArray[np.float32]
    triangle: NDArray[np.uint32]
    material: NDArray[np.int32]
    room: NDArray[np.int32]
    point: NDArray[np.float32]
    normal: NDArray[np.float32]
    albedo: NDArray[np.float32]
    facing: NDArray[np.float32]


class Renderer:
    """The ray casting scene of one apartment, on one thread. Not thread safe."""

    def __init__(self, apartment: Apartment, sensor: SensorConfig | None = None) -> None:
        self.apartment = apartment
        self.sensor = sensor or SensorConfig()
        o3d = load_open3d()
        self._o3c = o3d.core
        self._scene = o3d.t.geometry.RaycastingScene(nthreads=1)
        self._scene.add_triangles(
            o3d.core.Tensor(apartment.vertices), o3d.core.Tensor(apartment.triangles.astype(np.uint32))
        )
        self._corners = np.ascontiguousarray(apartment.normals[apartment.triangles])

    def render(self, view: View, seed: int | tuple[int, ...], exact_depth: bool = False) -> Rendered:
        """The view with sensor noise drawn from ``seed``; ``exact_depth``: depth as the geometry has it."""
        height, width = view.intrinsics.height, view.intrinsics.width
        rays = camera_rays(view)
        hits = self._cast(rays)
        rng = np.random.default_rng(seed)
        radiance = self._radiance(rays, hits, (height, width), rng)
        self._reflect(rays, hits, radiance)
        none = hits.triangle == shading.NO_TRIANGLE
        safe = np.where(none, 0, hits.triangle)
        instance = (
            np.where(none, 0, self.apartment.tri_instance[safe]).astype(np.uint16).reshape(height, width)
        )
        label = self.apartment.labels[instance]
        label[instance == 0] = UNKNOWN_LABEL
        depth = np.where(none, 0.0, hits.t).astype(np.float32).reshape(height, width)
        color = develop(radiance.reshape(height, width, 3), rng)
        if not exact_depth:
            facing = hits.facing.reshape(height, width)
            drop = self.apartment.materials[hits.material, 12].reshape(height, width)
            depth = sense_depth(depth, facing, drop, rng, self.sensor)
        return Rendered(color, depth, label, instance)

    def geometry(self, view: View) -> tuple[NDArray[np.float32], NDArray[np.uint16]]:
        """Only depth (H, W) metres and instance (H, W), without shading: fast enough to choose views by."""
        shape = view.intrinsics.height, view.intrinsics.width
        answer = self._scene.cast_rays(self._o3c.Tensor(camera_rays(view)), nthreads=1)
        triangle = answer["primitive_ids"].numpy()
        none = triangle == shading.NO_TRIANGLE
        instance = np.where(none, 0, self.apartment.tri_instance[np.where(none, 0, triangle)])
        depth = np.where(none, 0.0, answer["t_hit"].numpy())
        return depth.astype(np.float32).reshape(shape), instance.astype(np.uint16).reshape(shape)

    def clearance(self, points: NDArray[np.floating]) -> NDArray[np.float32]:
        """Distance in metres of each point (N, 3) to the nearest surface."""
        tensor = self._o3c.Tensor(np.ascontiguousarray(points, dtype=np.float32))
        return np.asarray(self._scene.compute_distance(tensor, nthreads=1).numpy())

    def _cast(self, rays: NDArray[np.float32]) -> _Hits:
        answer = self._scene.cast_rays(self._o3c.Tensor(rays), nthreads=1)
        triangle = answer["primitive_ids"].numpy()
        t = answer["t_hit"].numpy()
        world = self.apartment
        point, normal, albedo, facing = shading.surfaces(
            rays,
            t,
            triangle,
            answer["primitive_uvs"].numpy(),
            self._corners,
            world.tri_instance,
            world.tri_material,
            world.frames,
            world.materials,
        )
        safe = np.where(triangle == shading.NO_TRIANGLE, 0, triangle)
        room = world.instance_room[world.tri_instance[safe]]
        return _Hits(t, triangle, world.tri_material[safe], room, point, normal, albedo, facing)

    def _radiance(
        self, rays: NDArray[np.float32], hits: _Hits, shape: tuple[int, int], rng: Generator
    ) -> NDArray[np.float32]:
        """Shadows and ambient light are traced at half the resolution and smoothed, shading at full."""
        lit = np.ones((_SHADOWED_LIGHTS, len(rays)), dtype=np.float32)
        pick = np.arange(len(rays)).reshape(shape)[::2, ::2]
        small = pick.shape
        index = pick.ravel()
        point, normal = hits.point[index], hits.normal[index]
        for light in range(_SHADOWED_LIGHTS):
            shadow = shading.shadow_rays(
                point, normal, hits.room[index], self.apartment.lights, light, small[1], rng.random(2)
            )
            lit[light] = _spread(self._unoccluded(shadow, 0.97), small, shape)
        ambient = shading.ambient_rays(point, normal, _AMBIENT_REACH, small[1], rng.random(2))
        sky = _spread(self._unoccluded(ambient, 1.0), small, shape)
        return self._shade(rays, hits, lit, sky)

    def _unoccluded(self, rays: NDArray[np.float32], far: float) -> NDArray[np.float32]:
        blocked = self._scene.test_occlusions(self._o3c.Tensor(rays), tnear=0.0, tfar=far, nthreads=1)
        return 1.0 - blocked.numpy().astype(np.float32)

    def _shade(
        self, rays: NDArray[np.float32], hits: _Hits, lit: NDArray[np.float32], sky: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        world = self.apartment
        return shading.shade(
            rays,
            hits.point,
            hits.normal,
            hits.albedo,
            hits.material,
            hits.room,
            lit,
            sky,
            world.lights,
            world.ambient,
            world.materials,
        )

    def _reflect(self, rays: NDArray[np.float32], hits: _Hits, radiance: NDArray[np.float32]) -> None:
        """Replace the pixels on mirrors by what is seen in them (one bounce, without shadows)."""
        mirror = np.flatnonzero(
            (self.apartment.materials[hits.material, 0] == shading.MIRROR)
            & (hits.triangle != shading.NO_TRIANGLE)
        )
        if len(mirror) == 0:
            return
        normal, direction = hits.normal[mirror], rays[mirror, 3:]
        along = np.einsum("ij,ij->i", normal, direction)[:, None]
        bounced = direction - 2 * along * normal
        again = np.concatenate([hits.point[mirror] + 0.003 * normal, bounced], axis=1).astype(np.float32)
        seen = self._cast(again)
        lit = np.ones((0, len(again)), dtype=np.float32)
        radiance[mirror] = 0.88 * self._shade(again, seen, lit, np.full(len(again), 0.8, dtype=np.float32))


def _spread(
    share: NDArray[np.float32], small: tuple[int, int], shape: tuple[int, int]
) -> NDArray[np.float32]:
    """Average the samples of each 4 x 4 tile and enlarge to ``shape``; flat again."""
    smooth = cv2.blur(share.reshape(small), (4, 4))
    return np.asarray(cv2.resize(smooth, shape[::-1], interpolation=cv2.INTER_LINEAR).ravel())


def camera_rays(view: View) -> NDArray[np.float32]:
    """(H * W, 6) rays of a view; directions have z = 1 in the camera, so that t is depth."""
    k = view.intrinsics
    return shading.pinhole_rays(view.pose, k.fx, k.fy, k.cx, k.cy, k.height, k.width)
