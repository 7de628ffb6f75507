"""Lamps, televisions, laptops, clocks."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.random import Generator

from rgbd_perception.sources.synthetic import materials as mat
from rgbd_perception.sources.synthetic.materials import Material, Texture
from rgbd_perception.sources.synthetic.shape import Shape, ShapeBuilder


def _shade_material(rng: Generator) -> Material:
    """A lamp shade of cloth or paper, lit from inside or not."""
    word = mat.pick_color(
        rng, ("white", "beige", "beige", "yellow", "red", "gray", "blue", "green", "orange")
    )
    rgb = mat.color(word, rng)
    glow = rng.uniform(0.5, 1.4) if rng.random() < 0.6 else 0.15
    return Material(
        Texture.FABRIC, rgb, rgb, scale=0.006, contrast=0.3, emission=glow, name="fabric", color_name=word
    )


def _stand(rng: Generator) -> Material:
    return mat.metal(rng) if rng.random() < 0.65 else mat.wood(rng)


def _shade(
    b: ShapeBuilder, material: Material, z: float, r: float, h: float, style: int, x: float = 0, y: float = 0
) -> None:
    """A cone, drum, dome or ball whose lower edge is at ``z``."""
    profiles = (
        [(r, 0), (r * 0.6, h)],
        [(r, 0), (r * 0.97, h)],
        [(r, 0), (r * 0.92, h * 0.4), (r * 0.6, h * 0.8), (0.02, h)],
    )
    if style == 3:
        b.cushion(material, (x, y, z + h / 2), (2 * r * 0.85, 2 * r * 0.85, h), 1.0)
        return
    b.lathe(material, profiles[style], (x, y, z), segments=24)
    b.cushion(mat.glowing((1.0, 0.9, 0.7), 1.6), (x, y, z + h * 0.45), (0.06, 0.06, 0.09), 1.0)


def lamp_floor(rng: Generator) -> Shape:
    """A floor lamp: foot, pole, shade."""
    b = ShapeBuilder()
    stand, shade = _stand(rng), _shade_material(rng)
    h, r = rng.uniform(1.3, 1.75), rng.uniform(0.15, 0.24)
    shade_h = rng.uniform(0.2, 0.32)
    if rng.random() < 0.3:
        for angle in np.arange(3) * 2 * np.pi / 3:
            b.rod(stand, (0.25 * np.cos(angle), 0.25 * np.sin(angle), 0), (0, 0, h - shade_h), 0.014)
    else:
        b.cylinder(stand, (0, 0, 0), rng.uniform(0.12, 0.16), 0.025, segments=22)
        b.rod(stand, (0, 0, 0.02), (0, 0, h - shade_h * 0.5), 0.012)
    _shade(b, shade, h - shade_h, r, shade_h, int(rng.integers(3)))
    return b.build(shade)


def lamp_arc(rng: Generator) -> Shape:
    """A floor lamp whose arm bends over."""
    b = ShapeBuilder()
    stand, shade = mat.metal(rng), mat.metal(rng) if rng.random() < 0.5 else _shade_material(rng)
    h, reach = rng.uniform(1.4, 1.7), rng.uniform(0.35, 0.6)
    b.cylinder(stand, (0, 0, 0), 0.15, 0.04, segments=22)
    angle = np.linspace(0, np.pi * 0.75, 9)
    points = [(reach / 2 * (1 - np.cos(a)), 0, h - reach * 0.4 + reach * 0.4 * np.sin(a)) for a in angle]
    b.tube(stand, [(0, 0, 0.03), *points], 0.011)
    x, _, z = points[-1]
    _shade(b, shade, z - 0.16, 0.15, 0.16, 2, x=x)
    return b.build(shade)


def lamp_table(rng: Generator) -> Shape:
    """A table lamp: turned or ceramic base with a shade."""
    b = ShapeBuilder()
    base = mat.ceramic(rng) if rng.random() < 0.6 else _stand(rng)
    shade = _shade_material(rng)
    h, r = rng.uniform(0.32, 0.55), rng.uniform(0.1, 0.17)
    fat = rng.uniform(0.05, 0.085)
    body = [
        (fat * 0.8, 0),
        (fat, h * 0.12),
        (fat * rng.uniform(0.5, 1.1), h * 0.3),
        (0.015, h * 0.5),
        (0.012, h * 0.62),
    ]
    b.lathe(base, body)
    _shade(b, shade, h * 0.58, r, h * 0.42, int(rng.integers(4)))
    return b.build(shade)


def lamp_desk(rng: Generator) -> Shape:
    """A jointed desk lamp."""
    b = ShapeBuilder()
    body = mat.metal(rng) if rng.random() < 0.5 else mat.plastic(rng)
    h = rng.uniform(0.35, 0.5)
    b.cylinder(body, (0, -0.05, 0), 0.085, 0.02, segments=20)
    elbow, tip = (0.0, -0.13, h * 0.62), (0.0, 0.05, h)
    b.tube(body, [(0, -0.05, 0.02), elbow, tip], 0.008)
    b.rod(body, (0, 0.03, h + 0.02), (0, 0.12, h - 0.09), 0.03, 2.4)
    b.cushion(mat.glowing((1.0, 0.92, 0.75), 1.8), (0, 0.115, h - 0.085), (0.08, 0.06, 0.06), 1.0)
    return b.build(body)


def lamp_pendant(rng: Generator) -> Shape:
    """A lamp that hangs from the ceiling; the origin is at the ceiling, the lamp below it."""
    b = ShapeBuilder()
    shade = _shade_material(rng) if rng.random() < 0.7 else mat.metal(rng)
    cord = mat.plastic(rng, "black")
    drop, r, h = rng.uniform(0.3, 0.6), rng.uniform(0.14, 0.26), rng.uniform(0.15, 0.28)
    b.cylinder(cord, (0, 0, -0.03), 0.05, 0.03)
    b.rod(cord, (0, 0, -drop), (0, 0, -0.02), 0.006)
    _shade(b, shade, -drop - h * 0.9, r, h, int(rng.integers(4)))
    return b.build(shade)


def lamp_ceiling(rng: Generator) -> Shape:
    """A flat ceiling light; the origin is at the ceiling."""
    b = ShapeBuilder()
    white = Material(
        Texture.PLAIN,
        (0.9, 0.88, 0.82),
        (0.9, 0.88, 0.82),
        emission=rng.uniform(0.8, 1.8),
        color_name="white",
        name="glass",
    )
    r = rng.uniform(0.16, 0.26)
    if rng.random() < 0.5:
        b.cylinder(mat.metal(rng), (0, 0, -0.03), r, 0.03, segments=26)
        b.lathe(white, [(r * 0.95, -0.03), (r * 0.8, -0.08), (0, -0.1)], segments=26)
    else:
        b.box(mat.metal(rng), (0, 0, -0.015), (2 * r, 2 * r, 0.03))
        b.cushion(white, (0, 0, -0.05), (1.85 * r, 1.85 * r, 0.08), 0.25)
    return b.build(white)


def _display(rng: Generator, kinds: tuple[float, ...]) -> Material:
    """A screen that shows one of ``kinds``: 0 off, 1 a film, 2 light and 3 dark text."""
    base = mat.pattern(rng, Texture.SCREEN, "black", "black", 0.1, specular=0.5)
    shown = float(rng.choice(kinds))
    return replace(base, emission=float(rng.uniform(0.5, 1.1)), sensor_drop=0.35, gloss=90.0, extra=shown)


_TV = (0.0, 0.0, 1.0, 1.0)
_LAPTOP = (0.0, 1.0, 2.0, 2.0, 3.0)


def tv_stand(rng: Generator) -> Shape:
    """Flat television on a foot."""
    b = ShapeBuilder()
    w = rng.uniform(0.75, 1.3)
    _flat_screen(b, rng, w, 0.07)
    black = mat.plastic(rng, "black")
    if rng.random() < 0.5:
        b.box(black, (0, 0, 0.008), (w * 0.4, 0.2, 0.016))
        b.box(black, (0, -0.01, 0.05), (0.12, 0.03, 0.1))
    else:
        for s in (-1, 1):
            b.rod(black, (s * w * 0.36, 0.1, 0.01), (s * w * 0.34, 0, 0.08), 0.01)
            b.rod(black, (s * w * 0.36, -0.1, 0.01), (s * w * 0.34, 0, 0.08), 0.01)
    return b.build(black)


def tv_wall(rng: Generator) -> Shape:
    """Flat television for the wall."""
    b = ShapeBuilder()
    _flat_screen(b, rng, rng.uniform(0.8, 1.4), 0.0)
    b.box(mat.plastic(rng, "black"), (0, -0.035, 0.25), (0.3, 0.04, 0.2))
    return b.build(mat.plastic(rng, "black"))


def tv_old(rng: Generator) -> Shape:
    """A deep tube television."""
    b = ShapeBuilder()
    case = mat.plastic(rng, str(rng.choice(["black", "gray"]))) if rng.random() < 0.6 else mat.wood(rng)
    w, h, d = rng.uniform(0.5, 0.7), rng.uniform(0.42, 0.54), rng.uniform(0.38, 0.48)
    b.box(case, (0, 0.02, h / 2), (w, d * 0.5, h))
    b.box(case, (0, -d * 0.3, h / 2), (w * 0.7, d * 0.4, h * 0.7))
    b.cushion(_display(rng, _TV), (-0.03, 0.02 + d * 0.25, h * 0.53), (w * 0.78, 0.05, h * 0.78), 0.3)
    for z in (h * 0.7, h * 0.5):
        b.rod(mat.metal(rng, "gray"), (w / 2 - 0.05, d * 0.27, z), (w / 2 - 0.05, d * 0.27 + 0.03, z), 0.018)
    return b.build(case)


def _flat_screen(b: ShapeBuilder, rng: Generator, w: float, z: float) -> None:
    h = w * 0.57
    b.box(mat.plastic(rng, "black"), (0, 0, z + h / 2), (w, 0.04, h))
    b.box(_display(rng, _TV), (0, 0.021, z + h / 2 + 0.005), (w - 0.03, 0.004, h - 0.04))


def laptop_open(rng: Generator) -> Shape:
    """An open laptop; the screen's angle and size vary."""
    b = ShapeBuilder()
    case = (
        mat.metal(rng, "gray")
        if rng.random() < 0.6
        else mat.plastic(rng, str(rng.choice(["black", "white", "gray"])))
    )
    w = rng.uniform(0.29, 0.39)
    d = w * 0.68
    keys = mat.pattern(rng, Texture.CHECKER, "black", "gray", 0.012, contrast=0.5)
    b.box(case, (0, 0, 0.009), (w, d, 0.018))
    b.box(keys, (0, -0.02, 0.0185), (w * 0.88, d * 0.5, 0.003))
    b.box(mat.plastic(rng, "gray"), (0, d * 0.33, 0.0185), (w * 0.3, d * 0.24, 0.002))
    lean = rng.uniform(0.05, 0.5)
    up = np.array([0, -np.sin(lean), np.cos(lean)])
    middle = np.array([0, -d / 2, 0.015]) + up * d / 2
    b.box(case, middle, (w, 0.008, d), roll=lean)
    facing = np.array([0, np.cos(lean), np.sin(lean)])
    b.box(_display(rng, _LAPTOP), middle + facing * 0.005, (w * 0.93, 0.002, d * 0.88), roll=lean)
    return b.build(case)


def laptop_closed(rng: Generator) -> Shape:
    """A closed laptop."""
    b = ShapeBuilder()
    case = (
        mat.metal(rng, "gray")
        if rng.random() < 0.6
        else mat.plastic(rng, str(rng.choice(["black", "white"])))
    )
    w = rng.uniform(0.3, 0.38)
    b.box(case, (0, 0, 0.007), (w, w * 0.68, 0.012))
    b.box(case, (0, 0, 0.018), (w, w * 0.68, 0.009))
    b.cylinder(mat.plastic(rng, "white"), (0, 0, 0.0225), 0.022, 0.0006)
    return b.build(case)


def laptop_on_riser(rng: Generator) -> Shape:
    """An open laptop on a slanted stand."""
    b = ShapeBuilder()
    case = mat.metal(rng, "gray")
    w = rng.uniform(0.3, 0.36)
    d, rise = w * 0.68, rng.uniform(0.06, 0.12)
    slope = np.arctan2(rise, d)
    for s in (-1, 1):
        b.box(case, (s * w * 0.3, 0, rise * 0.4), (0.02, d * 0.8, 0.012), roll=-slope * 0.8)
        b.box(case, (s * w * 0.3, -d * 0.3, rise * 0.4), (0.02, 0.012, rise * 0.8))
    b.box(case, (0, 0, rise * 0.5 + 0.03), (w, d, 0.016), roll=-slope)
    b.box(
        mat.pattern(rng, Texture.CHECKER, "black", "gray", 0.012, contrast=0.5),
        (0, -0.02, rise * 0.5 + 0.045),
        (w * 0.88, d * 0.5, 0.003),
        roll=-slope,
    )
    back = np.array([0, -d / 2, rise + 0.03])
    lean = 0.15
    up = np.array([0, -np.sin(lean), np.cos(lean)])
    b.box(case, back + up * d / 2, (w, 0.008, d), roll=lean)
    b.box(_display(rng, _LAPTOP), back + up * d / 2 + (0, 0.006, 0), (w * 0.93, 0.002, d * 0.88), roll=lean)
    return b.build(case)


def clock_wall(rng: Generator) -> Shape:
    """A round wall clock; its back is at -y."""
    b = ShapeBuilder()
    rim = (
        mat.plastic(rng) if rng.random() < 0.6 else (mat.wood(rng) if rng.random() < 0.5 else mat.metal(rng))
    )
    r = rng.uniform(0.13, 0.22)
    face = _dial(rng, r * 0.9)
    b.rod(rim, (0, -0.02, 0), (0, 0.02, 0), r)
    b.rod(face, (0, 0.015, 0), (0, 0.022, 0), r * 0.9)
    return b.build(rim)


def clock_square(rng: Generator) -> Shape:
    """A square wall clock."""
    b = ShapeBuilder()
    rim = mat.wood(rng) if rng.random() < 0.6 else mat.plastic(rng)
    r = rng.uniform(0.13, 0.19)
    b.box(rim, (0, 0, 0), (2 * r, 0.04, 2 * r))
    b.box(_dial(rng, r * 0.92), (0, 0.018, 0), (1.8 * r, 0.01, 1.8 * r))
    return b.build(rim)


def clock_alarm(rng: Generator) -> Shape:
    """An alarm clock with two bells; it stands on furniture."""
    b = ShapeBuilder()
    body = mat.plastic(rng) if rng.random() < 0.5 else mat.metal(rng)
    r = rng.uniform(0.05, 0.08)
    steel = mat.metal(rng, "gray")
    for s in (-1, 1):
        b.rod(steel, (s * r * 0.8, 0, 0), (s * r * 0.4, 0, r * 0.6), 0.008)
        b.cushion(steel, (s * r * 0.6, 0, 2.35 * r), (r * 0.7, r * 0.7, r * 0.5), 1.0)
    center = r * 1.25
    b.rod(body, (0, -r * 0.35, center), (0, r * 0.35, center), r)
    # the dial's own texture is drawn about the object's origin, so it needs no offset along x only
    face = _dial(rng, r * 0.85)
    b.rod(replace(face, texture=Texture.PLAIN), (0, r * 0.34, center), (0, r * 0.4, center), r * 0.88)
    for angle in np.arange(12) * np.pi / 6:
        b.box(
            mat.plastic(rng, "black"),
            (0.7 * r * np.sin(angle), r * 0.4, center + 0.7 * r * np.cos(angle)),
            (0.006, 0.003, 0.006),
        )
    hour = rng.uniform(0, 2 * np.pi)
    for length, angle in ((0.4, hour), (0.62, hour * 12)):
        tip = (length * r * np.sin(angle), r * 0.41, center + length * r * np.cos(angle))
        b.rod(mat.plastic(rng, "black"), (0, r * 0.41, center), tip, 0.0025)
    return b.build(body)


def _dial(rng: Generator, radius: float) -> Material:
    light = rng.random() < 0.8
    first, second = (
        ((0.85, 0.84, 0.78), (0.02, 0.02, 0.02)) if light else ((0.03, 0.03, 0.04), (0.8, 0.8, 0.75))
    )
    return Material(Texture.CLOCK, first, second, scale=radius, specular=0.15, phase=rng.uniform(0, 50))
