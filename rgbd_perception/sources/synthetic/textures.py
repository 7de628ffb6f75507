"""Procedural textures: colour as a function of the point in object coordinates (numba kernels).

Patterns on surfaces (checks, tiles, boards) use the two object axes (u, v) along the surface; grain, marble
and noise are solid textures in three dimensions. A pattern gives the share of the material's second colour.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rgbd_perception.sources.synthetic.drawings import clock, painting, screen
from rgbd_perception.sources.synthetic.jit import kernel
from rgbd_perception.sources.synthetic.materials import Texture
from rgbd_perception.sources.synthetic.noise import frac, hash01, noise, step

# numba reads plain integers from the module, not members of an enumeration
_PLAIN, _WOOD, _FABRIC = int(Texture.PLAIN), int(Texture.WOOD), int(Texture.FABRIC)
_CHECKER, _STRIPES, _BLOTCHES = int(Texture.CHECKER), int(Texture.STRIPES), int(Texture.BLOTCHES)
_MARBLE, _BRUSHED, _TILES = int(Texture.MARBLE), int(Texture.BRUSHED), int(Texture.TILES)
_PLANKS, _PAINTING, _SCREEN = int(Texture.PLANKS), int(Texture.PAINTING), int(Texture.SCREEN)
_CLOCK, _BRICKS, _DOTS = int(Texture.CLOCK), int(Texture.BRICKS), int(Texture.DOTS)
_PLAID, _RUG, _LEAVES = int(Texture.PLAID), int(Texture.RUG), int(Texture.LEAVES)


@kernel
def albedo(
    row: NDArray[np.float32], x: float, y: float, z: float, nx: float, ny: float, nz: float
) -> tuple[float, float, float]:
    """Linear rgb of material ``row`` at object point (x, y, z) with object normal (nx, ny, nz)."""
    kind = int(row[0])
    ax, ay, az = abs(nx), abs(ny), abs(nz)
    if az >= ax and az >= ay:
        u, v = x, y
    elif ax >= ay:
        u, v = y, z
    else:
        u, v = x, z
    if kind == _PAINTING:
        return painting(u, v, row[13])
    if kind == _SCREEN:
        return screen(u, v, row[14], row[13])
    if kind in (_WOOD, _BLOTCHES, _MARBLE, _LEAVES):
        t = _solid(kind, row, x, y, z, ax > ay and ax > az)
    elif kind == _RUG:
        t = _rug(row, x, y)
    elif kind == _FABRIC:
        t = _fabric(row, u, v, x, y, z)
    else:
        t = _flat(kind, row, u, v)
    t = min(max(t, 0.0), 1.6)
    # nothing in a home is perfectly even: faint stains and dust on plain paint and tiles
    dirt = 1.0
    if kind in (_PLAIN, _TILES):
        dirt = 0.98 + 0.04 * noise(x * 4.0 + row[13], y * 4.0, z * 4.0)
    red = dirt * (row[1] + (row[4] - row[1]) * t)
    green = dirt * (row[2] + (row[5] - row[2]) * t)
    blue = dirt * (row[3] + (row[6] - row[3]) * t)
    return max(red, 0.004), max(green, 0.004), max(blue, 0.004)


@kernel
def _solid(kind: int, row: NDArray[np.float32], x: float, y: float, z: float, end_grain: bool) -> float:
    scale, contrast, phase = row[7], row[8], row[13]
    if kind == _WOOD:
        g = noise(x * 3.0 + phase, y / scale, z * 1.5 if end_grain else z / scale * 0.35)
        return contrast * (0.65 * g + 0.35 * noise(x * 12.0, y / scale * 4.0, z * 25.0 + phase))
    if kind == _BLOTCHES:
        coarse = noise(x / scale, y / scale, z / scale + phase)
        return contrast * (0.6 * coarse + 0.4 * noise(x / scale * 3, y / scale * 3, z / scale * 3))
    if kind == _MARBLE:
        bend = noise(x / scale * 2 + phase, y / scale * 2, z / scale * 2) * 4.0
        vein = abs(np.sin((x + y * 0.7 + z * 0.5) / scale * 3.0 + bend))
        return max(0.0, 1.0 - vein * 6.0) * 0.8 + 0.15 * noise(x / scale * 6, y / scale * 6, z / scale * 6)
    return noise(x * 18.0, y * 18.0, z * 18.0 + phase)


@kernel
def _flat(kind: int, row: NDArray[np.float32], u: float, v: float) -> float:
    scale, contrast, phase = row[7], row[8], row[13]
    if kind == _CHECKER:
        return contrast * float((int(np.floor(u / scale)) + int(np.floor(v / scale))) % 2)
    if kind == _STRIPES:
        return contrast * step(frac(u / scale + phase) < 0.45)
    if kind == _DOTS:
        return contrast * step((frac(u / scale) - 0.5) ** 2 + (frac(v / scale) - 0.5) ** 2 < 0.08)
    if kind == _PLAID:
        return contrast * 0.5 * (step(frac(u / scale) < 0.4) + step(frac(v / scale) < 0.4))
    if kind == _BRUSHED:
        return contrast * noise(u * 3.0 + phase, v / scale, 0.5)
    if kind == _CLOCK:
        return clock(u, v, scale, phase)
    if kind == _TILES:
        return _tiles(row, u, v)
    if kind == _PLANKS:
        return _planks(row, u, v)
    if kind == _BRICKS:
        return _bricks(row, u, v)
    return 0.0


@kernel
def _fabric(row: NDArray[np.float32], u: float, v: float, x: float, y: float, z: float) -> float:
    """Warp and weft with uneven dye."""
    weave = 0.5 * np.sin(u / row[7] * 2.0) * np.sin(v / row[7] * 2.0) + 0.5
    return row[8] * (0.45 * weave + 0.55 * noise(x * 25.0, y * 25.0, z * 25.0 + row[13]))


@kernel
def _tiles(row: NDArray[np.float32], u: float, v: float) -> float:
    """Joints in the second colour; every tile a little different."""
    scale = row[7]
    joint = 0.02 + 0.001 / scale
    if frac(u / scale) < joint or frac(v / scale) < joint:
        return 1.0
    return 0.25 * row[8] * hash01(int(np.floor(u / scale)), int(np.floor(v / scale)), int(row[13]))


@kernel
def _planks(row: NDArray[np.float32], u: float, v: float) -> float:
    """Floor boards of different tone, eight times as long as wide, with dark gaps."""
    scale, seed = row[7], int(row[13])
    board = int(np.floor(v / scale))
    along = u / (scale * 8.0) + hash01(board, seed, 3)
    if frac(v / scale) < 0.02 + 0.001 / scale or frac(along) < 0.004:
        return 1.6 * row[8]
    tone = hash01(board, int(np.floor(along)), seed)
    return row[8] * (0.55 * tone + 0.4 * noise(u * 2.5 + board * 7.0, v / scale * 9.0, row[13]))


@kernel
def _bricks(row: NDArray[np.float32], u: float, v: float) -> float:
    """Stretcher bond, mortar in the second colour."""
    scale = row[7]
    course = int(np.floor(v / scale))
    along = u / (scale * 2.6) + 0.5 * (course % 2)
    if frac(v / scale) < 0.1 or frac(along) < 0.04:
        return 1.0
    return 0.3 * hash01(course, int(np.floor(along)), int(row[13]))


@kernel
def _rug(row: NDArray[np.float32], x: float, y: float) -> float:
    """A border inside the edge (half sizes: scale and extra) and a zigzag field."""
    ring = max(abs(x) / max(row[7], 1e-3), abs(y) / max(row[14], 1e-3))
    t = 1.0 if 0.82 < ring < 0.9 else 0.0
    if ring <= 0.82:
        t = 0.7 * step(frac(x * 3.0 + 0.5 * np.floor(y * 3.0)) + frac(y * 3.0) < 0.8)
    return row[8] * t + 0.25 * noise(x * 40, y * 40, row[13])
