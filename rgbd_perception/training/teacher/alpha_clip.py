"""The teacher of DVEFormer: Alpha-CLIP, one embedding for every segment and one for the whole view."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rgbd_perception.errors import UserError
from rgbd_perception.inference.importing import file_sha256
from rgbd_perception.models.checkpoint import plain_names, read_entries
from rgbd_perception.training.datasets.views import LabelledView
from rgbd_perception.training.teacher.base import Lesson, TeacherSpec
from rgbd_perception.training.teacher.segments import ids_in
from rgbd_perception.training.teacher.tower import TowerConfig, build_tower, load_tower, tower_entries

if TYPE_CHECKING:
    from torch import Tensor

ESTIMATOR = "alpha_clip__l14-336-grit-20m"
"""What the data sets of the authors call it."""

TEXT_SPACE = "open_clip:ViT-L-14-336"
"""The text tower is OpenAI's, unchanged."""

OFFICIAL_SHA256 = "b0e9c4d5d33bfa2724a0864f8e4b2b92f99aba3a4daf43084114c8caecfbadd9"
OFFICIAL_FILE = "clip_l14@336_grit20m_fultune_4xe.pth"
"""Of the Alpha-CLIP project, for research only: the user downloads it, this package never ships it."""

CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)
CLIP_STD = (0.26862954, 0.26130258, 0.27577711)
MASK_MEAN, MASK_STD = 0.5, 0.26

BATCH = 8
"""Masks at once. The same whoever works: other sizes may round differently."""


class AlphaClipTeacher:
    """Runs the tower over a view once for each of its segments (a Teacher)."""

    def __init__(self, tower: Any, device: str = "cpu") -> None:
        """tower (B, 4, S, S) -> (B, D), as ``build_tower`` makes it; it is moved to ``device``."""
        self._tower = tower.to(device)
        self._device = device
        self._size = tower.image_size[0]

    def teach(self, view: LabelledView, segments: NDArray[np.int32]) -> Lesson:
        """Embeddings of the segments and, with a mask of ones, of the view; not normalised."""
        import torch

        ids = ids_in(segments)
        color = color_input(view.color, self._size).to(self._device)
        rows = []
        with torch.inference_mode():
            for masks in _masks(segments, ids):
                alpha = mask_input(masks, self._size).to(self._device)
                inputs = torch.cat((color.expand(len(masks), -1, -1, -1), alpha), dim=1)
                rows.append(self._tower(inputs).float().cpu())
        table = torch.cat(rows).numpy()
        return Lesson(ids, table[1:], table[0])


def load_alpha_clip(path: Path, device: str = "auto") -> AlphaClipTeacher:
    """The published teacher with the weights in ``path``; "auto" is the GPU where there is one.

    Raises UserError for a file of something else, and where open_clip is missing.
    """
    import torch

    tower = build_tower(TowerConfig())
    load_tower(tower, plain_names(read_entries(path)))
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    return AlphaClipTeacher(tower, device)


def alpha_clip_spec(path: Path, device: str = "auto") -> TeacherSpec:
    """What ``load_alpha_clip`` loads, checked but not kept.

    Raises UserError for a file that is missing or of something else, and where open_clip is missing.
    """
    if not path.is_file():
        raise UserError(
            f"expected the weights of Alpha-CLIP in {path}, there is no such file: download {OFFICIAL_FILE} "
            "from the Alpha-CLIP project, whose terms allow research only"
        )
    import torch

    with torch.device("meta"):
        tower = build_tower(TowerConfig())
    tower_entries(tower, plain_names(read_entries(path)))
    digest = file_sha256(path)
    facts = {"weights": path.name, "weights_sha256": digest, "official": digest == OFFICIAL_SHA256}
    return TeacherSpec(ESTIMATOR, facts, partial(load_alpha_clip, path, device))


def color_input(color: NDArray[np.uint8], size: int) -> Tensor:
    """(H, W, 3) uint8 -> (1, 3, size, size): bicubic with antialias, ratio not kept, CLIP's statistics."""
    import torch
    from PIL import Image

    resized = Image.fromarray(color).resize((size, size), Image.Resampling.BICUBIC)
    pixels = torch.from_numpy(np.asarray(resized, np.float32) / np.float32(255.0)).permute(2, 0, 1)[None]
    mean, std = (torch.tensor(values)[:, None, None] for values in (CLIP_MEAN, CLIP_STD))
    return (pixels - mean) / std


def mask_input(masks: NDArray[np.bool_], size: int) -> Tensor:
    """(B, H, W) bool, true in the segment -> (B, 1, size, size): nearest, (m - 0.5) / 0.26."""
    import torch
    from torch.nn import functional as F

    alpha = F.interpolate(torch.from_numpy(masks.astype(np.float32))[:, None], (size, size), mode="nearest")
    return (alpha - MASK_MEAN) / MASK_STD


def _masks(segments: NDArray[np.int32], ids: NDArray[np.int64]) -> Iterator[NDArray[np.bool_]]:
    """Batches of masks: all of the view first, then each segment."""
    everything = np.ones((1, *segments.shape), bool)
    for start in range(0, len(ids) + 1, BATCH):
        own = ids[max(start - 1, 0) : start + BATCH - 1]
        masks = segments[None] == own[:, None, None]
        yield np.concatenate((everything, masks)) if start == 0 else masks
