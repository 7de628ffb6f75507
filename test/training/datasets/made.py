"""Labelled views made up in memory."""

from __future__ import annotations

import numpy as np

from rgbd_perception.frame import CameraIntrinsics
from rgbd_perception.training.datasets.class_lists import class_list
from rgbd_perception.training.datasets.views import DataSetInfo, LabelledView

SHAPE = (40, 56)


def made_view(seed: int = 0, shape: tuple[int, int] = SHAPE, name: str = "made") -> LabelledView:
    """Four classes (the last is void) in blocks of 8 pixels; color, depth and instance say the class too."""
    rng = np.random.default_rng(seed)
    blocks = rng.integers(0, 4, (-(-shape[0] // 8), -(-shape[1] // 8)))
    ids = blocks.repeat(8, 0).repeat(8, 1)[: shape[0], : shape[1]]
    semantic = np.where(ids == 3, -1, ids).astype(np.int16)
    return LabelledView(
        name=name,
        color=np.repeat((40 + 60 * ids)[..., None], 3, axis=2).astype(np.uint8),
        depth=(1.0 + ids).astype(np.float32),
        semantic=semantic,
        instance=ids.astype(np.int32),
        segments=(ids * 70_000).astype(np.int32),
        intrinsics=CameraIntrinsics(50.0, 50.0, 27.5, 19.5, shape[1], shape[0]),
        orientations={1: 0.5, 2: 6.0},
        modalities={"hha": np.repeat((20 * ids)[..., None], 3, axis=2).astype(np.uint8)},
    )


class MadeViews:
    """``count`` views with the given classes (a LabelledViews); class ``i`` fills row ``i``."""

    def __init__(self, name: str, classes: tuple[str, ...], count: int) -> None:
        listed = class_list(classes)
        self.info = DataSetInfo(name, "train", listed.names, listed.colors, listed.things)
        self._count = count

    def __len__(self) -> int:
        return self._count

    def name(self, index: int) -> str:
        return str(index)

    def view(self, index: int) -> LabelledView:
        rows = np.arange(-1, len(self.info.classes)).astype(np.int16)
        semantic = np.repeat(rows[:, None], 4, axis=1)
        color = np.full((*semantic.shape, 3), index, np.uint8)
        return LabelledView(str(index), color, np.ones(semantic.shape, np.float32), semantic)
