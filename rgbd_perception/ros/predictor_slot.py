"""The network that the node ``perception`` uses at the moment: loaded, exchanged, called and closed."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence

from rgbd_perception.errors import FrameDropped, UserError
from rgbd_perception.frame import Prediction, RgbdFrame
from rgbd_perception.inference.loading_report import LoadingReport
from rgbd_perception.inference.prepared_frame import PreparedFrame
from rgbd_perception.inference.weights import untrained_note
from rgbd_perception.ros.perception_parameters import PerceptionParameters
from rgbd_perception.ros.predictors import FramePredictor, PredictorFactory
from rgbd_perception.vocabulary import Vocabulary


class PredictorSlot:
    """Holds one predictor; thread-safe. A new one takes the place of the old one between two frames.

    on_change  called after a predictor was put in, in the thread that did it
    problem    why there is none, empty where nothing has failed
    report     what is being done to make one
    """

    def __init__(
        self, factory: PredictorFactory, parameters: PerceptionParameters, on_change: Callable[[], None]
    ) -> None:
        self._factory = factory
        self._parameters = parameters
        self._on_change = on_change
        self._lock = threading.Lock()
        self._predictor: FramePredictor | None = None
        self._is_open = False
        self.problem = ""
        self.report = LoadingReport()

    @property
    def vocabulary(self) -> Vocabulary | None:
        """What the labels mean; None while no network is loaded."""
        predictor = self._predictor
        return None if predictor is None else predictor.vocabulary

    def open(self) -> None:
        """Take predictors from now on."""
        self._is_open = True
        self.report = LoadingReport()

    def load(self) -> str:
        """Make the predictor of the parameters; returns one line about it. Takes seconds.

        Raises UserError for whatever keeps it from being loaded; the line stays in ``problem``.
        """
        self.problem = ""
        started = time.monotonic()
        try:
            predictor = self._factory(self._parameters, self._parameters.labels or None, self.report)
        except Exception as error:
            kind = "" if isinstance(error, UserError) else f"{type(error).__name__}: "
            self.problem = f"cannot load model {self._parameters.model}: {kind}{error}"
            raise UserError(self.problem) from error
        self._exchange(predictor)
        took = time.monotonic() - started
        loaded = f"model {predictor.model_id} loaded in {took:.1f} s, {len(predictor.vocabulary)} classes"
        loaded += f" ({predictor.backend_reason})"
        return f"{loaded}; {untrained}" if (untrained := untrained_note(predictor.model_id)) else loaded

    def replace_vocabulary(self, names: Sequence[str]) -> Vocabulary:
        """Name other classes for the masks. Raises UserError; then the old vocabulary stays."""
        predictor = self._predictor
        if predictor is None:
            raise UserError(f"no model is loaded: {self.problem or 'configure the node first'}")
        classes = predictor.make_classes(names)  # texts to embeddings: frames go on meanwhile
        with self._lock:
            if self._predictor is not predictor:
                raise UserError("the model was exchanged or closed meanwhile: set the vocabulary again")
            predictor.use_classes(classes)
        self._on_change()
        return classes.vocabulary

    @property
    def on_cpu(self) -> bool:
        """Whether the network takes the processor's cores, as far as we know: true while none is loaded."""
        predictor = self._predictor
        return predictor is None or predictor.on_cpu

    def prepare(self, frame: RgbdFrame) -> PreparedFrame:
        """All that can be done beside ``predict``, for ``predict``. Raises FrameDropped like that."""
        return _present(self._predictor).prepare(frame)

    def predict(self, prepared: PreparedFrame, masks: bool) -> tuple[Prediction, Vocabulary]:
        """The prediction and what its labels mean. Raises FrameDropped ``shutdown``: no network."""
        with self._lock:
            predictor = _present(self._predictor)
            return predictor.run(prepared, masks=masks), predictor.vocabulary

    def details(self) -> dict[str, object]:
        """For diagnostics."""
        asked: dict[str, object] = {"model": self._parameters.model, "backend": self._parameters.backend}
        predictor = self._predictor
        if predictor is None:
            return asked
        used = {"backend": predictor.backend, "model_id": predictor.model_id}
        return asked | used | {"vocabulary_id": predictor.vocabulary.id}

    def close(self) -> None:
        """Free the predictor; one that is still being loaded is freed as soon as it is there.

        What takes minutes (building an engine) is stopped.
        """
        self._is_open = False
        self.report.cancel.set()
        self._put(None)

    def _exchange(self, predictor: FramePredictor) -> None:
        self._put(predictor)
        if self._is_open:
            self._on_change()
        else:  # the node was cleaned up while the network was being loaded
            self._put(None)

    def _put(self, predictor: FramePredictor | None) -> None:
        with self._lock:
            old, self._predictor = self._predictor, predictor
        if old is not None:
            old.close()


def _present(predictor: FramePredictor | None) -> FramePredictor:
    if predictor is None:
        raise FrameDropped("shutdown", "the node is being stopped")
    return predictor
