"""Textures that show something: paintings, screens, dials, the view through a window (numba kernels)."""

from __future__ import annotations

import numpy as np

from rgbd_perception.sources.synthetic.jit import kernel
from rgbd_perception.sources.synthetic.noise import frac, hash01, noise


@kernel
def painting(u: float, v: float, phase: float) -> tuple[float, float, float]:
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
def screen(u: float, v: float, kind: float, phase: float) -> tuple[float, float, float]:
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
    if row % 2 == 0 and frac(u / 0.2 + hash01(row, seed, 1)) < 0.35 + 0.5 * hash01(row, seed, 2):
        return 0.25, 0.3, 0.5
    if style == 2:
        return 0.8, 0.82, 0.85
    return 0.05, 0.06, 0.09


@kernel
def clock(u: float, v: float, radius: float, phase: float) -> float:
    """Darkness 0..1 of the ticks and hands of a dial with this radius."""
    r = np.sqrt(u * u + v * v) / radius
    if r > 0.93:
        return 1.0
    angle = np.arctan2(u, v) / (2 * np.pi)
    if 0.72 < r < 0.88 and abs(frac(angle * 12.0 + 0.5) - 0.5) < 0.09 / max(r, 0.1):
        return 1.0
    for hand in range(2):
        a = 2 * np.pi * frac(phase * (0.37 + hand * 0.41))
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
        if frac(azimuth * 40.0) < 0.4 and frac(dz * 22.0) < 0.5:
            return 0.12, 0.14, 0.18
        return 0.5, 0.42, 0.36
    g = 0.35 + 0.6 * noise(azimuth * 50.0, dz * 50.0, phase)
    if dz > 0.0:
        return 0.14 * g, 0.3 * g, 0.1 * g
    return 0.25 * g, 0.45 * g, 0.14 * g
