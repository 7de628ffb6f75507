"""The camera: how exact color and depth become what an RGB-D sensor delivers.

Depth noise follows structured-light and stereo sensors, whose disparity has a constant error: sigma grows
with the square of the distance (Khoshelham and Elberink 2012). Holes: depth edges, grazing angles, dark and
shiny surfaces, out of range.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from rgbd_perception.sources.synthetic.shading import expose


@dataclass(frozen=True)
class SensorConfig:
    """Depth sensor: metres, noise sigma = noise * z^2, disparity quantum, share of edge pixels lost."""

    near: float = 0.25
    far: float = 6.0
    noise: float = 0.0016
    quantum: float = 0.0006
    edge_loss: float = 0.65
    grazing: float = 0.12


def sense_depth(
    depth: NDArray[np.float32],
    facing: NDArray[np.float32],
    drop: NDArray[np.float32],
    rng: Generator,
    config: SensorConfig,
) -> NDArray[np.float32]:
    """Measured depth (H, W) float32 metres, 0 where the sensor saw nothing.

    depth   exact depth, 0 where no surface
    facing  cosine between the surface normal and the direction to the camera
    drop    probability that this material is not seen
    """
    shape = depth.shape
    strength = float(rng.uniform(0.5, 1.6))
    noise = rng.standard_normal(shape, dtype=np.float32)
    # the errors of neighbouring pixels are correlated by the matching window
    noise = 0.6 * noise + 1.6 * cv2.GaussianBlur(noise, (0, 0), 1.2)
    measured = depth + strength * config.noise * depth * depth * noise
    with np.errstate(divide="ignore", invalid="ignore"):
        inverse = 1.0 / measured
        quantum = config.quantum * strength
        measured = 1.0 / (np.round(inverse / quantum) * quantum)
    coarse = rng.random((shape[0] // 4 + 1, shape[1] // 4 + 1), dtype=np.float32)
    patchy = cv2.resize(coarse, (shape[1], shape[0]), interpolation=cv2.INTER_LINEAR)
    lost = patchy < drop
    lost |= facing < config.grazing * (0.5 + patchy)
    lost |= _edges(depth) & (rng.random(shape, dtype=np.float32) < config.edge_loss)
    lost |= (depth < config.near) | (depth > config.far) | ~np.isfinite(measured)
    measured[lost] = 0.0
    return measured.astype(np.float32)


def _edges(depth: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Pixels at a jump in depth of more than 4 %."""
    kernel = np.ones((3, 3), dtype=np.uint8)
    highest, lowest = cv2.dilate(depth, kernel), cv2.erode(depth, kernel)
    return np.asarray(highest - lowest > 0.04 * np.maximum(depth, 0.5) + 0.02)


def develop(radiance: NDArray[np.float32], rng: Generator) -> NDArray[np.uint8]:
    """An (H, W, 3) uint8 picture from linear radiance: optics, exposure, white balance, noise, tone curve."""
    height, width = radiance.shape[:2]
    image = np.asarray(cv2.GaussianBlur(radiance, (0, 0), float(rng.uniform(0.35, 0.75))), dtype=np.float32)
    if rng.random() < 0.15:
        image = _motion_blur(image, rng)
    level = float(np.mean(np.minimum(image, 1.5))) + 1e-3
    gain = float(np.clip(rng.uniform(0.2, 0.36) / level, 0.25, 4.0))
    balance = gain * np.exp(rng.normal(0.0, 0.05, 3))
    vignette, shot = float(rng.uniform(0.0, 0.3)), float(rng.uniform(0.004, 0.02))
    curve = _tone_curve(float(rng.uniform(0.95, 1.3)))
    grain = rng.standard_normal(height * width, dtype=np.float32)
    return expose(image, grain, balance.astype(np.float32), vignette, shot, curve)


def _tone_curve(contrast: float) -> NDArray[np.uint8]:
    """Table from linear 0..4 in 8192 steps to 0..255: a shoulder for highlights, gamma, contrast."""
    linear = np.arange(8192, dtype=np.float64) / 2048.0
    rolled = np.minimum(1.3 * linear * (1.0 + linear / 4.0) / (1.0 + linear * 0.8), 1.0)
    curve = (rolled ** (1 / 2.2) - 0.45) * contrast + 0.45
    return np.asarray(np.clip(curve * 255.0 + 0.5, 0, 255).astype(np.uint8))


def _motion_blur(image: NDArray[np.float32], rng: Generator) -> NDArray[np.float32]:
    length, angle = int(rng.integers(3, 7)), rng.uniform(0, np.pi)
    kernel = np.zeros((7, 7), dtype=np.float32)
    for step in np.linspace(-length / 2, length / 2, 15):
        kernel[round(3 + 0.9 * step * np.sin(angle)), round(3 + 0.9 * step * np.cos(angle))] += 1
    return np.asarray(cv2.filter2D(image, -1, kernel / kernel.sum()))
