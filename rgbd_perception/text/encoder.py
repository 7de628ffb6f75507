"""Text encoders: what every one of them offers, and a cache, because the same texts come again and again."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from rgbd_perception.errors import UserError

MAX_CACHED_TEXTS = 20_000


class TextEncoder(Protocol):
    """Texts to unit vectors of one text space; embeddings of different spaces cannot be compared."""

    @property
    def text_space(self) -> str:
        """Name of the space, as maps and weight files remember it."""

    @property
    def dim(self) -> int:
        """Length of an embedding."""

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """(N, dim) float32 unit rows, one for each text. Raises UserError for a text that is none."""


class CachingTextEncoder:
    """A TextEncoder around a model's ``embed`` that remembers every text. Safe to share between threads.

    embed   texts -> (N, dim) float32 rows of any length; called by one thread at a time
    """

    def __init__(
        self, text_space: str, dim: int, embed: Callable[[Sequence[str]], NDArray[np.float32]]
    ) -> None:
        self.text_space = text_space
        self.dim = dim
        self._embed = embed
        self._rows: dict[str, NDArray[np.float32]] = {}
        self._lock = threading.Lock()

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """(N, dim) float32 unit rows. Raises UserError for a text without any letter or with broken ones."""
        if isinstance(texts, str):
            raise TypeError("expected a sequence of texts, got one string")
        for text in texts:
            _check(text)
        with self._lock:
            new = [text for text in dict.fromkeys(texts) if text not in self._rows]
            if len(self._rows) + len(new) > MAX_CACHED_TEXTS:
                self._rows.clear()
                new = list(dict.fromkeys(texts))
            if new:
                self._rows.update(zip(new, self._unit_rows(new), strict=True))
            rows = [self._rows[text] for text in texts]
        return np.stack(rows) if rows else np.zeros((0, self.dim), np.float32)

    def _unit_rows(self, texts: Sequence[str]) -> NDArray[np.float32]:
        rows = np.asarray(self._embed(texts), dtype=np.float32)
        if rows.shape != (len(texts), self.dim):
            raise ValueError(f"expected embeddings ({len(texts)}, {self.dim}), got {rows.shape}")
        return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)


def _check(text: str) -> None:
    if not text.strip():
        raise UserError("expected a text with at least one letter, got an empty one")
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:  # Python's stand-ins for bytes of an argument that it could not decode
        raise UserError(
            f"expected a text in the encoding of the locale (LANG, LC_ALL), usually UTF-8, got {text!a}"
        ) from None
