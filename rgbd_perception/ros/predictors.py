"""The network as the node ``perception`` sees it, and how it is loaded."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Protocol

from rgbd_perception.frame import Prediction, RgbdFrame
from rgbd_perception.inference.classes import Classes
from rgbd_perception.inference.loading_report import LoadingReport
from rgbd_perception.inference.prepared_frame import PreparedFrame
from rgbd_perception.ros.perception_parameters import PerceptionParameters
from rgbd_perception.vocabulary import Vocabulary


class FramePredictor(Protocol):
    """What the node needs of ``inference.Predictor``."""

    model_id: str
    vocabulary: Vocabulary
    backend_reason: str
    """Which backend, and why."""

    @property
    def backend(self) -> str:
        """Name of what runs the network."""

    @property
    def on_cpu(self) -> bool:
        """Whether the network takes the cores that frames would be prepared on."""

    def prepare(self, frame: RgbdFrame) -> PreparedFrame:
        """What can be done before the network is free; may run beside all else. Raises FrameDropped."""

    def run(self, prepared: PreparedFrame, masks: bool = True) -> Prediction:
        """Labels of the grid, and of every pixel where ``masks``. Raises FrameDropped."""

    def make_classes(self, names: Sequence[str]) -> Classes:
        """Class names to what ``use_classes`` takes; slow, may run beside ``run``. Raises UserError."""

    def use_classes(self, classes: Classes) -> None:
        """Use them from now on; not beside ``run``. Raises UserError where they are too many."""

    def close(self) -> None:
        """Free what the network holds."""


class PredictorFactory(Protocol):
    """Makes the predictor; may take seconds, runs in a background thread."""

    def __call__(
        self, parameters: PerceptionParameters, labels: Sequence[str] | None, report: LoadingReport
    ) -> FramePredictor:
        """``labels`` are the class names of the masks, None: those of the model. Raises UserError."""


def load_predictor(
    parameters: PerceptionParameters, labels: Sequence[str] | None, report: LoadingReport
) -> FramePredictor:
    """The network that ``parameters`` name. Raises UserError where it cannot be had."""
    from rgbd_perception.inference import Predictor
    from rgbd_perception.inference.ahead import warm_up

    warm_up()
    return Predictor(
        parameters.model,
        backend=parameters.backend,
        labels=labels,
        untrained=parameters.untrained,
        threads=parameters.network_threads or max(1, (os.cpu_count() or 1) // 2),
        report=report,
    )
