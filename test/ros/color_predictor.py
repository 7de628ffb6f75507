"""A predictor whose answers a test can foresee: the class of a cell is its strongest color channel.

``python -m test.ros.color_predictor --ros-args ...`` runs the real node ``perception`` with it.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

import numpy as np

from rgbd_perception.errors import UserError
from rgbd_perception.frame import Prediction, RgbdFrame
from rgbd_perception.inference.classes import Classes
from rgbd_perception.inference.fitting import Fit, FittedImages
from rgbd_perception.inference.loading_report import LoadingReport
from rgbd_perception.inference.prepared_frame import PreparedFrame
from rgbd_perception.ros.perception_node import PerceptionNode
from rgbd_perception.ros.perception_parameters import PerceptionParameters
from rgbd_perception.ros.runtime import spin_node
from rgbd_perception.vocabulary import Vocabulary

STRIDE = 4


class ColorPredictor:
    """Grid of stride 4; the embedding is the mean color as a unit vector."""

    model_id = "strongest-channel"
    backend = "numpy"
    backend_reason = "numpy: for tests"
    on_cpu = True

    def __init__(self, names: Sequence[str] = ("red", "green", "blue")) -> None:
        self.vocabulary = Vocabulary(names, "rgb")
        self.closed = False

    def prepare(self, frame: RgbdFrame) -> PreparedFrame:
        return PreparedFrame(frame, FittedImages(frame.color, frame.depth, Fit(1, None)), took_ms=0.25)

    def run(self, prepared: PreparedFrame, masks: bool = True) -> Prediction:
        frame = prepared.frame
        if frame.stamp_ns % 1000 == 666:
            raise ArithmeticError("a bug that only this frame wakes")
        height, width = frame.shape
        means = frame.color[: height // 4 * 4, : width // 4 * 4].astype(np.float32)
        means = means.reshape(height // 4, 4, width // 4, 4, 3).mean((1, 3))
        embedding = means / np.maximum(np.linalg.norm(means, axis=2, keepdims=True), 1e-6)
        labels = frame.color.argmax(2).astype(np.uint16) if masks else None
        return Prediction(
            cell_labels=means.argmax(2).astype(np.uint16),
            cell_confidence=embedding.max(2),
            stride=STRIDE,
            embedding=embedding,
            labels=labels,
            confidence=None if labels is None else np.ones(labels.shape, np.float32),
            model_id=self.model_id,
            text_space=self.vocabulary.text_space,
            vocabulary_id=self.vocabulary.id,
            step_ms={"network": 0.5},
        )

    def make_classes(self, names: Sequence[str]) -> Classes:
        return Classes(Vocabulary(names, "rgb"), None, None)

    def use_classes(self, classes: Classes) -> None:
        self.vocabulary = classes.vocabulary

    def close(self) -> None:
        self.closed = True


def make_color_predictor(
    parameters: PerceptionParameters, labels: Sequence[str] | None, report: LoadingReport
) -> ColorPredictor:
    """The factory for the node; refuses the model ``missing`` as a real one would."""
    if parameters.model == "missing":
        raise UserError("expected a model out of strongest-channel, got missing: train one")
    return ColorPredictor(labels) if labels else ColorPredictor()


if __name__ == "__main__":
    sys.exit(spin_node(lambda: PerceptionNode(predictor_factory=make_color_predictor)))
