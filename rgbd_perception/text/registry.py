"""Text encoders by the name of their text space."""

from __future__ import annotations

import threading

from rgbd_perception.errors import UserError
from rgbd_perception.text.encoder import TextEncoder

DEFAULT_TEXT_SPACE = "all-MiniLM-L6-v2"
"""The space of ``rgbd_mini``."""

OPEN_CLIP_PREFIX = "open_clip:"

_encoders: dict[str, TextEncoder] = {}
_lock = threading.Lock()


def create_text_encoder(text_space: str = DEFAULT_TEXT_SPACE) -> TextEncoder:
    """The encoder of ``text_space``, loaded once for each process (seconds the first time).

    "all-MiniLM-L6-v2", or "open_clip:ARCHITECTURE" such as "open_clip:ViT-L-14-336". Raises UserError for
    another name, and where the package that holds the encoder is missing or not the expected one.
    """
    with _lock:
        if text_space not in _encoders:
            _encoders[text_space] = _load(text_space)
        return _encoders[text_space]


def _load(text_space: str) -> TextEncoder:
    if text_space == DEFAULT_TEXT_SPACE:
        from rgbd_perception.text.minilm import load_minilm

        return load_minilm()
    if text_space.startswith(OPEN_CLIP_PREFIX):
        from rgbd_perception.text.clip import load_open_clip

        return load_open_clip(text_space.removeprefix(OPEN_CLIP_PREFIX))
    raise UserError(
        f"expected the text space {DEFAULT_TEXT_SPACE} or {OPEN_CLIP_PREFIX}ARCHITECTURE, got {text_space!r}"
    )
