"""Compile (or load from the cache) every kernel before the first frame comes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from rgbd_perception.frame import CameraIntrinsics, Prediction, RgbdFrame
from rgbd_perception.mapping.config import MapConfig
from rgbd_perception.mapping.voxel_map import VoxelMap
from rgbd_perception.vocabulary import Vocabulary


class _OneText:
    text_space = "warm-up"

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        return np.tile(np.eye(1, 8, dtype=np.float32), (len(texts), 1))


def _prediction(cells: tuple[int, int], stride: int) -> Prediction:
    return Prediction(
        cell_labels=np.zeros(cells, np.uint16),
        cell_confidence=np.full(cells, 0.9, np.float32),
        stride=stride,
        embedding=np.tile(np.eye(1, 8, dtype=np.float32), (*cells, 1)),
        text_space=_OneText.text_space,
    )


def warm_up() -> None:
    """Run a tiny map through everything that is compiled: seconds the first time, then a fraction of one.

    Call it when a node is configured, so that no frame waits for the compiler.
    """
    height, width = 24, 32
    intrinsics = CameraIntrinsics(30.0, 30.0, 15.5, 11.5, width, height)
    depth = np.full((height, width), 2.0, np.float32)
    voxel_map = VoxelMap(MapConfig(max_voxels=1000, voxel_size=0.2, min_weight=0.0, fragment_voxels=1000))
    voxel_map.set_vocabulary(
        Vocabulary(["thing", "other"], _OneText.text_space), np.eye(2, 8, dtype=np.float32)
    )
    for distance, stride in ((1.0, 4), (2.0, 4), (2.0, 1)):  # the second frame sees through the first one
        frame = RgbdFrame(
            np.zeros((height, width, 3), np.uint8), depth * distance, intrinsics, pose=np.eye(4)
        )
        voxel_map.integrate(frame, _prediction((height // stride, width // stride), stride))
    voxel_map.query(["thing"], encoder=_OneText())  # finds something: answers are grouped and get boxes
    voxel_map.scores(["thing"], encoder=_OneText())
    voxel_map.objects()
    with TemporaryDirectory() as folder:
        voxel_map.save(Path(folder) / "warm.rgbdmap")
    voxel_map.close()
