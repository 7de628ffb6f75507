"""Bathroom: toilets, bathtubs, washing machines."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator

from rgbd_perception.sources.synthetic import materials as mat
from rgbd_perception.sources.synthetic.materials import Material
from rgbd_perception.sources.synthetic.shape import Shape, ShapeBuilder
from rgbd_perception.sources.synthetic.shapes_appliances import tap


def _toilet_bowl(
    b: ShapeBuilder, body: Material, seat: Material, h: float, front: float, lid_up: bool, hung: bool
) -> None:
    """Bowl, seat and lid; the bowl's middle is at the origin and it reaches ``front`` towards +y."""
    w = 0.185
    low = h * 0.35 if hung else 0.0
    outer = [(0.62, low), (0.6, low + (h - low) * 0.35), (0.85, h * 0.78), (1.0, h - 0.03), (1.0, h - 0.01)]
    inner = [(0.72, h - 0.01), (0.6, h - 0.1), (0.3, h - 0.18), (0, h - 0.18)]
    b.lathe(body, [(r, z) for r, z in outer + inner], segments=26, scale=(w, front, 1))
    ring = [(1.02, h - 0.008), (1.04, h + 0.012), (0.9, h + 0.02), (0.68, h + 0.015), (0.66, h - 0.005)]
    b.lathe(seat, ring, segments=26, scale=(w, front, 1))
    if lid_up:
        b.cushion(seat, (0, -front - 0.01, h + 0.22), (2 * w, 0.03, 0.44), 0.5, roll=0.12)
    else:
        b.lathe(seat, [(1.03, h + 0.02), (1.0, h + 0.04), (0, h + 0.045)], segments=26, scale=(w, front, 1))


def toilet_close_coupled(rng: Generator) -> Shape:
    """Toilet with its cistern behind the bowl."""
    b = ShapeBuilder()
    body = mat.ceramic(rng, "white") if rng.random() < 0.85 else mat.ceramic(rng)
    seat = mat.plastic(rng, "white") if rng.random() < 0.7 else mat.wood(rng)
    h, front = rng.uniform(0.38, 0.44), rng.uniform(0.23, 0.27)
    _toilet_bowl(b, body, seat, h, front, rng.random() < 0.4, False)
    tank_h = rng.uniform(0.32, 0.42)
    rear = -front - 0.09
    b.box(body, (0, rear + 0.06, h * 0.45), (0.22, 0.2, h * 0.9))
    b.cushion(body, (0, rear, h + tank_h / 2 - 0.02), (0.38, 0.17, tank_h), 0.15)
    b.cushion(body, (0, rear, h + tank_h - 0.02), (0.4, 0.19, 0.035), 0.15)
    b.cylinder(mat.metal(rng, "gray"), (0, rear, h + tank_h - 0.005), 0.025, 0.01)
    return b.build(body)


def toilet_wall_hung(rng: Generator) -> Shape:
    """Wall-hung bowl in front of a boxed-in cistern with a flush plate."""
    b = ShapeBuilder()
    body, seat = mat.ceramic(rng, "white"), mat.plastic(rng, "white")
    panel = mat.pattern(
        rng, mat.Texture.TILES, mat.pick_color(rng, ("white", "gray", "beige")), "gray", 0.15, "tiled", 0.3
    )
    front = rng.uniform(0.24, 0.27)
    _toilet_bowl(b, body, seat, 0.4, front, rng.random() < 0.4, True)
    b.box(panel, (0, -front - 0.08, 0.55), (0.5, 0.15, 1.1))
    b.box(mat.metal(rng), (0, -front - 0.003, 0.95), (0.22, 0.01, 0.15))
    return b.build(body)


def toilet_high_tank(rng: Generator) -> Shape:
    """Toilet with a high cistern on a pipe."""
    b = ShapeBuilder()
    body, seat = mat.ceramic(rng, "white"), mat.wood(rng)
    front = 0.25
    _toilet_bowl(b, body, seat, 0.41, front, rng.random() < 0.5, False)
    rear = -front - 0.08
    b.box(body, (0, rear + 0.06, 0.18), (0.2, 0.2, 0.36))
    b.rod(mat.metal(rng, "gray"), (0, rear, 0.3), (0, rear, 1.4), 0.02)
    b.cushion(body, (0, rear, 1.52), (0.42, 0.18, 0.28), 0.15)
    return b.build(body)


def bathtub_built_in(rng: Generator) -> Shape:
    """Bathtub in a tiled surround."""
    b = ShapeBuilder()
    body = mat.ceramic(rng, "white")
    apron = (
        body
        if rng.random() < 0.5
        else mat.pattern(
            rng,
            mat.Texture.TILES,
            mat.pick_color(rng, ("white", "gray", "blue", "beige")),
            "gray",
            0.12,
            "tiled",
            0.3,
        )
    )
    w, d, h = rng.uniform(1.4, 1.75), rng.uniform(0.7, 0.8), rng.uniform(0.5, 0.6)
    rim = 0.07
    for s in (-1, 1):
        b.box(apron, (0, s * (d / 2 - 0.012), h / 2 - 0.02), (w, 0.024, h - 0.04))
        b.box(apron, (s * (w / 2 - 0.012), 0, h / 2 - 0.02), (0.024, d, h - 0.04))
        b.box(body, (0, s * (d / 2 - rim / 2), h - 0.015), (w, rim, 0.03))
        b.box(body, (s * (w / 2 - rim / 2), 0, h - 0.015), (rim, d, 0.03))
    _tub_inside(b, body, w - 2 * rim, d - 2 * rim, h)
    tap(b, rng, -w / 2 + 0.12, -d / 2 + 0.04, h)
    return b.build(body)


def bathtub_free(rng: Generator) -> Shape:
    """Free-standing oval tub."""
    b = ShapeBuilder()
    body = mat.ceramic(rng, "white") if rng.random() < 0.7 else mat.ceramic(rng)
    w, d, h = rng.uniform(1.45, 1.75), rng.uniform(0.7, 0.8), rng.uniform(0.54, 0.62)
    wall = [
        (0.34, 0.0),
        (0.42, 0.05),
        (0.47, h * 0.6),
        (0.5, h - 0.02),
        (0.5, h),
        (0.465, h),
        (0.42, h * 0.6),
        (0.33, 0.12),
        (0, 0.1),
    ]
    b.lathe(body, wall, segments=36, scale=(w, d, 1))
    return b.build(body)


def bathtub_claw(rng: Generator) -> Shape:
    """Oval tub on metal feet."""
    b = ShapeBuilder()
    body, inside, feet = mat.ceramic(rng), mat.ceramic(rng, "white"), mat.metal(rng)
    w, d, h = rng.uniform(1.4, 1.65), rng.uniform(0.68, 0.76), rng.uniform(0.56, 0.64)
    b.lathe(
        body, [(0, 0.12), (0.3, 0.12), (0.42, 0.22), (0.48, h * 0.7), (0.5, h)], segments=36, scale=(w, d, 1)
    )
    b.lathe(
        inside,
        [(0.51, h - 0.02), (0.52, h + 0.015), (0.48, h + 0.02), (0.43, h * 0.65), (0.32, 0.2), (0, 0.18)],
        segments=36,
        scale=(w, d, 1),
    )
    for sx in (-1, 1):
        for sy in (-1, 1):
            b.rod(feet, (sx * w * 0.27, sy * d * 0.3, 0), (sx * w * 0.24, sy * d * 0.22, 0.2), 0.03, 1.6)
    return b.build(body)


def _tub_inside(b: ShapeBuilder, material: Material, w: float, d: float, h: float) -> None:
    inside = [(0.5, h - 0.01), (0.47, h * 0.6), (0.42, 0.18), (0.36, 0.14), (0, 0.13)]
    profile = np.linspace(0, 2 * np.pi, 40)
    ring = np.stack(
        [
            np.sign(np.cos(profile)) * np.abs(np.cos(profile)) ** 0.35,
            np.sign(np.sin(profile)) * np.abs(np.sin(profile)) ** 0.35,
        ],
        axis=1,
    )
    grid = np.array([[(r * 2 * x * w / 2, r * 2 * y * d / 2, z) for x, y in ring] for r, z in inside])
    b.sheet(material, grid)


def washer_front(rng: Generator) -> Shape:
    """Front loader: white or grey box, round door, detergent drawer, knob."""
    b = ShapeBuilder()
    body = mat.plastic(rng, "white") if rng.random() < 0.7 else mat.metal(rng, "gray")
    w, d, h = 0.6, rng.uniform(0.5, 0.62), rng.uniform(0.83, 0.88)
    _washer_body(b, rng, body, w, d, h)
    b.support((0, 0, h), (w - 0.15, d - 0.15))
    return b.build(body)


def washer_stacked(rng: Generator) -> Shape:
    """Front loader with a dryer of the same make on top."""
    b = ShapeBuilder()
    body = mat.plastic(rng, "white")
    w, d, h = 0.6, 0.6, 0.85
    _washer_body(b, rng, body, w, d, h)
    upper = ShapeBuilder()
    _washer_body(upper, rng, body, w, d, h)
    stacked = upper.build(body)
    for index, material in enumerate(stacked.materials):
        part = stacked.mesh.triangles[stacked.part == index]
        b.add(
            material,
            type(stacked.mesh)(stacked.mesh.vertices, stacked.mesh.normals, part).moved((0, 0, h + 0.01)),
        )
    return b.build(body)


def washer_top(rng: Generator) -> Shape:
    """Top loader with a lid and a control panel at the back."""
    b = ShapeBuilder()
    body = mat.plastic(rng, "white")
    w, d, h = rng.uniform(0.45, 0.65), 0.6, rng.uniform(0.85, 0.95)
    b.box(body, (0, 0, h / 2), (w, d, h))
    b.box(body, (0, 0.06, h + 0.012), (w - 0.04, d - 0.16, 0.025))
    b.box(mat.glass(rng), (0, 0.08, h + 0.026), (w - 0.2, d - 0.32, 0.006))
    b.box(mat.plastic(rng, "gray"), (0, -d / 2 + 0.06, h + 0.06), (w, 0.12, 0.12), roll=-0.3)
    for x in (-0.12, 0.0, 0.12):
        b.rod(mat.metal(rng, "gray"), (x, -d / 2 + 0.1, h + 0.06), (x, -d / 2 + 0.15, h + 0.08), 0.022)
    return b.build(body)


def _washer_body(b: ShapeBuilder, rng: Generator, body: Material, w: float, d: float, h: float) -> None:
    chrome, dark = mat.metal(rng, "gray"), mat.plastic(rng, "black")
    b.box(body, (0, 0, h / 2), (w, d, h))
    r = rng.uniform(0.15, 0.18)
    y, z = d / 2, h * 0.45
    b.rod(chrome, (0, y, z), (0, y + 0.035, z), r + 0.03, 0.94)
    b.rod(mat.glass(rng) if rng.random() < 0.4 else dark, (0, y + 0.03, z), (0, y + 0.05, z), r * 0.8, 0.85)
    panel = body if rng.random() < 0.5 else dark
    b.box(panel, (0, y + 0.004, h - 0.07), (w - 0.01, 0.012, 0.11))
    b.box(body, (-w / 2 + 0.11, y + 0.012, h - 0.07), (0.18, 0.012, 0.08))
    b.rod(chrome, (0.08, y, h - 0.07), (0.08, y + 0.03, h - 0.07), 0.03)
    b.box(
        mat.pattern(rng, mat.Texture.SCREEN, "black", "black", 0.1),
        (w / 2 - 0.1, y + 0.012, h - 0.07),
        (0.1, 0.006, 0.04),
    )
