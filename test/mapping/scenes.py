"""Small made-up scenes: a camera looks at boxes in a room, every pixel's depth, color and class exact."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rgbd_perception.frame import CameraIntrinsics, Prediction, RgbdFrame
from rgbd_perception.vocabulary import UNKNOWN_LABEL, Vocabulary

INTRINSICS = CameraIntrinsics(100.0, 100.0, 79.5, 59.5, 160, 120)
STRIDE = 4
NAMES = ("wall", "chair", "table", "lamp")
TEXT_SPACE = "made-up"
DIM = 16


@dataclass(frozen=True)
class Cuboid:
    """An axis-aligned box in the map frame with a class and a color."""

    low: tuple[float, float, float]
    high: tuple[float, float, float]
    label: int
    color: tuple[int, int, int] = (128, 128, 128)


class MadeUpEncoder:
    """Texts as fixed directions: class names are axes, "like NAME" is 53 degrees off, others lie far away."""

    def __init__(self, text_space: str = TEXT_SPACE) -> None:
        self.text_space = text_space

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        return np.array([self._one(text) for text in texts], np.float32).reshape(len(texts), DIM)

    def _one(self, text: str) -> NDArray[np.float64]:
        axes = np.eye(DIM)
        if text in NAMES:
            return axes[NAMES.index(text)]
        if text.startswith("like "):
            return 0.6 * axes[NAMES.index(text[5:])] + 0.8 * axes[10]
        return axes[12]


def looking_along(yaw: float, position: Sequence[float] = (0.0, 0.0, 1.0)) -> NDArray[np.float64]:
    """Pose of a camera at ``position`` looking horizontally along ``yaw``."""
    forward = np.array([np.cos(yaw), np.sin(yaw), 0.0])
    right = np.array([np.sin(yaw), -np.cos(yaw), 0.0])
    pose = np.eye(4)
    pose[:3, :3] = np.stack([right, [0, 0, -1], forward], axis=1)
    pose[:3, 3] = position
    return pose


def render(
    cuboids: Sequence[Cuboid], pose: NDArray[np.float64], stamp_ns: int = 0
) -> tuple[RgbdFrame, NDArray[np.uint16]]:
    """Frame and (H, W) labels of cuboids seen from ``pose`` (slab test per pixel)."""
    k = INTRINSICS
    v, u = np.mgrid[0 : k.height, 0 : k.width]
    rays = np.stack([(u - k.cx) / k.fx, (v - k.cy) / k.fy, np.ones(u.shape)], axis=-1) @ pose[:3, :3].T
    rays = np.where(np.abs(rays) < 1e-12, 1e-12, rays)
    depth = np.full(u.shape, np.inf)
    labels = np.full(u.shape, UNKNOWN_LABEL, np.uint16)
    color = np.zeros((*u.shape, 3), np.uint8)
    for cuboid in cuboids:
        near, far = (np.array(corner) - pose[:3, 3] for corner in (cuboid.low, cuboid.high))
        enter = np.minimum(near / rays, far / rays).max(axis=-1)
        leave = np.maximum(near / rays, far / rays).min(axis=-1)
        hit = (enter <= leave) & (enter > 0) & (enter < depth)
        depth[hit], labels[hit], color[hit] = enter[hit], cuboid.label, cuboid.color
    depth[np.isinf(depth)] = 0
    return RgbdFrame(color, depth.astype(np.float32), k, stamp_ns, "camera", pose), labels


def predict(labels: NDArray[np.uint16], with_embedding: bool = True, confidence: float = 0.9) -> Prediction:
    """The prediction of a network that knows the labels: that of each cell's middle pixel."""
    cells = np.ascontiguousarray(labels[STRIDE // 2 :: STRIDE, STRIDE // 2 :: STRIDE])
    embedding = None
    if with_embedding:
        table = np.concatenate([MadeUpEncoder().encode(NAMES), np.zeros((1, DIM), np.float32)])
        embedding = table[np.minimum(cells, len(NAMES))].astype(np.float16)
    return Prediction(
        cells,
        np.full(cells.shape, confidence, np.float32),
        STRIDE,
        embedding,
        model_id="made-up",
        text_space=TEXT_SPACE if with_embedding else "",
        vocabulary_id=VOCABULARY.id,
    )


def observe(
    cuboids: Sequence[Cuboid], pose: NDArray[np.float64], stamp_ms: int = 0, with_embedding: bool = True
) -> tuple[RgbdFrame, Prediction]:
    """Frame and perfect prediction."""
    frame, labels = render(cuboids, pose, stamp_ms * 1_000_000)
    return frame, predict(labels, with_embedding)


VOCABULARY = Vocabulary(NAMES, TEXT_SPACE)
ROOM = (
    Cuboid((3.02, -3.02, 0.02), (3.22, 3.02, 2.52), 0, (200, 200, 200)),
    Cuboid((2.02, 0.42, 0.52), (2.42, 0.92, 1.12), 1, (200, 0, 0)),
    Cuboid((2.02, -0.88, 0.62), (2.62, -0.28, 1.22), 2, (0, 200, 0)),
)
"""A wall behind a chair (left) and a table (right), as seen from the origin along x.

No face lies on a boundary between voxels, where rounding would decide."""
