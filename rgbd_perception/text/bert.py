"""BERT (Devlin et al. 2019, arXiv:1810.04805) as a sentence encoder, in numpy: no deep-learning package.

Sizes follow from the tensors. A text of a few words takes some milliseconds.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from scipy.special import erf

EPSILON = 1e-12
"""Of the layer norms."""

Array = NDArray[np.float32]


class Bert:
    """The encoder and the mean over its tokens."""

    def __init__(self, tensors: Mapping[str, Array], heads: int) -> None:
        """``tensors``: by the names of the published checkpoints, without a prefix."""
        self._tensors, self._heads = tensors, heads
        names = {name.split(".")[2] for name in tensors if name.startswith("encoder.layer.")}
        self._layers = [f"encoder.layer.{index}" for index in range(len(names))]

    def __call__(self, ids: NDArray[np.int64], mask: NDArray[np.bool_]) -> Array:
        """Token ids (N, T), ``mask`` True where there is a token -> (N, D) means over the tokens."""
        x = self._tensors["embeddings.word_embeddings.weight"][ids]
        x = x + self._tensors["embeddings.position_embeddings.weight"][: ids.shape[1]]
        x = self._norm(
            "embeddings.LayerNorm", x + self._tensors["embeddings.token_type_embeddings.weight"][0]
        )
        bias = np.where(mask, 0.0, np.finfo(np.float32).min).astype(np.float32)[:, None, None, :]
        for layer in self._layers:
            attended = self._linear(f"{layer}.attention.output.dense", self._attend(layer, x, bias))
            x = self._norm(f"{layer}.attention.output.LayerNorm", x + attended)
            hidden = _gelu(self._linear(f"{layer}.intermediate.dense", x))
            x = self._norm(f"{layer}.output.LayerNorm", x + self._linear(f"{layer}.output.dense", hidden))
        weights = mask[..., None].astype(np.float32)
        return np.asarray((x * weights).sum(axis=1) / weights.sum(axis=1), np.float32)

    def _attend(self, layer: str, x: Array, bias: Array) -> Array:
        """Self-attention (N, T, D) before its output layer."""
        count, tokens, dim = x.shape
        q, k, v = (
            self._linear(f"{layer}.attention.self.{part}", x)
            .reshape(count, tokens, self._heads, -1)
            .transpose(0, 2, 1, 3)
            for part in ("query", "key", "value")
        )
        scores = q @ k.transpose(0, 1, 3, 2) * np.float32((dim // self._heads) ** -0.5) + bias
        weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
        weights /= weights.sum(axis=-1, keepdims=True)
        return (weights @ v).transpose(0, 2, 1, 3).reshape(count, tokens, dim)

    def _linear(self, name: str, x: Array) -> Array:
        return x @ self._tensors[f"{name}.weight"].T + self._tensors[f"{name}.bias"]

    def _norm(self, name: str, x: Array) -> Array:
        centred = x - x.mean(axis=-1, keepdims=True)
        scale = 1.0 / np.sqrt(np.square(centred).mean(axis=-1, keepdims=True) + EPSILON)
        return centred * scale * self._tensors[f"{name}.weight"] + self._tensors[f"{name}.bias"]


def _gelu(x: Array) -> Array:
    return np.float32(0.5) * x * (1 + erf(x * np.float32(2**-0.5)))
