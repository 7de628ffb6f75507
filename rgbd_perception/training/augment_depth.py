"""Depth augmentation: the failures of real depth cameras, on top of those the renderer already shows."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class DepthAugmentation:
    """Strengths and probabilities; lengths in metres."""

    scale: float = 0.06
    noise_probability: float = 0.4
    noise_per_square_metre: float = 0.004
    quantisation_probability: float = 0.3
    holes_probability: float = 0.5
    edges_probability: float = 0.4
    range_probability: float = 0.3
    speckle_probability: float = 0.2


def augment_depth(
    depth: NDArray[np.float32], config: DepthAugmentation, rng: np.random.Generator
) -> NDArray[np.float32]:
    """A randomly worsened copy of depth (H, W) float32 metres, 0 = none (before and after)."""
    valid = depth > 0
    result = depth * np.float32(1.0 + rng.uniform(-config.scale, config.scale))
    if rng.random() < config.noise_probability:
        result = _add_noise(result, config.noise_per_square_metre * rng.random(), rng)
    if rng.random() < config.quantisation_probability:
        result = _quantise(result, rng.uniform(0.0005, 0.003))
    if rng.random() < config.edges_probability:
        valid &= ~_edges(depth, rng.uniform(0.03, 0.1), int(rng.integers(1, 4)))
    if rng.random() < config.holes_probability:
        valid &= ~_holes(depth.shape, rng)
    if rng.random() < config.range_probability:
        valid &= (result < rng.uniform(2.5, 6.0)) & (result > rng.uniform(0.0, 0.5))
    if rng.random() < config.speckle_probability:
        valid &= rng.random(depth.shape, dtype=np.float32) > rng.uniform(0.0, 0.3)
    return np.where(valid & (result > 0), result, np.float32(0.0)).astype(np.float32)


def _add_noise(depth: NDArray[np.float32], strength: float, rng: np.random.Generator) -> NDArray[np.float32]:
    """Noise that grows with the square of the distance (triangulation), correlated over a few pixels."""
    coarse = rng.standard_normal((depth.shape[0] // 2 + 1, depth.shape[1] // 2 + 1), dtype=np.float32)
    noise = cv2.resize(coarse, depth.shape[::-1], interpolation=cv2.INTER_LINEAR)
    return depth + np.float32(strength) * noise * depth * depth


def _quantise(depth: NDArray[np.float32], step: float) -> NDArray[np.float32]:
    """Steps of inverse depth, as from whole disparities; ``step`` in 1/metre."""
    inverse = np.divide(1.0, depth, out=np.zeros_like(depth), where=depth > 0)
    inverse = np.round(inverse / np.float32(step)) * np.float32(step)
    return np.divide(1.0, inverse, out=np.zeros_like(depth), where=inverse > 0)


def _edges(depth: NDArray[np.float32], relative: float, width: int) -> NDArray[np.bool_]:
    """Pixels within ``width`` of a jump larger than ``relative`` times the distance."""
    kernel = np.ones((3, 3), np.uint8)
    nearest = cv2.erode(np.where(depth > 0, depth, np.float32(np.inf)), kernel)  # a hole is no jump
    jump = cv2.dilate(depth, kernel) - nearest > relative * depth
    if width > 1:
        jump = cv2.dilate(jump.astype(np.uint8), np.ones((2 * width - 1, 2 * width - 1), np.uint8)) > 0
    return jump.astype(bool)


def _holes(shape: tuple[int, ...], rng: np.random.Generator) -> NDArray[np.bool_]:
    """A few random ellipses."""
    mask = np.zeros(shape, np.uint8)
    height, width = shape
    for _ in range(int(rng.integers(1, 7))):
        center = (int(rng.integers(0, width)), int(rng.integers(0, height)))
        axes = tuple(int(value) for value in rng.uniform(0.01, 0.14, 2) * max(shape) + 1)
        cv2.ellipse(mask, center, axes, float(rng.uniform(0, 180)), 0, 360, 1, -1)
    return mask.astype(bool)
