"""Procedural textures: colour as a function of the point in object coordinates (numba kernels).

Patterns on surfaces (checks, tiles, boards) use the two object axes along the surface; grain, marble and
noise are solid textures in three dimensions.
"""

from __future__ import annotations

import numpy as np
from numba import uint32

from rgbd_perception.sources.synthetic.jit import kernel


@kernel
def hash01(x: int, y: int, z: int) -> float:
    """Pseudo random number in 0..1 for three integers, the same on every machine."""
    h = uint32(x) * uint32(374761393) + uint32(y) * uint32(668265263) + uint32(z) * uint32(2147483647)
    h = uint32((h ^ (h >> uint32(13))) * uint32(1274126177))
    h = uint32((h ^ (h >> uint32(16))) * uint32(2246822519))
    h = uint32(h ^ (h >> uint32(15)))
    return float(h) / 4294967296.0


@kernel
def noise(x: float, y: float, z: float) -> float:
    """Value noise in 0..1 with features of size one."""
    ix, iy, iz = int(np.floor(x)), int(np.floor(y)), int(np.floor(z))
    fx, fy, fz = x - ix, y - iy, z - iz
    fx, fy, fz = fx * fx * (3 - 2 * fx), fy * fy * (3 - 2 * fy), fz * fz * (3 - 2 * fz)
    a = hash01(ix, iy, iz) * (1 - fx) + hash01(ix + 1, iy, iz) * fx
    b = hash01(ix, iy + 1, iz) * (1 - fx) + hash01(ix + 1, iy + 1, iz) * fx
    c = hash01(ix, iy, iz + 1) * (1 - fx) + hash01(ix + 1, iy, iz + 1) * fx
    d = hash01(ix, iy + 1, iz + 1) * (1 - fx) + hash01(ix + 1, iy + 1, iz + 1) * fx
    return (a * (1 - fy) + b * fy) * (1 - fz) + (c * (1 - fy) + d * fy) * fz


@kernel
def _frac(value: float) -> float:
    return value - np.floor(value)


@kernel
def _step(condition: bool) -> float:
    return 1.0 if condition else 0.0


@kernel
def _painting(u: float, v: float, phase: float) -> tuple[float, float, float]:
    """A picture: a landscape, an abstract of coloured cells, or a portrait-like blob; by ``phase``."""
    seed = int(phase * 97.0)
    style = seed % 3
    if style == 0:
        horizon = 0.05 * np.sin(9.0 * u + phase) + 0.06 * noise(u * 9.0, phase, 0.0) - 0.03
        if v > horizon:
            t = min(1.0, (v - horizon) * 3.0)
            return 0.75 - 0.45 * t, 0.62 - 0.2 * t + 0.1 * hash01(seed, 1, 1), 0.45 + 0.25 * t
        g = 0.6 + 0.8 * noise(u * 30.0, v * 40.0, phase)
        return 0.2 * g * (0.5 + hash01(seed, 2, 2)), 0.28 * g, 0.1 * g
    if style == 1:
        size = 0.06 + 0.08 * hash01(seed, 3, 3)
        i, j = int(np.floor(u / size)), int(np.floor(v / size))
        best, bi, bj = 9.0, 0, 0
        for di in range(-1, 2):
            for dj in range(-1, 2):
                px = i + di + hash01(i + di, j + dj, seed)
                py = j + dj + hash01(i + di, j + dj, seed + 1)
                d = (px - u / size) ** 2 + (py - v / size) ** 2
                if d < best:
                    best, bi, bj = d, i + di, j + dj
        return hash01(bi, bj, seed + 2), hash01(bi, bj, seed + 3) * 0.8, hash01(bi, bj, seed + 4)
    face = (u / 0.09) ** 2 + ((v - 0.03) / 0.12) ** 2
    if face < 1.0:
        return 0.62 - 0.2 * face, 0.4 - 0.15 * face, 0.28 - 0.1 * face
    if v < -0.06 - 0.6 * u * u * 4.0 + 0.02:
        return 0.5 * hash01(seed, 5, 5), 0.4 * hash01(seed, 6, 6), 0.5 * hash01(seed, 7, 7)
    g = 0.2 + 0.25 * noise(u * 12.0, v * 12.0, phase)
    return g, g * (0.7 + 0.5 * hash01(seed, 8, 8)), g * (0.6 + 0.6 * hash01(seed, 9, 9))


@kernel
def _screen(u: float, v: float, kind: float, phase: float) -> tuple[float, float, float]:
    """A display by ``kind``: off (0), a film scene (1), light (2) or dark (3) windows with lines of text."""
    seed = int(phase * 53.0)
    style = int(kind)
    if style == 0:
        return 0.012, 0.012, 0.015
    if style == 1:
        t = noise(u * 6.0 + phase, v * 6.0, phase)
        s = noise(u * 14.0, v * 14.0 + phase, 3.0)
        return 0.15 + 0.7 * t * s, 0.2 + 0.5 * t, 0.3 + 0.5 * s
    row = int(np.floor(v / 0.012))
    if row % 2 == 0 and _frac(u / 0.2 + hash01(row, seed, 1)) < 0.35 + 0.5 * hash01(row, seed, 2):
        return 0.25, 0.3, 0.5
    if style == 2:
        return 0.8, 0.82, 0.85
    return 0.05, 0.06, 0.09


@kernel
def _clock(u: float, v: float, radius: float, phase: float) -> float:
    """Darkness 0..1 of the ticks and hands of a dial with this radius."""
    r = np.sqrt(u * u + v * v) / radius
    if r > 0.93:
        return 1.0
    angle = np.arctan2(u, v) / (2 * np.pi)
    if 0.72 < r < 0.88 and abs(_frac(angle * 12.0 + 0.5) - 0.5) < 0.09 / max(r, 0.1):
        return 1.0
    for hand in range(2):
        a = 2 * np.pi * _frac(phase * (0.37 + hand * 0.41))
        along = u * np.sin(a) + v * np.cos(a)
        aside = abs(u * np.cos(a) - v * np.sin(a))
        if 0 < along < radius * (0.45 + 0.25 * hand) and aside < radius * (0.05 - 0.015 * hand):
            return 1.0
    return 0.0


@kernel
def outside(dx: float, dy: float, dz: float, phase: float) -> tuple[float, float, float]:
    """What is seen through a window in direction (dx, dy, dz): sky, trees, houses, lawn."""
    azimuth = np.arctan2(dy, dx)
    tree = 0.12 + 0.22 * noise(azimuth * 6.0, phase, 0.0) + 0.08 * noise(azimuth * 30.0, phase, 5.0)
    if dz > tree:
        cloud = noise(azimuth * 4.0, dz * 8.0, phase)
        return 0.75 + 0.3 * cloud, 0.95 + 0.15 * cloud, 1.25
    if int(np.floor(azimuth * 5.0 + phase)) % 3 == 0 and dz > -0.05:
        if _frac(azimuth * 40.0) < 0.4 and _frac(dz * 22.0) < 0.5:
            return 0.12, 0.14, 0.18
        return 0.5, 0.42, 0.36
    g = 0.35 + 0.6 * noise(azimuth * 50.0, dz * 50.0, phase)
    if dz > 0.0:
        return 0.14 * g, 0.3 * g, 0.1 * g
    return 0.25 * g, 0.45 * g, 0.14 * g


@kernel
def albedo(
    row: np.ndarray, x: float, y: float, z: float, nx: float, ny: float, nz: float
) -> tuple[float, float, float]:
    """Linear rgb of material ``row`` at object point (x, y, z) with object normal (nx, ny, nz)."""
    kind = int(row[0])
    scale, contrast, phase = row[7], row[8], row[13]
    ax, ay, az = abs(nx), abs(ny), abs(nz)
    if az >= ax and az >= ay:
        u, v = x, y
    elif ax >= ay:
        u, v = y, z
    else:
        u, v = x, z
    t = 0.0
    if kind == 0:
        t = 0.0
    elif kind == 1:
        if ax > ay and ax > az:
            g = noise(x * 3.0 + phase, y / scale, z * 1.5)
        else:
            g = noise(x * 3.0 + phase, y / scale, z / scale * 0.35)
        t = contrast * (0.65 * g + 0.35 * noise(x * 12.0, y / scale * 4.0, z * 25.0 + phase))
    elif kind == 2:
        weave = 0.5 * (np.sin(u / scale * 2.0) * np.sin(v / scale * 2.0)) + 0.5
        t = contrast * (0.45 * weave + 0.55 * noise(x * 25.0, y * 25.0, z * 25.0 + phase))
    elif kind == 3:
        t = contrast * float((int(np.floor(u / scale)) + int(np.floor(v / scale))) % 2)
    elif kind == 4:
        t = contrast * _step(_frac(u / scale + phase) < 0.45)
    elif kind == 5:
        t = contrast * (
            0.6 * noise(x / scale, y / scale, z / scale + phase)
            + 0.4 * noise(x / scale * 3, y / scale * 3, z / scale * 3)
        )
    elif kind == 6:
        w = noise(x / scale * 2 + phase, y / scale * 2, z / scale * 2) * 4.0
        s = abs(np.sin((x + y * 0.7 + z * 0.5) / scale * 3.0 + w))
        t = max(0.0, 1.0 - s * 6.0) * 0.8 + 0.15 * noise(x / scale * 6, y / scale * 6, z / scale * 6)
    elif kind == 7:
        t = contrast * noise(u * 3.0 + phase, v / scale, 0.5)
    elif kind == 8:
        fu, fv = _frac(u / scale), _frac(v / scale)
        edge = 0.02 + 0.001 / scale
        if fu < edge or fv < edge:
            t = 1.0
        else:
            t = 0.25 * contrast * hash01(int(np.floor(u / scale)), int(np.floor(v / scale)), int(phase))
    elif kind == 9:
        board = int(np.floor(v / scale))
        length = scale * 8.0
        shifted = u / length + hash01(board, int(phase), 3)
        piece = int(np.floor(shifted))
        gap = _frac(v / scale) < 0.02 + 0.001 / scale or _frac(shifted) < 0.004
        t = 0.55 * hash01(board, piece, int(phase)) + 0.4 * noise(
            u * 2.5 + board * 7.0, v / scale * 9.0, phase
        )
        if gap:
            t = 1.6
        t = t * contrast
    elif kind == 10:
        return _painting(u, v, phase)
    elif kind == 11:
        return _screen(u, v, row[14], phase)
    elif kind == 12:
        t = _clock(u, v, scale, phase)
    elif kind == 14:
        course = int(np.floor(v / scale))
        fu = _frac(u / (scale * 2.6) + 0.5 * (course % 2))
        if _frac(v / scale) < 0.1 or fu < 0.04:
            t = 1.0
        else:
            t = 0.3 * hash01(course, int(np.floor(u / (scale * 2.6) + 0.5 * (course % 2))), int(phase))
    elif kind == 15:
        cu, cv = _frac(u / scale) - 0.5, _frac(v / scale) - 0.5
        t = contrast * _step(cu * cu + cv * cv < 0.08)
    elif kind == 16:
        t = contrast * 0.5 * (_step(_frac(u / scale) < 0.4) + _step(_frac(v / scale) < 0.4))
    elif kind == 17:
        ring = max(abs(x) / max(scale, 1e-3), abs(y) / max(row[14], 1e-3))
        if 0.82 < ring < 0.9:
            t = 1.0
        else:
            t = (
                0.7
                * _step(_frac(x * 3.0 + 0.5 * np.floor(y * 3.0)) + _frac(y * 3.0) < 0.8)
                * _step(ring < 0.82)
            )
        t = contrast * t + 0.25 * noise(x * 40, y * 40, phase)
    elif kind == 18:
        t = noise(x * 18.0, y * 18.0, z * 18.0 + phase)
    t = min(max(t, 0.0), 1.6)
    r = row[1] + (row[4] - row[1]) * t
    g2 = row[2] + (row[5] - row[2]) * t
    b = row[3] + (row[6] - row[3]) * t
    if kind == 0 or kind == 8:
        # nothing in a home is perfectly even: faint stains and dust on plain paint and tiles
        dirt = 0.98 + 0.04 * noise(x * 4.0 + phase, y * 4.0, z * 4.0)
        r, g2, b = r * dirt, g2 * dirt, b * dirt
    return max(r, 0.004), max(g2, 0.004), max(b, 0.004)
