"""Numba kernels of the renderer: surface at each hit, rays for shadows and ambient light, final colour."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rgbd_perception.sources.synthetic.drawings import outside
from rgbd_perception.sources.synthetic.jit import kernel
from rgbd_perception.sources.synthetic.materials import Texture
from rgbd_perception.sources.synthetic.textures import albedo

OUTSIDE = int(Texture.OUTSIDE)
MIRROR = int(Texture.MIRROR)
NO_TRIANGLE = 4294967295


@kernel
def pinhole_rays(
    pose: NDArray[np.float64], fx: float, fy: float, cx: float, cy: float, height: int, width: int
) -> NDArray[np.float32]:
    """(H * W, 6) rays of a camera at ``pose``; directions have z = 1 in the camera, so that t is depth."""
    rays = np.empty((height * width, 6), dtype=np.float32)
    for i in range(height * width):
        x, y = (i % width - cx) / fx, (i // width - cy) / fy
        for k in range(3):
            rays[i, k] = pose[k, 3]
            rays[i, 3 + k] = pose[k, 0] * x + pose[k, 1] * y + pose[k, 2]
    return rays


@kernel
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
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """World point (N, 3), normal towards the camera (N, 3), albedo (N, 3) and cosine (N,) of every ray.

    rays (N, 6); corners (T, 3, 3) normals of each triangle's corners; frames (I, 5): cos, sin, x, y, z of
    each instance; materials (M, 16).
    """
    count = len(t_hit)
    point = np.zeros((count, 3), dtype=np.float32)
    normal = np.zeros((count, 3), dtype=np.float32)
    color = np.zeros((count, 3), dtype=np.float32)
    facing = np.zeros(count, dtype=np.float32)
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
        reach = np.sqrt(rays[i, 3] ** 2 + rays[i, 4] ** 2 + rays[i, 5] ** 2) + 1e-9
        cosine = (nx * rays[i, 3] + ny * rays[i, 4] + nz * rays[i, 5]) / (length * reach)
        if cosine > 0:
            length = -length
        facing[i] = abs(cosine)
        nx, ny, nz = nx / length, ny / length, nz / length
        point[i, 0], point[i, 1], point[i, 2] = px, py, pz
        normal[i, 0], normal[i, 1], normal[i, 2] = nx, ny, nz
        row = materials[tri_material[tri]]
        if int(row[0]) == OUTSIDE:
            r, g, b = outside(rays[i, 3] / reach, rays[i, 4] / reach, rays[i, 5] / reach, row[13])
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
    return point, normal, color, facing


@kernel
def _sample(i: int, width: int, shift_a: float, shift_b: float) -> tuple[float, float]:
    """Two numbers in 0..1 for pixel i: a Hammersley set of 16, one for each pixel of a 4 x 4 tile.

    A box filter of 4 x 4 pixels then averages all 16 samples, so that smooth surfaces stay free of noise.
    """
    j = (i // width) % 4 * 4 + (i % width) % 4
    reversed_bits = (j & 1) * 8 + (j & 2) * 2 + (j & 4) // 2 + (j & 8) // 8
    a, b = (j + 0.5) / 16.0 + shift_a, (reversed_bits + 0.5) / 16.0 + shift_b
    return a - np.floor(a), b - np.floor(b)


@kernel
def shadow_rays(
    point: NDArray[np.float32],
    normal: NDArray[np.float32],
    room: NDArray[np.int32],
    lights: NDArray[np.float32],
    which: int,
    width: int,
    shift: NDArray[np.float64],
) -> NDArray[np.float32]:
    """Rays (N, 6) to a spot on the disc of light ``which`` of each point's room; t = 1 is the light.

    point, normal (N, 3) are an image of ``width`` columns; lights (R, L, 8): x, y, z, r, g, b, radius, 0.
    """
    rays = np.zeros((len(point), 6), dtype=np.float32)
    for i in range(len(point)):
        light = lights[room[i], which]
        a, b = _sample(i, width, shift[0], shift[1])
        radius, angle = light[6] * np.sqrt(a), 2.0 * np.pi * b
        for k in range(3):
            rays[i, k] = point[i, k] + 0.004 * normal[i, k]
        rays[i, 3] = light[0] + radius * np.cos(angle) - rays[i, 0]
        rays[i, 4] = light[1] + radius * np.sin(angle) - rays[i, 1]
        rays[i, 5] = light[2] - rays[i, 2]
    return rays


@kernel
def ambient_rays(
    point: NDArray[np.float32],
    normal: NDArray[np.float32],
    reach: float,
    width: int,
    shift: NDArray[np.float64],
) -> NDArray[np.float32]:
    """One cosine-distributed ray (N, 6) of length ``reach`` metres above each point of an image."""
    rays = np.zeros((len(point), 6), dtype=np.float32)
    for i in range(len(point)):
        u, v = _sample(i, width, shift[0], shift[1])
        z, a = 2.0 * u - 1.0, 2.0 * np.pi * v
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


@kernel
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
    """Linear radiance (N, 3). ``lit`` (S, N): unshadowed share of the first S lights; others cast none."""
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
            if light[3] <= 0.0 or (k < len(lit) and lit[k, i] <= 0.0):
                continue
            lx, ly, lz = light[0] - point[i, 0], light[1] - point[i, 1], light[2] - point[i, 2]
            distance = np.sqrt(lx * lx + ly * ly + lz * lz) + 1e-6
            lx, ly, lz = lx / distance, ly / distance, lz / distance
            facing = lx * normal[i, 0] + ly * normal[i, 1] + lz * normal[i, 2]
            # large lamps wrap around edges a little
            facing = max(0.0, (facing + 0.15) / 1.15)
            if facing <= 0.0:
                continue
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
                # Schlick's rational stand-in for s ** gloss: no power function per pixel and light
                s = row[9] * strength * s / (row[10] - row[10] * s + s + 1e-9)
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


@kernel
def expose(
    image: NDArray[np.float32],
    grain: NDArray[np.float32],
    gain: NDArray[np.float32],
    vignette: float,
    shot: float,
    table: NDArray[np.uint8],
) -> NDArray[np.uint8]:
    """Linear (H, W, 3) to uint8: gain of each channel, darker corners, shot noise, tone curve ``table``.

    grain (H * W,) standard normal numbers; the channels use it at different offsets. table: 2048 steps for 1.
    """
    height, width = image.shape[:2]
    out = np.empty((height, width, 3), dtype=np.uint8)
    for row in range(height):
        y = 2.0 * row / height - 1.0
        for column in range(width):
            x = 2.0 * column / width - 1.0
            fall = 1.0 - 0.5 * vignette * (x * x + y * y)
            for k in range(3):
                value = max(image[row, column, k] * gain[k] * fall, 0.0)
                number = grain[(row * width + column + k * (len(grain) // 3 + 7)) % len(grain)]
                value += shot * number * np.sqrt(value + 0.01)
                out[row, column, k] = table[min(max(int(value * 2048.0), 0), len(table) - 1)]
    return out
