"""Triangle primitives of which objects are assembled: boxes, cylinders, lathes, cushions, tubes, sheets.

Object frame: metres, z up, the front faces +y, the origin lies under the middle of the object.
A vertex carries its own shading normal; flat faces simply repeat their vertices.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Mesh:
    """vertices (V, 3) float32 metres, normals (V, 3) float32 unit, triangles (T, 3) int32."""

    vertices: Floats
    normals: Floats
    triangles: NDArray[np.int32]

    def scaled(self, scale: ArrayLike) -> Mesh:
        """Stretched along the axes; normals stay perpendicular to their surfaces."""
        factors = np.maximum(np.asarray(scale, dtype=np.float32), 1e-5)
        return Mesh(self.vertices * factors, _unit(self.normals / factors), self.triangles)

    def moved(self, offset: ArrayLike, rotation: NDArray[np.floating] | None = None) -> Mesh:
        """Rotated by ``rotation`` (3, 3), then shifted by ``offset`` (3,)."""
        shift = np.asarray(offset, dtype=np.float32)
        if rotation is None:
            return Mesh(self.vertices + shift, self.normals, self.triangles)
        turn = np.asarray(rotation, dtype=np.float32).T
        return Mesh(self.vertices @ turn + shift, self.normals @ turn, self.triangles)


def merge(meshes: Sequence[Mesh]) -> Mesh:
    """All meshes as one, triangles in the order given."""
    starts = np.cumsum([0] + [len(mesh.vertices) for mesh in meshes[:-1]])
    return Mesh(
        np.concatenate([mesh.vertices for mesh in meshes]),
        np.concatenate([mesh.normals for mesh in meshes]),
        np.concatenate([mesh.triangles + start for mesh, start in zip(meshes, starts, strict=True)]).astype(
            np.int32
        ),
    )


def rotation_matrix(yaw: float = 0.0, pitch: float = 0.0, roll: float = 0.0) -> NDArray[np.float64]:
    """Rz(yaw) Ry(pitch) Rx(roll), radians."""
    cy, sy, cp, sp = np.cos(yaw), np.sin(yaw), np.cos(pitch), np.sin(pitch)
    cr, sr = np.cos(roll), np.sin(roll)
    turn_z = np.array([[cy, -sy, 0], [sy, cy, 0], [0, 0, 1]])
    turn_y = np.array([[cp, 0, sp], [0, 1, 0], [-sp, 0, cp]])
    turn_x = np.array([[1, 0, 0], [0, cr, -sr], [0, sr, cr]])
    return turn_z @ turn_y @ turn_x


@lru_cache(maxsize=1)
def unit_box() -> Mesh:
    """Cube of side 1 about the origin, faces with flat normals."""
    vertices: list[NDArray[np.float64]] = []
    normals: list[NDArray[np.float64]] = []
    triangles: list[tuple[int, int, int]] = []
    for axis in range(3):
        for sign in (-1.0, 1.0):
            normal = np.zeros(3)
            normal[axis] = sign
            side, up = np.roll(np.eye(3)[axis], 1), np.roll(np.eye(3)[axis], 2)
            start = len(vertices)
            for a, b in ((-1, -1), (1, -1), (1, 1), (-1, 1)):
                vertices.append(0.5 * (normal + a * side + b * up))
                normals.append(normal)
            triangles += [(start, start + 1, start + 2), (start, start + 2, start + 3)]
    return _mesh(vertices, normals, triangles)


@lru_cache(maxsize=64)
def superquadric(exponent: float, rings: int = 10, segments: int = 16) -> Mesh:
    """Unit superquadric (side 1): exponent 1 is a ball, 0.3 a cushion, 0.1 nearly a box."""
    latitude = np.linspace(-np.pi / 2, np.pi / 2, rings + 1)[:, None]
    longitude = np.linspace(0, 2 * np.pi, segments + 1)[None, :]

    def power(value: NDArray[np.float64], e: float) -> NDArray[np.float64]:
        return np.sign(value) * np.abs(value) ** e

    cos_lat, sin_lat = np.cos(latitude), np.sin(latitude)
    cos_lon, sin_lon = np.cos(longitude), np.sin(longitude)
    ones = np.ones_like(longitude)
    points = 0.5 * np.stack(
        [
            power(cos_lat, exponent) * power(cos_lon, exponent),
            power(cos_lat, exponent) * power(sin_lon, exponent),
            power(sin_lat, exponent) * ones,
        ],
        axis=-1,
    )
    outward = np.stack(
        [
            power(cos_lat, 2 - exponent) * power(cos_lon, 2 - exponent),
            power(cos_lat, 2 - exponent) * power(sin_lon, 2 - exponent),
            power(sin_lat, 2 - exponent) * ones,
        ],
        axis=-1,
    )
    return _grid(points, outward)


def lathe(
    profile: Sequence[tuple[float, float]], segments: int = 16, smooth: bool = False, turn: float = 2 * np.pi
) -> Mesh:
    """Revolve ``profile`` (radius, z) about z. ``smooth`` shades across the corners of the profile."""
    points = np.asarray(profile, dtype=np.float64)
    delta = np.diff(points, axis=0)
    slope = np.stack([delta[:, 1], -delta[:, 0]], axis=1)
    slope /= np.maximum(np.linalg.norm(slope, axis=1, keepdims=True), 1e-9)
    if smooth:
        padded = np.concatenate([slope[:1], slope, slope[-1:]])
        return _revolve(points, padded[:-1] + padded[1:], segments, turn)
    pieces = [
        _revolve(points[i : i + 2], slope[[i, i]], segments, turn)
        for i in range(len(slope))
        if np.abs(delta[i]).max() > 1e-6
    ]
    return merge(pieces)


def _revolve(points: NDArray[np.float64], slope: NDArray[np.float64], segments: int, turn: float) -> Mesh:
    angle = np.linspace(0, turn, segments + 1)[None, :]
    radius, height = points[:, :1], points[:, 1:]
    ring = np.stack([radius * np.cos(angle), radius * np.sin(angle), height + 0 * angle], axis=-1)
    outward = np.stack(
        [slope[:, :1] * np.cos(angle), slope[:, :1] * np.sin(angle), slope[:, 1:] + 0 * angle], axis=-1
    )
    return _grid(ring, outward)


@lru_cache(maxsize=128)
def unit_cylinder(top: float = 1.0, segments: int = 14) -> Mesh:
    """Radius 1 at z = 0, radius ``top`` at z = 1, with caps."""
    return lathe([(0, 0), (1, 0), (top, 1), (0, 1)], segments)


def rod(start: ArrayLike, end: ArrayLike, radius: float, top: float = 1.0, segments: int = 8) -> Mesh:
    """Cylinder from ``start`` to ``end`` (3,), radius ``radius * top`` at the end."""
    foot, head = np.asarray(start, dtype=np.float64), np.asarray(end, dtype=np.float64)
    length = float(np.linalg.norm(head - foot))
    axis = (head - foot) / max(length, 1e-9)
    helper = np.array([1.0, 0, 0]) if abs(axis[0]) < 0.8 else np.array([0, 1.0, 0])
    side = np.cross(helper, axis)
    side /= np.linalg.norm(side)
    turn = np.stack([side, np.cross(axis, side), axis], axis=1)
    return unit_cylinder(top, segments).scaled((radius, radius, length)).moved(foot, turn)


def tube(points: ArrayLike, radius: float, segments: int = 7) -> Mesh:
    """Rods through ``points`` (N, 3), joined end to end."""
    path = np.asarray(points, dtype=np.float64)
    return merge([rod(path[i], path[i + 1], radius, segments=segments) for i in range(len(path) - 1)])


def sheet(points: NDArray[np.floating]) -> Mesh:
    """Surface through a grid of points (R, C, 3); normals by finite differences, both sides are seen."""
    along = np.gradient(points, axis=0)
    across = np.gradient(points, axis=1)
    return _grid(points, np.cross(along, across))


def _grid(points: NDArray[np.floating], outward: NDArray[np.floating]) -> Mesh:
    rows, columns = points.shape[:2]
    corner = (np.arange(rows - 1)[:, None] * columns + np.arange(columns - 1)[None, :]).ravel()
    right, below = corner + 1, corner + columns
    triangles = np.concatenate([np.stack([corner, right, below], 1), np.stack([right, below + 1, below], 1)])
    return _mesh(points.reshape(-1, 3), _unit(outward.reshape(-1, 3)), triangles)


def _unit(vectors: ArrayLike) -> Floats:
    rows = np.asarray(vectors, dtype=np.float32)
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)


def _mesh(vertices: ArrayLike, normals: ArrayLike, triangles: ArrayLike) -> Mesh:
    return Mesh(
        np.asarray(vertices, dtype=np.float32),
        np.asarray(normals, dtype=np.float32),
        np.asarray(triangles, dtype=np.int32),
    )
