"""One frame in, one prediction out: preprocess, backend, postprocess."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from rgbd_perception.errors import FrameDropped, UserError
from rgbd_perception.frame import Prediction, RgbdFrame
from rgbd_perception.inference.backends import create_backend
from rgbd_perception.inference.masks import upsample_masks
from rgbd_perception.inference.postprocess import classify, compare_with_classes
from rgbd_perception.inference.preprocess import (
    clean_depth,
    downscale_factor,
    normalize,
    pad_to_multiple,
    shrink_color,
    shrink_depth,
)
from rgbd_perception.inference.weights import WeightsFile, default_path, read_weights
from rgbd_perception.models import create_model, list_models, load_checkpoint
from rgbd_perception.text import create_text_encoder
from rgbd_perception.text.prompts import embed_class_names
from rgbd_perception.vocabulary import Vocabulary


class Predictor:
    """A network with its weights and a vocabulary.

    Not thread-safe: one thread at a time may call it. Threads of torch are left as they are.
    """

    def __init__(
        self, model: str | Path = "rgbd_mini", backend: str = "auto", labels: Sequence[str] | None = None
    ) -> None:
        """Load a network.

        model    a name of ``list_models()`` whose weights are installed, or the path of a weights file
        backend  "torch", or "auto" for the fastest there is
        labels   class names of the masks, compared by text; None: the model's own, without a text encoder

        Raises UserError where the weights, the backend or the text encoder cannot be had.
        """
        weights = read_weights(_weights_path(model))
        info = weights.info
        network = create_model(info.model, **info.settings)
        load_checkpoint(network, weights.state).require_complete()
        self._config = network.config
        self._min_size = network.min_size
        self._backend = create_backend(backend, network)
        self._temperature = info.temperature
        self.model_id = info.model_id
        self.text_space = info.text_space
        self.vocabulary, self.class_embeddings = _vocabulary(weights, labels)
        self._class_matrix = torch.from_numpy(self.class_embeddings)

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
        if output.embedding is None:
            raise RuntimeError(f"{self.model_id} has no embeddings")
        embedding = output.embedding[:, :, :height, :width]
        grid = compare_with_classes(embedding, self._class_matrix.to(embedding.device), self._temperature)
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

    def _inputs(self, frame: RgbdFrame) -> tuple[torch.Tensor, torch.Tensor]:
        factor = downscale_factor(frame.shape, self._config.input_size)
        color = np.ascontiguousarray(shrink_color(frame.color, factor))
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


def _weights_path(model: str | Path) -> Path:
    if isinstance(model, str) and model in list_models():
        return default_path(model)
    path = Path(model)
    if path.suffix != ".safetensors":
        raise UserError(
            f"expected one of the models {', '.join(list_models())} or a .safetensors file, got '{model}'"
        )
    return path


def _vocabulary(weights: WeightsFile, labels: Sequence[str] | None) -> tuple[Vocabulary, NDArray[np.float32]]:
    """The class names of the masks and their text embeddings (C, D)."""
    info = weights.info
    if labels is None:
        if weights.class_embeddings is None:
            raise UserError(f"{info.model_id} has no class names of its own: name the classes (labels=...)")
        return Vocabulary(info.labels, info.text_space), weights.class_embeddings
    vocabulary = Vocabulary(labels, info.text_space)
    return vocabulary, embed_class_names(create_text_encoder(info.text_space), vocabulary.names)
