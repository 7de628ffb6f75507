"""Text embeddings of class and scene names beside those of views, as the authors' loader expects them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from rgbd_perception.text.encoder import TextEncoder
from rgbd_perception.text.prompts import templates_for
from rgbd_perception.training.datasets.class_lists import SCENES
from rgbd_perception.training.teacher.pickled_dicts import write_embedding_dicts
from rgbd_perception.training.teacher.registry import (
    CLASS_NAMES_FILE,
    SCENE_NAMES_FILE,
    register_class_names,
)
from rgbd_perception.training.teacher.storage import EmbeddingStore

VOID = "void"
"""Stands first in the lists of the authors."""


def write_class_names(store: EmbeddingStore, encoder: TextEncoder, classes: Sequence[str]) -> None:
    """Write both files with the embeddings of ``classes``, of void and of the scenes, and register them."""
    semantic = {f"semantic_{store.classes}_embedding_{store.estimator}": _embed(encoder, (VOID, *classes))}
    write_embedding_dicts(store.root / CLASS_NAMES_FILE, semantic)
    scenes = _embed(encoder, SCENES)
    names = (store.estimator, f"{store.estimator}_indoor_domestic")
    write_embedding_dicts(store.root / SCENE_NAMES_FILE, dict.fromkeys(names, scenes))
    register_class_names(store.root)


def _embed(encoder: TextEncoder, names: Sequence[str]) -> dict[str, NDArray[np.float32]]:
    """Prompt to embedding (D,), by the last template of the text space: CLIP has one."""
    template = templates_for(encoder.text_space)[-1]
    prompts = [template.format(name) for name in names]
    return dict(zip(prompts, encoder.encode(prompts), strict=True))
