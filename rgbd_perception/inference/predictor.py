"""One frame in, one prediction out: fit the images, run a backend, make the masks."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rgbd_perception.errors import FrameDropped
from rgbd_perception.frame import Prediction, RgbdFrame
from rgbd_perception.inference.backends import BackendRequest, GridOutput, choose_backend
from rgbd_perception.inference.classes import Classes, make_classes
from rgbd_perception.inference.fitting import Fitter, SizePolicy
from rgbd_perception.inference.loading_report import LoadingReport
from rgbd_perception.inference.masks import upsample_masks
from rgbd_perception.inference.prepared_frame import PreparedFrame
from rgbd_perception.vocabulary import Vocabulary


class Predictor:
    """A network with its weights and a vocabulary.

    Not thread-safe: one thread at a time may call it; but beside that others may prepare frames.
    """

    vocabulary: Vocabulary
    """What the label ids mean."""
    class_embeddings: NDArray[np.float32] | None
    """(C, D) text embeddings of the class names, for a map; None where there are none at hand."""

    def __init__(
        self,
        model: str | Path = "rgbd_mini",
        backend: str = "auto",
        labels: Sequence[str] | None = None,
        untrained: bool = False,
        *,
        sizes: SizePolicy = "letterbox",
        threads: int = 0,
        report: LoadingReport | None = None,
    ) -> None:
        """Load a network.

        model      a name of ``list_models()`` whose weights are installed, the path of a weights file, or
                   that of an exported ONNX file
        backend    "tensorrt", "openvino", "onnxruntime", "torch", or "auto" for the fastest there is
        labels     class names of the masks, compared by text; None: the model's own, without a text encoder
        untrained  take random weights, whose labels mean nothing, where none are installed
        sizes      what to do with frames that do not have the size of an exported network: "letterbox" (with
                   a margin) or "reject"; frames are never stretched
        threads    CPU threads of the network; 0: as many as the backend likes
        report     told what goes on while an engine is built

        Raises UserError where the weights, the backend or the text encoder cannot be had.
        """
        report = report or LoadingReport()
        request = BackendRequest(model, untrained, threads, automatic=backend == "auto", report=report)
        self._backend, self.backend_reason = choose_backend(backend, request)
        self._facts = self._backend.facts
        self.model_id = self._facts.model_id
        self.text_space = self._facts.text_space
        self._fitter = Fitter(self._facts.input_size, self._backend.sizes, sizes)
        self.use_classes(make_classes(self._facts, labels))

    @property
    def label_names(self) -> tuple[str, ...]:
        """Names of the label ids."""
        return self.vocabulary.names

    @property
    def backend(self) -> str:
        """Name of what runs the network; ``backend_reason`` says why."""
        return self._backend.name

    def stride(self, shape: tuple[int, int]) -> int:
        """Color pixels along one side of a cell for frames of ``shape`` (H, W)."""
        return self._fitter.fit(shape).factor * self._facts.stride

    def set_vocabulary(self, names: Sequence[str]) -> Vocabulary:
        """Compare with other class names from now on; the network stays as it is.

        Raises UserError where the network has fixed classes, the names cannot be used or are too many.
        """
        self.use_classes(self.make_classes(names))
        return self.vocabulary

    def make_classes(self, names: Sequence[str]) -> Classes:
        """The slow part of ``set_vocabulary``: texts to embeddings. May run beside a call."""
        return make_classes(self._facts, names)

    def use_classes(self, classes: Classes) -> None:
        """The quick part of ``set_vocabulary``; not beside a call."""
        if classes.rows is not None:
            self._backend.set_classes(classes.rows)
        self.vocabulary, self.class_embeddings = classes.vocabulary, classes.text_embeddings

    @property
    def on_cpu(self) -> bool:
        """Whether the network takes the cores that frames would be prepared on."""
        return self._backend.on_cpu

    def __call__(self, frame: RgbdFrame, masks: bool = True) -> Prediction:
        """``prepare`` and ``run`` in a row."""
        return self.run(self.prepare(frame), masks)

    def prepare(self, frame: RgbdFrame) -> PreparedFrame:
        """All that can be done before the network is free. May run in other threads, beside ``run``.

        Raises FrameDropped ``size_mismatch`` where frames of another size are to be rejected.
        """
        started = time.perf_counter()
        images = self._fitter(frame.color, frame.depth)
        return PreparedFrame(frame, images, (time.perf_counter() - started) * 1e3)

    def run(self, prepared: PreparedFrame, masks: bool = True) -> Prediction:
        """Labels, confidence, embeddings of the grid; with ``masks`` labels and confidence of each pixel too.

        Depth that is missing, not finite, negative or beyond 20 m counts as missing. The classes are those of
        this moment. Raises FrameDropped ``prediction_not_finite`` where the network gives NaN, so that none
        gets into a map, and ``model_exchanged`` where another predictor has prepared the frame, to images
        that this network does not take.
        """
        frame, images = prepared.frame, prepared.images
        if images.fit != self._fitter.fit(frame.shape):
            raise FrameDropped("model_exchanged", "it was prepared for a network of another input size")
        clock = _Clock(preprocess=prepared.took_ms)
        stride = self.stride(frame.shape)
        grid = self._backend(images.color, images.depth, scores=masks)
        clock.lap("network")
        grid = _cut(grid, -(-frame.shape[0] // stride), -(-frame.shape[1] // stride))
        if not (grid.confidence > 0).all():  # false for NaN too
            raise FrameDropped("prediction_not_finite", f"{self.model_id} gave NaN or infinite values")
        cell_labels = grid.labels.astype(np.uint16)
        clock.lap("postprocess")
        labels: NDArray[np.uint16] | None = None
        confidence: NDArray[np.float32] | None = None
        if masks and grid.log_probability is not None:
            labels, confidence = upsample_masks(grid.log_probability, cell_labels, stride, frame.shape)
            clock.lap("masks")
        return Prediction(
            cell_labels=cell_labels,
            cell_confidence=grid.confidence,
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


def _cut(grid: GridOutput, height: int, width: int) -> GridOutput:
    """Without the cells of a margin."""
    if grid.labels.shape == (height, width):
        return grid
    return GridOutput(*(None if array is None else array[:height, :width] for array in grid))  # type: ignore[arg-type]


class _Clock:
    """Milliseconds between laps; ``before``: of steps that are over."""

    def __init__(self, **before: float) -> None:
        self.step_ms = before
        self._last = time.perf_counter()

    def lap(self, step: str) -> None:
        now = time.perf_counter()
        self.step_ms[step] = (now - self._last) * 1e3
        self._last = now
