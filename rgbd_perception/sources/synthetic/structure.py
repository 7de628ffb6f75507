"""Walls, floors, ceilings, doors and windows of a plan as shapes in the wall's frame.

Wall frame: origin in the middle of the wall at the floor on its inner face, x along it, +y into the room.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.random import Generator

from rgbd_perception.sources.synthetic import materials as mat
from rgbd_perception.sources.synthetic.materials import Material, Texture
from rgbd_perception.sources.synthetic.plan import WALL, Opening, Room
from rgbd_perception.sources.synthetic.shape import Shape, ShapeBuilder

_WALL_COLORS = (*("white",) * 3, *("beige",) * 2, "gray", "blue", "green", "yellow", "pink", "orange")


@dataclass(frozen=True)
class Finish:
    """Surfaces of one room."""

    wall: Material
    accent: Material
    floor: Material
    ceiling: Material
    skirting: Material
    door: Material
    frame: Material


def pick_finish(rng: Generator, kind: str) -> Finish:
    """Paint, wallpaper, tiles or bricks; boards, tiles, stone or carpet underfoot."""
    wet = kind in ("bathroom", "kitchen")
    wall = _wall(rng, tiles=wet and rng.random() < 0.6)
    accent = _wall(rng, tiles=False) if not wet and rng.random() < 0.35 else wall
    white = (0.82, 0.82, 0.8)
    door = mat.painted(rng, "white") if rng.random() < 0.5 else mat.wood(rng)
    frame = mat.painted(rng, "white") if rng.random() < 0.7 else mat.wood(rng)
    return Finish(
        wall=wall,
        accent=accent,
        floor=_floor(rng, wet),
        ceiling=Material(Texture.PLAIN, white, white, specular=0.0, color_name="white", name="painted"),
        skirting=frame,
        door=door,
        frame=frame,
    )


def _wall(rng: Generator, tiles: bool) -> Material:
    if tiles:
        glaze = mat.pick_color(rng, ("white", "white", "beige", "gray", "blue", "green"))
        scale = float(rng.choice([0.1, 0.15, 0.2, 0.3]))
        return mat.pattern(rng, Texture.TILES, glaze, "gray", scale, "tiled", 0.35)
    word = mat.pick_color(rng, _WALL_COLORS)
    base = np.asarray(mat.color(word, rng))
    # wall paint is a pale version of the colour
    pale = base + (0.8 - base) * rng.uniform(0.35, 0.8)
    paint, phase = mat.rgb(pale), float(rng.uniform(0, 50))
    kind = rng.random()
    if kind < 0.7:
        return Material(
            Texture.PLAIN, paint, paint, specular=0.0, color_name=word, name="painted", phase=phase
        )
    if kind < 0.9:
        other = mat.rgb(pale * rng.uniform(0.6, 0.9))
        texture = Texture(rng.choice([Texture.STRIPES, Texture.DOTS, Texture.BLOTCHES, Texture.PLAID]))
        name = "striped" if texture == Texture.STRIPES else "patterned"
        paper = mat.pattern(rng, texture, paint, other, rng.uniform(0.06, 0.25), name, 0.0)
        return replace(paper, color_name=word)
    brick = mat.pattern(rng, Texture.BRICKS, (0.35, 0.13, 0.08), (0.55, 0.5, 0.45), 0.075, "brick", 0.0)
    if rng.random() < 0.6:
        return replace(brick, color_name="red")
    return replace(brick, color=(0.7, 0.69, 0.66), color_name="white")


def _floor(rng: Generator, wet: bool) -> Material:
    kind = rng.random()
    if wet:
        base = mat.pick_color(rng, ("white", "gray", "beige", "black", "brown", "blue"))
        if kind < 0.25:
            return mat.pattern(
                rng, Texture.CHECKER, base, "white" if base != "white" else "black", 0.3, "tiled", 0.3
            )
        return mat.pattern(
            rng, Texture.TILES, base, "gray", float(rng.choice([0.2, 0.3, 0.45])), "tiled", 0.3
        )
    if kind < 0.6:
        board = mat.wood(rng)
        return replace(
            board, texture=Texture.PLANKS, scale=float(rng.uniform(0.09, 0.2)), contrast=rng.uniform(0.5, 1.0)
        )
    if kind < 0.8:
        return mat.fabric(rng, mat.pick_color(rng, ("gray", "beige", "brown", "blue", "green", "red")), 0.1)
    if kind < 0.9:
        return mat.stone(rng)
    return mat.pattern(rng, Texture.BLOTCHES, "gray", (0.3, 0.3, 0.3), 0.4, "concrete", 0.15, 0.4)


def wall_shape(room: Room, side: int, material: Material, skirting: Material) -> Shape:
    """One wall with its holes and a skirting board."""
    b = ShapeBuilder()
    length, height = room.wall_length(side) + 2 * WALL, room.height
    start = -length / 2

    def slab(x0: float, x1: float, z0: float, z1: float) -> None:
        if x1 - x0 > 1e-4 and z1 - z0 > 1e-4:
            b.box(material, ((x0 + x1) / 2, -WALL / 2, (z0 + z1) / 2), (x1 - x0, WALL, z1 - z0))

    for hole in sorted(room.openings[side], key=lambda o: o.along):
        left, right = hole.along - hole.width / 2, hole.along + hole.width / 2
        slab(start, left, 0, height)
        slab(left, right, 0, hole.low)
        slab(left, right, hole.high, height)
        start = right
    slab(start, length / 2, 0, height)
    start = -length / 2 + WALL
    doors = sorted((o for o in room.openings[side] if o.kind == "door"), key=lambda o: o.along)
    for left, right in [
        *((o.along - o.width / 2 - 0.07, o.along + o.width / 2 + 0.07) for o in doors),
        (length / 2 - WALL, 0),
    ]:
        if left - start > 0.02:
            b.box(skirting, ((start + left) / 2, 0.006, 0.04), (left - start, 0.012, 0.08))
        start = right
    return b.build(material)


def slab_shape(room: Room, material: Material, up: bool) -> Shape:
    """Floor (top at z = 0) or ceiling (bottom at z = 0); the origin is the room's middle."""
    b = ShapeBuilder()
    w, d = room.size
    b.box(material, (0, 0, WALL / 2 if up else -WALL / 2), (w + 2 * WALL, d + 2 * WALL, WALL))
    return b.build(material)


def door_shape(rng: Generator, opening: Opening, leaf: Material, frame: Material) -> Shape:
    """Frame, leaf, panels and handle; the leaf stands open into the room by the opening's angle."""
    b = ShapeBuilder()
    w, h = opening.width, opening.high
    depth = 2 * WALL + 0.03 if opening.to >= 0 else WALL + 0.03
    middle = -WALL if opening.to >= 0 else -WALL / 2
    for s in (-1, 1):
        b.box(frame, (s * (w / 2 - 0.015), middle, h / 2), (0.03, depth, h))
        b.box(frame, (s * (w / 2 + 0.03), 0.01, h / 2 + 0.03), (0.07, 0.02, h + 0.06))
    b.box(frame, (0, middle, h - 0.015), (w, depth, 0.03))
    b.box(frame, (0, 0.01, h + 0.03), (w + 0.13, 0.02, 0.07))
    leaf_w, leaf_h = w - 0.07, h - 0.045
    hinge, angle = opening.hinge, opening.angle
    turn = -hinge * angle
    pivot = np.array([hinge * leaf_w / 2, 0.0 if angle else -WALL * 0.4, 0.0])

    def on_leaf(x: float, y: float, z: float) -> np.ndarray:
        """Leaf coordinates (x from the hinge towards the lock) to the wall's frame."""
        dx, dy = -hinge * x, y
        c, s = np.cos(turn), np.sin(turn)
        return np.array([pivot[0] + c * dx - s * dy, pivot[1] + s * dx + c * dy, z])

    b.box(leaf, on_leaf(leaf_w / 2, 0, leaf_h / 2 + 0.01), (leaf_w, 0.038, leaf_h), yaw=turn)
    style = rng.integers(4)
    rows = (0, 1, 2, 4)[style]
    for row in range(rows):
        tall = (leaf_h - 0.3) / rows - 0.1
        z = 0.2 + (leaf_h - 0.3) * (row + 0.5) / rows
        panel = mat.glass(rng) if rows == 2 and row == 1 and rng.random() < 0.4 else leaf
        for y in (-0.018, 0.018):
            b.box(panel, on_leaf(leaf_w / 2, y, z), (leaf_w - 0.26, 0.016, tall), yaw=turn)
    steel = mat.metal(rng)
    for y in (-1, 1):
        b.rod(steel, on_leaf(leaf_w - 0.07, y * 0.01, 1.03), on_leaf(leaf_w - 0.07, y * 0.06, 1.03), 0.011)
        b.rod(steel, on_leaf(leaf_w - 0.07, y * 0.055, 1.03), on_leaf(leaf_w - 0.19, y * 0.055, 1.03), 0.01)
        b.box(steel, on_leaf(leaf_w - 0.07, y * 0.021, 1.0), (0.04, 0.006, 0.18), yaw=turn)
    return b.build(leaf)


def window_shape(rng: Generator, opening: Opening, frame: Material, daylight: float) -> Shape:
    """Frame with bars, sill, and the view through the panes."""
    b = ShapeBuilder()
    w, low, high = opening.width, opening.low, opening.high
    h, z = high - low, (low + high) / 2
    view = Material(
        Texture.OUTSIDE,
        (0.6, 0.7, 0.9),
        (0.6, 0.7, 0.9),
        emission=daylight,
        sensor_drop=0.8,
        phase=rng.uniform(0, 50),
    )
    b.box(view, (0, -WALL + 0.008, z), (w, 0.006, h))
    for s in (-1, 1):
        b.box(frame, (s * (w / 2 - 0.03), -WALL / 2, z), (0.06, WALL, h))
        b.box(frame, (0, -WALL / 2, z + s * (h / 2 - 0.03)), (w, WALL, 0.06))
    for x in np.linspace(-w / 2, w / 2, max(2, round(w / 0.65)) + 1)[1:-1]:
        b.box(frame, (x, -WALL * 0.6, z), (0.07, WALL * 0.6, h))
    if rng.random() < 0.4:
        b.box(frame, (0, -WALL * 0.6, z + h * 0.15), (w, WALL * 0.5, 0.04))
    b.box(frame, (0, 0.05, low - 0.015), (w + 0.12, 0.16, 0.03))
    b.rod(mat.metal(rng), (0.06, -0.01, z), (0.06, 0.03, z - 0.1), 0.01)
    shape = b.build(frame)
    return replace(shape, attributes=(("large",) if w > 1.6 else ("small",) if w < 0.9 else ()))
