"""Materials: how a surface looks to the camera and how well the depth sensor sees it.

Textures are functions of object coordinates (textures.py), so no image files and no texture coordinates are
needed. ``name`` and ``color_name`` are the words a description of the object uses.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import IntEnum

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

Rgb = tuple[float, float, float]


class Texture(IntEnum):
    """Pattern of a material, as drawn in textures.py and drawings.py."""

    PLAIN = 0
    WOOD = 1
    FABRIC = 2
    CHECKER = 3
    STRIPES = 4
    BLOTCHES = 5
    MARBLE = 6
    BRUSHED = 7
    TILES = 8
    PLANKS = 9
    PAINTING = 10
    SCREEN = 11
    CLOCK = 12
    OUTSIDE = 13
    BRICKS = 14
    DOTS = 15
    PLAID = 16
    RUG = 17
    LEAVES = 18
    MIRROR = 19


@dataclass(frozen=True)
class Material:
    """Colours are linear rgb in 0..1, ``scale`` is the size of the pattern in metres.

    specular, gloss   strength and exponent of the highlight
    emission          light the surface sends out by itself
    sensor_drop       probability in 0..1 that the depth sensor sees nothing (dark, shiny, glass)
    phase, extra      numbers that make two surfaces with the same pattern differ
    """

    texture: Texture
    color: Rgb
    second: Rgb
    scale: float = 0.1
    contrast: float = 1.0
    specular: float = 0.05
    gloss: float = 12.0
    emission: float = 0.0
    sensor_drop: float = 0.0
    name: str = ""
    color_name: str = ""
    phase: float = 0.0
    extra: float = 0.0

    def row(self) -> NDArray[np.float32]:
        """The 16 numbers the shading kernels read."""
        return np.array(
            [
                float(self.texture),
                *self.color,
                *self.second,
                self.scale,
                self.contrast,
                self.specular,
                self.gloss,
                self.emission,
                self.sensor_drop,
                self.phase,
                self.extra,
                0.0,
            ],
            dtype=np.float32,
        )


_NAMED: dict[str, tuple[Rgb, ...]] = {
    "white": ((0.85, 0.85, 0.84), (0.78, 0.79, 0.8)),
    "black": ((0.02, 0.02, 0.022), (0.035, 0.035, 0.04)),
    "gray": ((0.22, 0.22, 0.23), (0.4, 0.4, 0.41), (0.13, 0.135, 0.14)),
    "red": ((0.55, 0.03, 0.03), (0.4, 0.02, 0.04)),
    "green": ((0.06, 0.3, 0.08), (0.16, 0.28, 0.12), (0.03, 0.18, 0.1)),
    "blue": ((0.04, 0.1, 0.45), (0.08, 0.25, 0.5), (0.02, 0.05, 0.18)),
    "yellow": ((0.75, 0.55, 0.06), (0.8, 0.65, 0.2)),
    "orange": ((0.75, 0.24, 0.03), (0.65, 0.2, 0.06)),
    "brown": ((0.2, 0.09, 0.04), (0.13, 0.065, 0.035)),
    "beige": ((0.62, 0.52, 0.38), (0.7, 0.62, 0.5)),
    "purple": ((0.2, 0.05, 0.32), (0.3, 0.12, 0.36)),
    "pink": ((0.75, 0.3, 0.38), (0.7, 0.4, 0.45)),
}
COLOR_NAMES: tuple[str, ...] = tuple(_NAMED)

_WOODS: dict[str, tuple[tuple[Rgb, Rgb], ...]] = {
    "brown": (((0.26, 0.13, 0.06), (0.15, 0.07, 0.03)), ((0.36, 0.19, 0.09), (0.23, 0.11, 0.05))),
    "beige": (((0.62, 0.45, 0.27), (0.5, 0.33, 0.17)), ((0.68, 0.52, 0.34), (0.58, 0.4, 0.23))),
    "black": (((0.05, 0.035, 0.028), (0.025, 0.018, 0.015)),),
    "white": (((0.8, 0.79, 0.76), (0.74, 0.73, 0.69)),),
    "gray": (((0.33, 0.31, 0.29), (0.24, 0.22, 0.2)),),
    "red": (((0.32, 0.09, 0.05), (0.2, 0.05, 0.03)),),
}


def color(name: str, rng: Generator) -> Rgb:
    """A linear rgb that people would call ``name``."""
    shades = _NAMED[name]
    base = np.asarray(shades[rng.integers(len(shades))])
    return rgb(base * rng.uniform(0.8, 1.15) * rng.uniform(0.93, 1.07, 3))


def pick_color(rng: Generator, names: Sequence[str] = COLOR_NAMES) -> str:
    return str(names[int(rng.integers(len(names)))])


def wood(rng: Generator, name: str | None = None) -> Material:
    tone = name if name in _WOODS else list(_WOODS)[_weighted(rng, (5, 5, 1, 2.5, 1, 1))]
    pairs = _WOODS[str(tone)]
    light, dark = pairs[rng.integers(len(pairs))]
    gain = rng.uniform(0.8, 1.2)
    return Material(
        Texture.WOOD,
        rgb(np.asarray(light) * gain),
        rgb(np.asarray(dark) * gain),
        scale=rng.uniform(0.02, 0.06),
        contrast=rng.uniform(0.4, 1.0),
        specular=rng.uniform(0.02, 0.25),
        gloss=rng.uniform(8, 40),
        sensor_drop=0.08 if tone == "black" else 0.0,
        name="wooden",
        color_name=str(tone),
        phase=rng.uniform(0, 50),
    )


def fabric(rng: Generator, name: str | None = None, patterned: float = 0.25) -> Material:
    """Cloth; with probability ``patterned`` striped, checked, dotted or plaid."""
    word = name or pick_color(rng)
    base = color(word, rng)
    other = color(pick_color(rng, [c for c in COLOR_NAMES if c != word]), rng)
    texture, scale = Texture.FABRIC, rng.uniform(0.004, 0.009)
    if rng.random() < patterned:
        texture = Texture(rng.choice([Texture.STRIPES, Texture.CHECKER, Texture.DOTS, Texture.PLAID]))
        scale = rng.uniform(0.04, 0.12)
    return Material(
        texture,
        base,
        other if texture != Texture.FABRIC else rgb(np.asarray(base) * rng.uniform(0.55, 0.85)),
        scale=scale,
        contrast=rng.uniform(0.5, 1.0),
        specular=0.01,
        sensor_drop=0.12 if word == "black" else 0.0,
        name="fabric",
        color_name=word,
        phase=rng.uniform(0, 50),
    )


def leather(rng: Generator, name: str | None = None) -> Material:
    word = name or pick_color(rng, ("brown", "black", "white", "red", "beige", "gray"))
    base = color(word, rng)
    return Material(
        Texture.BLOTCHES,
        base,
        rgb(np.asarray(base) * 0.75),
        scale=0.03,
        contrast=0.5,
        specular=0.25,
        gloss=18,
        sensor_drop=0.15 if word == "black" else 0.02,
        name="leather",
        color_name=word,
        phase=rng.uniform(0, 50),
    )


def plastic(rng: Generator, name: str | None = None) -> Material:
    word = name or pick_color(rng)
    base = color(word, rng)
    return Material(
        Texture.PLAIN,
        base,
        base,
        specular=rng.uniform(0.1, 0.45),
        gloss=rng.uniform(15, 60),
        sensor_drop=0.15 if word == "black" else 0.01,
        name="plastic",
        color_name=word,
    )


def painted(rng: Generator, name: str | None = None) -> Material:
    """Lacquered wood or board."""
    return replace(plastic(rng, name), name="wooden", sensor_drop=0.02, specular=rng.uniform(0.05, 0.3))


def ceramic(rng: Generator, name: str | None = None) -> Material:
    word = name or ("white" if rng.random() < 0.5 else pick_color(rng))
    base = color(word, rng)
    return Material(
        Texture.PLAIN,
        base,
        base,
        specular=rng.uniform(0.4, 0.8),
        gloss=rng.uniform(40, 120),
        sensor_drop=0.06,
        name="ceramic",
        color_name=word,
    )


def metal(rng: Generator, name: str | None = None) -> Material:
    word = name or pick_color(rng, ("gray", "gray", "white", "black"))
    base = color(word, rng)
    return Material(
        Texture.BRUSHED,
        base,
        rgb(np.asarray(base) * 0.7),
        scale=0.004,
        contrast=0.6,
        specular=rng.uniform(0.5, 1.1),
        gloss=rng.uniform(20, 80),
        sensor_drop=rng.uniform(0.1, 0.3),
        name="metal",
        color_name=word,
        phase=rng.uniform(0, 50),
    )


def stone(rng: Generator, name: str | None = None) -> Material:
    word = name or pick_color(rng, ("white", "gray", "black", "beige"))
    base = color(word, rng)
    vein = rgb(np.asarray(base) * 0.65 if word != "black" else np.asarray(base) + 0.25)
    return Material(
        Texture.MARBLE,
        base,
        vein,
        scale=rng.uniform(0.15, 0.4),
        specular=0.3,
        gloss=50,
        sensor_drop=0.03,
        name="marble",
        color_name=word,
        phase=rng.uniform(0, 50),
    )


def glass(rng: Generator) -> Material:
    """Opaque stand-in for glass: pale, shiny, often invisible to the depth sensor."""
    base = rgb(np.array([0.55, 0.68, 0.68]) * rng.uniform(0.6, 1.1))
    return Material(
        Texture.PLAIN, base, base, specular=1.0, gloss=120, sensor_drop=0.45, name="glass", color_name="white"
    )


def pattern(
    rng: Generator,
    texture: Texture,
    first: str | Rgb,
    second: str | Rgb,
    scale: float,
    name: str = "",
    specular: float = 0.05,
    contrast: float = 1.0,
) -> Material:
    """A two-coloured pattern with colours by name or as linear rgb."""
    word = first if isinstance(first, str) else ""
    return Material(
        texture,
        color(first, rng) if isinstance(first, str) else first,
        color(second, rng) if isinstance(second, str) else second,
        scale=scale,
        contrast=contrast,
        specular=specular,
        gloss=30,
        name=name,
        color_name=word,
        phase=rng.uniform(0, 50),
    )


def glowing(shade: Rgb, emission: float) -> Material:
    """A surface that shines by itself: bulbs, lamp shades, screens."""
    return Material(Texture.PLAIN, shade, shade, emission=emission, specular=0.0)


def rgb(values: NDArray[np.floating]) -> Rgb:
    """Three numbers as a colour that a real surface can have."""
    r, g, b = (float(v) for v in np.clip(values, 0.008, 0.92))
    return r, g, b


def _weighted(rng: Generator, weights: Sequence[float]) -> int:
    total = np.asarray(weights, dtype=np.float64)
    return int(rng.choice(len(total), p=total / total.sum()))
