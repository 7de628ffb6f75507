"""Color augmentation: a network trained on rendered rooms must bear real cameras and real light."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

_TO_YIQ = np.array([[0.299, 0.587, 0.114], [0.596, -0.274, -0.322], [0.211, -0.523, 0.312]], np.float32)
_FROM_YIQ = np.linalg.inv(_TO_YIQ).astype(np.float32)


@dataclass(frozen=True)
class ColorAugmentation:
    """Half widths of the random changes and probabilities of the rarer ones."""

    brightness: float = 0.3
    contrast: float = 0.35
    gamma: float = 0.35
    hue_degrees: float = 25.0
    saturation: float = 0.5
    white_balance: float = 0.15
    gray_probability: float = 0.06
    blur_probability: float = 0.25
    noise_probability: float = 0.5
    noise_max: float = 0.06
    vignette_probability: float = 0.2
    compression_probability: float = 0.15


def augment_color(
    color: NDArray[np.uint8], config: ColorAugmentation, rng: np.random.Generator
) -> NDArray[np.uint8]:
    """A randomly changed copy of color (H, W, 3) uint8 rgb."""
    image = _mix_channels(color.astype(np.float32) / np.float32(255.0), config, rng)
    image = _change_tones(image, config, rng)
    if rng.random() < config.vignette_probability:
        image *= _vignette(image.shape[:2], rng)[..., None]
    if rng.random() < config.blur_probability:
        image = np.asarray(cv2.GaussianBlur(image, (0, 0), float(rng.uniform(0.4, 1.4))), np.float32)
    if rng.random() < config.noise_probability:
        image = image + _sensor_noise(image, rng.uniform(0.0, config.noise_max), rng)
    result = (np.clip(image, 0.0, 1.0) * 255.0 + 0.5).astype(np.uint8)
    if rng.random() < config.compression_probability:
        result = _compress(result, int(rng.integers(30, 85)))
    return result


def _mix_channels(
    image: NDArray[np.float32], config: ColorAugmentation, rng: np.random.Generator
) -> NDArray[np.float32]:
    """White balance, hue rotation and saturation as one 3x3 matrix."""
    gray = rng.random() < config.gray_probability
    saturation = 0.0 if gray else 1.0 + rng.uniform(-config.saturation, config.saturation)
    angle = np.deg2rad(rng.uniform(-config.hue_degrees, config.hue_degrees))
    cos, sin = saturation * np.cos(angle), saturation * np.sin(angle)
    rotation = np.array([[1, 0, 0], [0, cos, -sin], [0, sin, cos]], np.float32)
    balance = np.diag(1.0 + rng.uniform(-config.white_balance, config.white_balance, 3)).astype(np.float32)
    mixed = cv2.transform(image, balance @ _FROM_YIQ @ rotation @ _TO_YIQ)
    return np.asarray(mixed, dtype=np.float32)


def _change_tones(
    image: NDArray[np.float32], config: ColorAugmentation, rng: np.random.Generator
) -> NDArray[np.float32]:
    contrast = 1.0 + rng.uniform(-config.contrast, config.contrast)
    brightness = rng.uniform(-config.brightness, config.brightness)
    gamma = np.exp(rng.uniform(-config.gamma, config.gamma))
    mean = float(image.mean())
    return np.clip((image - mean) * contrast + mean + brightness * mean, 0.0, 1.0) ** np.float32(gamma)


def _vignette(size: tuple[int, int], rng: np.random.Generator) -> NDArray[np.float32]:
    y, x = np.meshgrid(np.linspace(-1, 1, size[0]), np.linspace(-1, 1, size[1]), indexing="ij")
    center = rng.uniform(-0.5, 0.5, 2)
    falloff = rng.uniform(0.1, 0.35) * ((y - center[0]) ** 2 + (x - center[1]) ** 2)
    return (1.0 / (1.0 + falloff)).astype(np.float32)


def _sensor_noise(image: NDArray[np.float32], sigma: float, rng: np.random.Generator) -> NDArray[np.float32]:
    """Noise that is partly common to the channels, and softer in half of the cases (as after demosaicing)."""
    noise = rng.standard_normal(image.shape, dtype=np.float32)
    if rng.random() < 0.5:
        noise = np.asarray(1.5 * cv2.GaussianBlur(noise, (3, 3), 0.0), dtype=np.float32)
    return np.float32(sigma) * noise


def _compress(image: NDArray[np.uint8], quality: int) -> NDArray[np.uint8]:
    encoded = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return cv2.imdecode(encoded, cv2.IMREAD_COLOR).astype(np.uint8)
