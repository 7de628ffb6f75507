"""Shards small enough for tests: eight views of coloured rectangles on a wall, eight-dimensional targets."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from rgbd_perception.training.shards import ShardArrays, ShardInfo, write_shard

SIZE = (64, 96)
DIM = 384
CLASSES = ("wall", "red thing", "green thing", "blue thing")
COLORS = np.array([[128, 128, 128], [220, 30, 30], [30, 220, 30], [30, 30, 220]], np.uint8)


def class_embeddings() -> NDArray[np.float32]:
    """(4, DIM) unit rows, one for each of CLASSES."""
    rows = np.random.default_rng(7).standard_normal((len(CLASSES), DIM)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def write_tiny_shards(root: Path, count: int = 2, seed: int = 0) -> None:
    """``count`` shards of four views; row i of a shard is an object of class i."""
    embeddings = np.repeat(class_embeddings()[:, None], 2, axis=1).astype(np.float16)
    for index in range(count):
        rng = np.random.default_rng((seed, index))
        rows = np.stack([_rectangles(rng) for _ in range(4)])
        arrays = ShardArrays(
            color=COLORS[rows],
            depth=np.where(rows > 0, 1500, 3000).astype(np.uint16),
            rows=(rows + 1).astype(np.uint16),
            embeddings=embeddings,
            classes=np.arange(len(CLASSES), dtype=np.uint8),
        )
        write_shard(root / f"shard_{index:05d}", arrays, ShardInfo((index,), "test-space", CLASSES))


def _rectangles(rng: np.random.Generator) -> NDArray[np.int64]:
    """(H, W) class ids: a rectangle of each class on the wall."""
    image = np.zeros(SIZE, np.int64)
    for label in range(1, len(CLASSES)):
        top, left = rng.integers(0, SIZE[0] - 24), rng.integers(0, SIZE[1] - 32)
        image[top : top + 24, left : left + 32] = label
    return image


def write_tiny_folder(root: Path, views: int = 8) -> None:
    """Labelled images of a user's own, as ``datasets.own_folder`` reads them: splits train and test."""
    for kind in ("color", "label", "depth"):
        (root / kind).mkdir(parents=True, exist_ok=True)
    names = [f"{index:03d}" for index in range(views)]
    for index, name in enumerate(names):
        classes = _rectangles(np.random.default_rng((0, index)))
        images = {
            "color": COLORS[classes][..., ::-1],
            "label": classes.astype(np.uint8),
            "depth": np.where(classes > 0, 1500, 3000).astype(np.uint16),
        }
        for kind, image in images.items():
            assert cv2.imwrite(str(root / kind / f"{name}.png"), image)
    (root / "classes.txt").write_text("\n".join(CLASSES) + "\n")
    (root / "train.txt").write_text("\n".join(names) + "\n")
    (root / "test.txt").write_text("\n".join(names[:2]) + "\n")
