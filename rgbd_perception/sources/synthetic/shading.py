"""Numba kernels of the renderer: surface at each hit, rays for shadows and ambient occlusion, final colour."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from rgbd_perception.sources.synthetic.textures import albedo, hash01, outside

OUTSIDE = 13
MIRROR = 19
NO_TRIANGLE = 4294967295


@njit(cache=True)
def surfaces(
    rays: NDArray[np.float32],
    t_hit: NDArray[np.float32],
    triangle: NDArray[np.uint32],
    uv: NDArray[np.float32],
    corners: NDArray[np.float32],
    tri_instance: NDArray[np.uint16],
    tri_material: NDArray[np.int32],
    frames: NDArray[np.float32],
    materials: NDArray[np.float32],
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """World point (N, 3), normal towards the camera (N, 3) and albedo (N, 3) of every ray.

    rays (N, 6); corners (T, 3, 3) normals of each triangle's corners; frames (I, 5): cos, sin, x, y, z of
    each instance; materials (M, 16).
    """
    count = len(t_hit)
    point = np.zeros((count, 3), dtype=np.float32)
    normal = np.zeros((count, 3), dtype=np.float32)
    color = np.zeros((count, 3), dtype=np.float32)
    for i in range(count):
        tri = triangle[i]
        if tri == NO_TRIANGLE:
            continue
        t = t_hit[i]
        px = rays[i, 0] + t * rays[i, 3]
        py = rays[i, 1] + t * rays[i, 4]
        pz = rays[i, 2] + t * rays[i, 5]
        u, v = uv[i, 0], uv[i, 1]
        w = 1.0 - u - v
        nx = w * corners[tri, 0, 0] + u * corners[tri, 1, 0] + v * corners[tri, 2, 0]
        ny = w * corners[tri, 0, 1] + u * corners[tri, 1, 1] + v * corners[tri, 2, 1]
        nz = w * corners[tri, 0, 2] + u * corners[tri, 1, 2] + v * corners[tri, 2, 2]
        length = np.sqrt(nx * nx + ny * ny + nz * nz) + 1e-9
        if nx * rays[i, 3] + ny * rays[i, 4] + nz * rays[i, 5] > 0:
            length = -length
        nx, ny, nz = nx / length, ny / length, nz / length
        point[i, 0], point[i, 1], point[i, 2] = px, py, pz
        normal[i, 0], normal[i, 1], normal[i, 2] = nx, ny, nz
        row = materials[tri_material[tri]]
        if int(row[0]) == OUTSIDE:
            d = np.sqrt(rays[i, 3] ** 2 + rays[i, 4] ** 2 + rays[i, 5] ** 2)
            r, g, b = outside(rays[i, 3] / d, rays[i, 4] / d, rays[i, 5] / d, row[13])
        else:
            f = frames[tri_instance[tri]]
            ox, oy = px - f[2], py - f[3]
            r, g, b = albedo(
                row,
                f[0] * ox + f[1] * oy,
                -f[1] * ox + f[0] * oy,
                pz - f[4],
                f[0] * nx + f[1] * ny,
                -f[1] * nx + f[0] * ny,
                nz,
            )
        color[i, 0], color[i, 1], color[i, 2] = r, g, b
    return point, normal, color


@njit(cache=True)
def shadow_rays(
    point: NDArray[np.float32],
    normal: NDArray[np.float32],
    room: NDArray[np.int32],
    lights: NDArray[np.float32],
    which: int,
    seed: int,
) -> NDArray[np.float32]:
    """Rays (N, 6) to a random spot on light ``which`` of each point's room; t = 1 is the light.

    lights (R, L, 8): x, y, z, r, g, b, radius, unused.
    """
    rays = np.zeros((len(point), 6), dtype=np.float32)
    for i in range(len(point)):
        light = lights[room[i], which]
        for k in range(3):
            start = point[i, k] + 0.004 * normal[i, k]
            jitter = (hash01(i, seed, k) - 0.5) * 2.0 * light[6]
            rays[i, k] = start
            rays[i, 3 + k] = light[k] + jitter - start
    return rays


@njit(cache=True)
def ambient_rays(
    point: NDArray[np.float32], normal: NDArray[np.float32], reach: float, seed: int
) -> NDArray[np.float32]:
    """One cosine-distributed ray (N, 6) of length ``reach`` metres above each point."""
    rays = np.zeros((len(point), 6), dtype=np.float32)
    for i in range(len(point)):
        z = 2.0 * hash01(i, seed, 11) - 1.0
        a = 2.0 * np.pi * hash01(i, seed, 12)
        s = np.sqrt(max(0.0, 1.0 - z * z))
        dx = normal[i, 0] + s * np.cos(a)
        dy = normal[i, 1] + s * np.sin(a)
        dz = normal[i, 2] + z
        length = np.sqrt(dx * dx + dy * dy + dz * dz) + 1e-6
        rays[i, 0] = point[i, 0] + 0.004 * normal[i, 0]
        rays[i, 1] = point[i, 1] + 0.004 * normal[i, 1]
        rays[i, 2] = point[i, 2] + 0.004 * normal[i, 2]
        rays[i, 3], rays[i, 4], rays[i, 5] = reach * dx / length, reach * dy / length, reach * dz / length
    return rays


@njit(cache=True)
def shade(
    rays: NDArray[np.float32],
    point: NDArray[np.float32],
    normal: NDArray[np.float32],
    color: NDArray[np.float32],
    material: NDArray[np.int32],
    room: NDArray[np.int32],
    lit: NDArray[np.float32],
    open_sky: NDArray[np.float32],
    lights: NDArray[np.float32],
    ambient: NDArray[np.float32],
    materials: NDArray[np.float32],
) -> NDArray[np.float32]:
    """Linear radiance (N, 3). ``lit`` (S, N): unshadowed share of the first S lights; the others cast none."""
    count = len(point)
    out = np.zeros((count, 3), dtype=np.float32)
    for i in range(count):
        row = materials[material[i]]
        dx, dy, dz = rays[i, 3], rays[i, 4], rays[i, 5]
        d = np.sqrt(dx * dx + dy * dy + dz * dz) + 1e-9
        dx, dy, dz = dx / d, dy / d, dz / d
        emission = row[11]
        shine_r, shine_g, shine_b = 0.0, 0.0, 0.0
        # light from above is a little stronger than light from the floor
        sky = (0.35 + 0.65 * open_sky[i]) * (0.85 + 0.15 * normal[i, 2])
        red, green, blue = ambient[room[i], 0] * sky, ambient[room[i], 1] * sky, ambient[room[i], 2] * sky
        for k in range(lights.shape[1]):
            light = lights[room[i], k]
            lx, ly, lz = light[0] - point[i, 0], light[1] - point[i, 1], light[2] - point[i, 2]
            distance = np.sqrt(lx * lx + ly * ly + lz * lz) + 1e-6
            lx, ly, lz = lx / distance, ly / distance, lz / distance
            facing = lx * normal[i, 0] + ly * normal[i, 1] + lz * normal[i, 2]
            # large lamps wrap around edges a little
            facing = max(0.0, (facing + 0.15) / 1.15)
            strength = facing / (1.0 + 0.35 * distance * distance)
            if k < len(lit):
                strength *= lit[k, i]
            red += light[3] * strength
            green += light[4] * strength
            blue += light[5] * strength
            if row[9] > 0.02:
                hx, hy, hz = lx - dx, ly - dy, lz - dz
                h = np.sqrt(hx * hx + hy * hy + hz * hz) + 1e-6
                s = max(0.0, (hx * normal[i, 0] + hy * normal[i, 1] + hz * normal[i, 2]) / h)
                s = row[9] * s ** row[10] * strength
                shine_r += light[3] * s
                shine_g += light[4] * s
                shine_b += light[5] * s
        out[i, 0] = color[i, 0] * (red + emission) + shine_r
        out[i, 1] = color[i, 1] * (green + emission) + shine_g
        out[i, 2] = color[i, 2] * (blue + emission) + shine_b
        if int(row[0]) == OUTSIDE:
            for k in range(3):
                out[i, k] = color[i, k] * emission
    return out
