"""From class names to class embeddings: the phrasings a text space was trained with."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from rgbd_perception.text.encoder import TextEncoder

SENTENCE_TEMPLATES = ("{}", "a {}")
CLIP_TEMPLATES = ("a detailed photo of a {}",)
"""The one template of the published DVEFormer."""


def templates_for(text_space: str) -> tuple[str, ...]:
    """Templates with one place for the class name."""
    return CLIP_TEMPLATES if text_space.startswith("open_clip:") else SENTENCE_TEMPLATES


def embed_class_names(encoder: TextEncoder, names: Sequence[str]) -> NDArray[np.float32]:
    """(C, D) float32 unit rows: for each name the normalised mean over the templates of the text space."""
    templates = templates_for(encoder.text_space)
    texts = [template.format(name) for name in names for template in templates]
    rows = encoder.encode(texts).reshape(len(names), len(templates), encoder.dim).mean(axis=1)
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
