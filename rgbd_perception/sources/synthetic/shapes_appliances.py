"""Kitchen and water: refrigerators, stoves, sinks."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator

from rgbd_perception.sources.synthetic import materials as mat
from rgbd_perception.sources.synthetic.materials import Material
from rgbd_perception.sources.synthetic.shape import Shape, ShapeBuilder


def _enamel(rng: Generator) -> Material:
    if rng.random() < 0.55:
        return mat.plastic(rng, "white")
    return (
        mat.metal(rng, "gray")
        if rng.random() < 0.7
        else mat.plastic(rng, str(rng.choice(["black", "red", "beige"])))
    )


def fridge_two_doors(rng: Generator) -> Shape:
    """Refrigerator with a freezer compartment above or below."""
    b = ShapeBuilder()
    body, grip = _enamel(rng), mat.metal(rng, "gray")
    w, d, h = rng.uniform(0.55, 0.7), rng.uniform(0.58, 0.68), rng.uniform(1.5, 1.95)
    split = h * (rng.uniform(0.66, 0.75) if rng.random() < 0.5 else rng.uniform(0.36, 0.45))
    b.box(body, (0, -0.03, h / 2), (w, d - 0.06, h))
    side = float(rng.choice([-1, 1]))
    for low, high in ((0.06, split - 0.005), (split + 0.005, h)):
        b.box(body, (0, d / 2 - 0.028, (low + high) / 2), (w, 0.055, high - low))
        z = high - 0.25 if high < h else low + 0.22
        b.box(grip, (side * (w / 2 - 0.06), d / 2 + 0.02, z), (0.025, 0.03, 0.32))
    b.box(mat.plastic(rng, "black"), (0, d / 2 - 0.05, 0.03), (w - 0.04, 0.05, 0.05))
    b.support((0, -0.05, h), (w - 0.2, d - 0.3), 0.4)
    return b.build(body)


def fridge_side_by_side(rng: Generator) -> Shape:
    """Wide refrigerator with two doors and a dispenser."""
    b = ShapeBuilder()
    body, grip = (
        mat.metal(rng, "gray") if rng.random() < 0.7 else mat.plastic(rng, "black"),
        mat.metal(rng, "gray"),
    )
    w, d, h = rng.uniform(0.85, 0.95), rng.uniform(0.65, 0.75), rng.uniform(1.7, 1.82)
    b.box(body, (0, -0.03, h / 2), (w, d - 0.06, h))
    for sx in (-1, 1):
        b.box(body, (sx * w / 4, d / 2 - 0.028, h / 2 + 0.03), (w / 2 - 0.008, 0.055, h - 0.08))
        b.box(grip, (sx * 0.045, d / 2 + 0.025, h * 0.58), (0.022, 0.03, 0.75))
    b.box(mat.plastic(rng, "black"), (-w / 4, d / 2 + 0.003, h * 0.62), (0.2, 0.01, 0.3))
    return b.build(body)


def fridge_small(rng: Generator) -> Shape:
    """Under-counter refrigerator with one door."""
    b = ShapeBuilder()
    body, grip = _enamel(rng), mat.metal(rng, "gray")
    w, d, h = rng.uniform(0.5, 0.6), rng.uniform(0.52, 0.6), rng.uniform(0.82, 1.25)
    b.box(body, (0, -0.03, h / 2), (w, d - 0.06, h))
    b.box(body, (0, d / 2 - 0.025, h / 2 + 0.02), (w, 0.05, h - 0.06))
    b.box(grip, (w / 2 - 0.06, d / 2 + 0.015, h * 0.72), (0.025, 0.03, 0.22))
    b.box(grip, (-w / 4, d / 2 + 0.002, h * 0.9), (0.1, 0.005, 0.03))
    b.support((0, -0.03, h), (w - 0.15, d - 0.2), 0.6)
    return b.build(body)


def stove_oven(rng: Generator) -> Shape:
    """Cooker: oven below with a dark window, knobs, hob on top."""
    b = ShapeBuilder()
    body, black = _enamel(rng), mat.plastic(rng, "black")
    steel = mat.metal(rng, "gray")
    w, d, h = rng.uniform(0.55, 0.75), 0.6, rng.uniform(0.85, 0.92)
    b.box(body, (0, -0.02, h / 2), (w, d - 0.04, h - 0.02))
    b.box(body, (0, d / 2 - 0.025, h * 0.45), (w - 0.01, 0.05, h * 0.6))
    b.box(
        mat.glass(rng) if rng.random() < 0.2 else black,
        (0, d / 2 + 0.003, h * 0.43),
        (w - 0.14, 0.008, h * 0.3),
    )
    b.rod(steel, (-w / 2 + 0.06, d / 2 + 0.035, h * 0.7), (w / 2 - 0.06, d / 2 + 0.035, h * 0.7), 0.012)
    b.box(body if rng.random() < 0.5 else steel, (0, d / 2 - 0.02, h * 0.85), (w, 0.05, h * 0.14))
    for x in np.linspace(-w / 2 + 0.08, w / 2 - 0.08, int(rng.integers(4, 7))):
        b.rod(black, (x, d / 2, h * 0.85), (x, d / 2 + 0.03, h * 0.85), 0.018)
    _hob(b, rng, w, d, h)
    if rng.random() < 0.3:
        b.box(body, (0, -d / 2 + 0.02, h + 0.08), (w, 0.04, 0.16))
    return b.build(body, ())


def stove_hob_cabinet(rng: Generator) -> Shape:
    """Hob set into a worktop above a wide oven door."""
    b = ShapeBuilder()
    body = mat.painted(rng, str(rng.choice(["white", "gray", "beige"])))
    black, steel = mat.plastic(rng, "black"), mat.metal(rng, "gray")
    w, d, h = 0.6, 0.6, 0.9
    b.box(body, (0, -0.02, h / 2), (w, d - 0.04, h - 0.05))
    b.box(mat.stone(rng), (0, 0, h - 0.02), (w, d + 0.01, 0.04))
    b.box(steel, (0, d / 2 - 0.03, 0.5), (w - 0.02, 0.06, 0.58))
    b.box(black, (0, d / 2 + 0.004, 0.42), (w - 0.1, 0.01, 0.36))
    b.rod(steel, (-0.22, d / 2 + 0.04, 0.66), (0.22, d / 2 + 0.04, 0.66), 0.011)
    for x in (-0.2, -0.1, 0.1, 0.2):
        b.rod(black, (x, d / 2, 0.74), (x, d / 2 + 0.025, 0.74), 0.016)
    _hob(b, rng, w - 0.04, d - 0.08, h)
    return b.build(steel)


def stove_gas_range(rng: Generator) -> Shape:
    """Free-standing range on legs, wider, with a drawer below the oven."""
    b = ShapeBuilder()
    body, black, steel = _enamel(rng), mat.plastic(rng, "black"), mat.metal(rng, "gray")
    w, d, h = rng.uniform(0.75, 0.95), 0.62, 0.9
    for sx in (-1, 1):
        b.box(black, (sx * (w / 2 - 0.06), 0, 0.05), (0.05, d - 0.1, 0.1))
    b.box(body, (0, 0, h / 2 + 0.04), (w, d - 0.04, h - 0.1))
    b.box(body, (0, d / 2 - 0.01, 0.18), (w - 0.03, 0.03, 0.14))
    b.box(body, (0, d / 2 - 0.01, 0.5), (w - 0.03, 0.03, 0.44))
    b.box(black, (0, d / 2 + 0.008, 0.5), (w - 0.25, 0.008, 0.22))
    for z in (0.22, 0.69):
        b.rod(steel, (-w / 2 + 0.08, d / 2 + 0.035, z), (w / 2 - 0.08, d / 2 + 0.035, z), 0.012)
    for x in np.linspace(-w / 2 + 0.1, w / 2 - 0.1, 6):
        b.rod(steel, (x, d / 2 - 0.02, 0.82), (x, d / 2 + 0.025, 0.82), 0.02)
    _hob(b, rng, w, d, h, gas=True)
    return b.build(body)


def _hob(b: ShapeBuilder, rng: Generator, w: float, d: float, h: float, gas: bool | None = None) -> None:
    black, steel = mat.plastic(rng, "black"), mat.metal(rng, "gray")
    gas = rng.random() < 0.5 if gas is None else gas
    b.box(steel if gas else black, (0, 0, h), (w - 0.04, d - 0.08, 0.012))
    ring = mat.plastic(rng, "gray")
    for sx in (-1, 1):
        for sy in (-1, 1):
            x, y, r = sx * w * 0.22, sy * d * 0.2, rng.uniform(0.07, 0.1)
            if gas:
                b.cylinder(black, (x, y, h + 0.005), r * 0.45, 0.02)
                b.box(black, (x, y, h + 0.03), (2 * r, 0.012, 0.012))
                b.box(black, (x, y, h + 0.03), (0.012, 2 * r, 0.012))
            else:
                b.cylinder(ring, (x, y, h + 0.004), r, 0.004, segments=20)
    if rng.random() < 0.4:
        pot = mat.metal(rng) if rng.random() < 0.6 else mat.plastic(rng, "red")
        x, y, r = w * 0.22, d * 0.2, rng.uniform(0.08, 0.11)
        b.cylinder(pot, (x, y, h + 0.035), r, 0.12, segments=20)
        b.cylinder(pot, (x, y, h + 0.155), r * 1.02, 0.015, top=0.3, segments=20)
        b.rod(black, (x - r, y, h + 0.13), (x - r - 0.05, y, h + 0.13), 0.01)


def tap(b: ShapeBuilder, rng: Generator, x: float, y: float, z: float) -> None:
    """A tap behind the basin whose spout reaches towards +y."""
    steel = mat.metal(rng, "gray")
    tall = rng.uniform(0.12, 0.3)
    bend = [
        (x, y, z),
        (x, y, z + tall * 0.8),
        (x, y + 0.05, z + tall),
        (x, y + 0.13, z + tall * 0.95),
        (x, y + 0.16, z + tall * 0.75),
    ]
    b.tube(steel, bend, 0.013)
    b.cylinder(steel, (x, y, z), 0.025, 0.03)
    b.rod(steel, (x + 0.03, y, z + 0.05), (x + 0.09, y, z + 0.08), 0.008)


def _basin(
    b: ShapeBuilder, material: Material, x: float, y: float, z: float, w: float, d: float, depth: float
) -> None:
    """A rectangular hollow: four sloping inner walls and a bottom below ``z``."""
    b.box(material, (x, y, z - depth), (w * 0.9, d * 0.9, 0.01))
    for s in (-1, 1):
        b.box(material, (x + s * w * 0.47, y, z - depth / 2), (0.012, d, depth), pitch=s * 0.15)
        b.box(material, (x, y + s * d * 0.47, z - depth / 2), (w, 0.012, depth), roll=-s * 0.15)
    b.cylinder(
        mat.Material(mat.Texture.PLAIN, (0.1, 0.1, 0.1), (0.1, 0.1, 0.1)),
        (x, y, z - depth + 0.004),
        0.025,
        0.004,
    )


def sink_kitchen(rng: Generator) -> Shape:
    """Kitchen sink: steel or ceramic basin in a base unit with a worktop around it."""
    b = ShapeBuilder()
    front = mat.painted(rng, str(rng.choice(["white", "gray", "beige", "blue"])))
    top = mat.stone(rng) if rng.random() < 0.5 else mat.wood(rng)
    steel = mat.metal(rng, "gray") if rng.random() < 0.7 else mat.ceramic(rng, "white")
    w, d, h = rng.uniform(0.7, 1.0), 0.6, 0.9
    bw, bd, deep = w * 0.55, 0.4, rng.uniform(0.14, 0.2)
    _cabinet_with_hole(b, front, top, w, d, h, bw, bd)
    for s in (-1, 1):
        b.box(steel, (s * (bw / 2 + 0.015), 0.02, h + 0.004), (0.03, bd + 0.06, 0.012))
        b.box(steel, (0, 0.02 + s * (bd / 2 + 0.015), h + 0.004), (bw + 0.06, 0.03, 0.012))
    _basin(b, steel, 0, 0.02, h, bw, bd, deep)
    tap(b, rng, 0, -d / 2 + 0.06, h)
    return b.build(steel)


def _cabinet_with_hole(
    b: ShapeBuilder, front: Material, top: Material, w: float, d: float, h: float, bw: float, bd: float
) -> None:
    """Base unit whose worktop leaves an opening of ``bw`` x ``bd`` around (0, 0.02)."""
    b.box(front, (0, d / 2 - 0.03, h / 2 + 0.03), (w, 0.02, h - 0.12))
    for s in (-1, 1):
        b.box(front, (s * (w / 2 - 0.01), 0, h / 2 + 0.03), (0.02, d - 0.06, h - 0.12))
        b.box(front, (s * w / 4, d / 2 - 0.012, h / 2), (w / 2 - 0.02, 0.018, h - 0.2))
        side = (w - bw) / 2
        b.box(top, (s * (w / 2 - side / 2), 0, h - 0.02), (side, d, 0.04))
    rear = d / 2 + 0.02 - bd / 2
    b.box(top, (0, -d / 2 + rear / 2, h - 0.02), (bw, rear, 0.04))
    ahead = d / 2 - 0.02 - bd / 2
    b.box(top, (0, d / 2 - ahead / 2, h - 0.02), (bw, ahead, 0.04))
    b.box(
        mat.Material(mat.Texture.PLAIN, (0.05, 0.05, 0.05), (0.05, 0.05, 0.05)),
        (0, -0.03, 0.05),
        (w, d - 0.1, 0.1),
    )


def sink_pedestal(rng: Generator) -> Shape:
    """Washbasin on a pedestal or hung on the wall."""
    b = ShapeBuilder()
    body = mat.ceramic(rng, "white") if rng.random() < 0.85 else mat.ceramic(rng)
    w, d, h = rng.uniform(0.48, 0.62), rng.uniform(0.4, 0.48), rng.uniform(0.8, 0.88)
    bowl = [
        (0.0, -0.17),
        (0.35, -0.16),
        (0.75, -0.1),
        (0.96, 0.0),
        (1.0, 0.0),
        (1.0, 0.015),
        (0.88, 0.015),
        (0.7, -0.06),
        (0.4, -0.11),
        (0, -0.12),
    ]
    b.lathe(body, [(r * 0.5, z) for r, z in bowl], (0, 0.03, h), segments=28, scale=(w, d - 0.06, 1))
    b.box(body, (0, -d / 2 + 0.06, h - 0.04), (w * 0.85, 0.12, 0.11))
    if rng.random() < 0.65:
        b.lathe(
            body, [(0.11, 0), (0.085, 0.15), (0.075, h * 0.6), (0.11, h - 0.13)], (0, -0.06, 0), segments=20
        )
    else:
        b.tube(
            mat.metal(rng, "gray"), [(0, 0, h - 0.14), (0, 0, h - 0.3), (0, -d / 2 + 0.02, h - 0.3)], 0.018
        )
    tap(b, rng, 0, -d / 2 + 0.06, h + 0.01)
    return b.build(body)


def sink_vanity(rng: Generator) -> Shape:
    """Bathroom vanity: a bowl or inset basin on a cupboard."""
    b = ShapeBuilder()
    body = mat.ceramic(rng, "white")
    unit = mat.wood(rng) if rng.random() < 0.6 else mat.painted(rng)
    w, d, h = rng.uniform(0.6, 0.95), rng.uniform(0.44, 0.52), rng.uniform(0.74, 0.8)
    foot = rng.choice([0.05, 0.25])
    b.box(unit, (0, 0, (h + foot) / 2), (w, d - 0.02, h - foot))
    for s in (-1, 1):
        b.box(unit, (s * w / 4, d / 2, (h + foot) / 2), (w / 2 - 0.02, 0.018, h - foot - 0.03))
        b.box(mat.metal(rng, "gray"), (s * 0.05, d / 2 + 0.02, (h + foot) / 2 + 0.1), (0.014, 0.02, 0.14))
    b.box(mat.stone(rng), (0, 0, h + 0.01), (w + 0.02, d + 0.01, 0.025))
    r = rng.uniform(0.17, 0.21)
    bowl = [
        (r * 0.5, 0),
        (r * 0.85, 0.05),
        (r, 0.13),
        (r * 0.94, 0.13),
        (r * 0.75, 0.05),
        (0.02, 0.03),
        (0, 0.03),
    ]
    b.lathe(body, bowl, (0, 0.02, h + 0.02), segments=28)
    tap(b, rng, 0, -d / 2 + 0.04, h + 0.02)
    return b.build(body)
