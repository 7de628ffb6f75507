"""Assembling one object: parts with materials, surfaces to put things on, words that describe it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rgbd_perception.sources.synthetic import mesh as m
from rgbd_perception.sources.synthetic.materials import Material

Point = tuple[float, float, float]


@dataclass(frozen=True)
class Support:
    """A horizontal rectangle (object frame) on which other objects can stand, with the free height above."""

    center: Point
    size: tuple[float, float]
    clearance: float = 1.0
    kind: str = "top"


@dataclass(frozen=True, eq=False)
class Shape:
    """An object in its own frame. ``part`` (T,) int32 indexes ``materials`` for each triangle."""

    mesh: m.Mesh
    part: NDArray[np.int32]
    materials: tuple[Material, ...]
    supports: tuple[Support, ...]
    attributes: tuple[str, ...]

    @cached_property
    def bounds(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Lowest and highest corner (3,) in the object frame."""
        return self.mesh.vertices.min(axis=0), self.mesh.vertices.max(axis=0)

    @property
    def size(self) -> NDArray[np.float32]:
        """Extents (3,) along the object's axes."""
        low, high = self.bounds
        return high - low


class ShapeBuilder:
    """Collects parts; every method adds one primitive made of ``material``."""

    def __init__(self) -> None:
        self._meshes: list[m.Mesh] = []
        self._parts: list[int] = []
        self._materials: list[Material] = []
        self._supports: list[Support] = []

    def add(self, material: Material, mesh: m.Mesh) -> None:
        if material not in self._materials:
            self._materials.append(material)
        self._meshes.append(mesh)
        self._parts.append(self._materials.index(material))

    def box(
        self,
        material: Material,
        center: ArrayLike,
        size: ArrayLike,
        yaw: float = 0.0,
        pitch: float = 0.0,
        roll: float = 0.0,
    ) -> None:
        turn = m.rotation_matrix(yaw, pitch, roll) if (yaw or pitch or roll) else None
        self.add(material, m.unit_box().scaled(size).moved(center, turn))

    def cushion(
        self,
        material: Material,
        center: ArrayLike,
        size: ArrayLike,
        exponent: float = 0.35,
        yaw: float = 0.0,
        pitch: float = 0.0,
        roll: float = 0.0,
    ) -> None:
        """A box with round edges; exponent 1 is an ellipsoid."""
        turn = m.rotation_matrix(yaw, pitch, roll) if (yaw or pitch or roll) else None
        self.add(material, m.superquadric(round(exponent, 2)).scaled(size).moved(center, turn))

    def cylinder(
        self,
        material: Material,
        foot: ArrayLike,
        radius: float,
        height: float,
        top: float = 1.0,
        segments: int = 16,
    ) -> None:
        """Upright from ``foot``; the upper radius is ``radius * top``."""
        unit = m.unit_cylinder(round(top, 3), segments)
        self.add(material, unit.scaled((radius, radius, height)).moved(foot))

    def rod(
        self, material: Material, start: ArrayLike, end: ArrayLike, radius: float, top: float = 1.0
    ) -> None:
        self.add(material, m.rod(start, end, radius, top, segments=24 if radius > 0.045 else 8))

    def tube(self, material: Material, points: ArrayLike, radius: float) -> None:
        self.add(material, m.tube(points, radius))

    def lathe(
        self,
        material: Material,
        profile: Sequence[tuple[float, float]],
        center: ArrayLike = (0, 0, 0),
        segments: int = 18,
        smooth: bool = True,
        scale: ArrayLike = (1, 1, 1),
    ) -> None:
        self.add(material, m.lathe(profile, segments, smooth).scaled(scale).moved(center))

    def sheet(self, material: Material, points: NDArray[np.floating]) -> None:
        self.add(material, m.sheet(points))

    def support(
        self, center: Point, size: tuple[float, float], clearance: float = 1.0, kind: str = "top"
    ) -> None:
        self._supports.append(Support(center, size, clearance, kind))

    def build(self, main: Material, words: Sequence[str] = ()) -> Shape:
        """Finish; ``main`` is the material that gives the object its colour and material words."""
        lengths = [len(mesh.triangles) for mesh in self._meshes]
        named = (main.color_name, main.name, *words)
        return Shape(
            mesh=m.merge(self._meshes),
            part=np.repeat(np.asarray(self._parts, dtype=np.int32), lengths),
            materials=tuple(self._materials),
            supports=tuple(self._supports),
            attributes=tuple(word for word in named if word),
        )
