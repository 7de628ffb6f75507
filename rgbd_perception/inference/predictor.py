"""One frame in, one prediction out: preprocess, backend, postprocess."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from rgbd_perception.errors import FrameDropped, UserError
from rgbd_perception.frame import Prediction, RgbdFrame
from rgbd_perception.inference.backends import create_backend
from rgbd_perception.inference.loading import load_network
from rgbd_perception.inference.masks import upsample_masks
from rgbd_perception.inference.postprocess import (
    GridOutput,
    classify,
    compare_with_classes,
    normalize_scores,
)
from rgbd_perception.inference.preprocess import (
    clean_depth,
    downscale_factor,
    normalize,
    pad_to_multiple,
    shrink_color,
    shrink_depth,
)
from rgbd_perception.inference.weights import WeightsFile, WeightsInfo
from rgbd_perception.models import ModelOutput
from rgbd_perception.text import create_text_encoder
from rgbd_perception.text.prompts import embed_class_names
from rgbd_perception.vocabulary import Vocabulary


class Predictor:
    """A network with its weights and a vocabulary.

    Not thread-safe: one thread at a time may call it. Threads of torch are left as they are.
    """

    def __init__(
        self,
        model: str | Path = "rgbd_mini",
        backend: str = "auto",
        labels: Sequence[str] | None = None,
        untrained: bool = False,
    ) -> None:
        """Load a network.

        model      a name of ``list_models()`` whose weights are installed, or the path of a weights file
        backend    "torch", or "auto" for the fastest there is
        labels     class names of the masks, compared by text; None: the model's own, without a text encoder
        untrained  take random weights, whose labels mean nothing, where none are installed

        Raises UserError where the weights, the backend or the text encoder cannot be had.
        """
        network, weights = load_network(model, untrained)
        info = weights.info
        self._config = network.config
        self._min_size = network.min_size
        self._backend = create_backend(backend, network)
        self.model_id = info.model_id
        self.text_space = info.text_space
        embeds = network.has_embeddings
        classes = _text_classes(weights, labels) if embeds else _own_classes(info, labels)
        self.vocabulary, self.class_embeddings, rows, self._temperature = classes
        self._rows = None if rows is None else torch.from_numpy(rows)

    @property
    def label_names(self) -> tuple[str, ...]:
        """Names of the label ids."""
        return self.vocabulary.names

    @property
    def backend(self) -> str:
        """Name of what runs the network."""
        return self._backend.name

    def stride(self, shape: tuple[int, int]) -> int:
        """Color pixels along one side of a cell for frames of ``shape`` (H, W)."""
        return downscale_factor(shape, self._config.input_size) * self._config.stride

    @torch.inference_mode()
    def __call__(self, frame: RgbdFrame, masks: bool = True) -> Prediction:
        """Labels, confidence, embeddings of the grid; with ``masks`` labels and confidence of each pixel too.

        Depth that is missing, not finite, negative or beyond 20 m counts as missing. Raises FrameDropped
        ``prediction_not_finite`` where the network gives NaN, so that none gets into a map.
        """
        clock = _Clock()
        stride = self.stride(frame.shape)
        rgb, depth = self._inputs(frame)
        clock.lap("preprocess")
        output = self._backend(rgb, depth)
        clock.lap("network")
        height, width = -(-frame.shape[0] // stride), -(-frame.shape[1] // stride)
        grid = self._classes(output, height, width)
        if not torch.isfinite(grid.log_probability).all():
            raise FrameDropped("prediction_not_finite", f"{self.model_id} gave NaN or infinite values")
        cell_labels, cell_confidence = classify(grid.log_probability)
        clock.lap("postprocess")
        labels: NDArray[np.uint16] | None = None
        confidence: NDArray[np.float32] | None = None
        if masks:
            labels, confidence = upsample_masks(grid.log_probability, stride, frame.shape)
            clock.lap("masks")
        return Prediction(
            cell_labels=cell_labels,
            cell_confidence=cell_confidence,
            stride=stride,
            embedding=grid.embedding,
            labels=labels,
            confidence=confidence,
            model_id=self.model_id,
            text_space=self.text_space,
            vocabulary_id=self.vocabulary.id,
            step_ms=clock.step_ms,
        )

    def close(self) -> None:
        """Free the network; calling the predictor afterwards is an error."""
        self._backend.close()

    def _classes(self, output: ModelOutput, height: int, width: int) -> GridOutput:
        """Scores of the classes at the (height, width) cells that cover the image."""
        if output.embedding is not None and self._rows is not None:
            embedding = output.embedding[:, :, :height, :width]
            return compare_with_classes(embedding, self._rows.to(embedding.device), self._temperature)
        if output.logits is None:
            raise RuntimeError(f"{self.model_id} has neither embeddings nor classes")
        return normalize_scores(output.logits[:, :, :height, :width])

    def _inputs(self, frame: RgbdFrame) -> tuple[torch.Tensor, torch.Tensor]:
        factor = downscale_factor(frame.shape, self._config.input_size)
        # Views into messages and files cannot be written to, which torch warns about: those are copied.
        color = np.require(shrink_color(frame.color, factor), requirements=["C", "W"])
        depth = shrink_depth(clean_depth(frame.depth), factor)
        inputs = normalize(
            torch.from_numpy(color)[None],
            torch.from_numpy(depth)[None],
            self._config.depth_mean,
            self._config.depth_std,
        )
        multiple = self._config.input_multiple
        rgb, normed = (pad_to_multiple(tensor, multiple, self._min_size) for tensor in inputs)
        return rgb, normed


class _Clock:
    """Milliseconds between laps."""

    def __init__(self) -> None:
        self.step_ms: dict[str, float] = {}
        self._last = time.perf_counter()

    def lap(self, step: str) -> None:
        now = time.perf_counter()
        self.step_ms[step] = (now - self._last) * 1e3
        self._last = now


class _Classes(NamedTuple):
    """What a label means, and how embeddings become labels.

    text_embeddings  (C, D) of the names, for a map; None where there are none at hand
    rows             (C, D) that unit embeddings are multiplied with; None for a network with a classifier
    temperature      factor of those products
    """

    vocabulary: Vocabulary
    text_embeddings: NDArray[np.float32] | None
    rows: NDArray[np.float32] | None
    temperature: float


def _text_classes(weights: WeightsFile, labels: Sequence[str] | None) -> _Classes:
    """Of a network with embeddings: by text, or by what its file has: a classifier, text embeddings."""
    info = weights.info
    if labels is not None:
        vocabulary = Vocabulary(labels, info.text_space)
        rows = embed_class_names(create_text_encoder(info.text_space), vocabulary.names)
        return _Classes(vocabulary, rows, rows, info.temperature)
    texts, classifier = weights.class_embeddings, weights.classifier
    if texts is None and classifier is None:
        raise UserError(f"{info.model_id} has no class names of its own: name the classes (labels=...)")
    vocabulary = Vocabulary(info.labels, info.text_space)
    if classifier is not None:
        return _Classes(vocabulary, texts, classifier, 1.0)
    return _Classes(vocabulary, texts, texts, info.temperature)


def _own_classes(info: WeightsInfo, labels: Sequence[str] | None) -> _Classes:
    """Of a network with a classifier."""
    if labels is not None:
        raise UserError(f"{info.model} has a fixed list of {len(info.labels)} classes: leave out the labels")
    return _Classes(Vocabulary(info.labels), None, None, 1.0)
