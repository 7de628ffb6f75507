"""How the node ``perception`` loads its network, and what happens to frames while it is exchanged."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from rgbd_perception.errors import FrameDropped, UserError
from rgbd_perception.frame import Prediction
from rgbd_perception.inference.loading_report import LoadingReport
from rgbd_perception.inference.prepared_frame import PreparedFrame
from rgbd_perception.ros.perception_parameters import PerceptionParameters
from rgbd_perception.ros.predictor_slot import PredictorSlot
from rgbd_perception.ros.predictors import load_predictor
from test.inference.test_predictor import make_frame
from test.ros.color_predictor import ColorPredictor


def test_a_network_without_weights_is_refused_unless_asked_for() -> None:
    with pytest.raises(UserError, match="no trained weights on this machine"):
        load_predictor(PerceptionParameters(model="geminifusion_mit_b0"), None, LoadingReport())
    parameters = PerceptionParameters(model="geminifusion_mit_b0", untrained=True)
    assert PredictorSlot(load_predictor, parameters, lambda: None).load().endswith("its labels mean nothing")


class Slot:
    """A slot whose next network the test names."""

    def __init__(self) -> None:
        self.next: ColorPredictor = ColorPredictor()
        self.slot = PredictorSlot(lambda *_: self.next, PerceptionParameters(), lambda: None)
        self.slot.open()
        self.slot.load()

    def exchange(self, predictor: ColorPredictor) -> None:
        self.next = predictor
        self.slot.load()


class Narrow(ColorPredictor):
    """One that takes no frames of others."""

    def run(self, prepared: PreparedFrame, masks: bool = True) -> Prediction:
        raise FrameDropped("model_exchanged")


def test_a_prepared_frame_gets_the_vocabulary_of_its_turn() -> None:
    slot = Slot().slot
    prepared = slot.prepare(make_frame(32, 48))
    vocabulary = slot.replace_vocabulary(["rot", "blau"])
    prediction, used = slot.predict(prepared, masks=True)
    assert used is vocabulary and prediction.vocabulary_id == vocabulary.id


def test_a_prepared_frame_goes_to_the_network_that_is_there() -> None:
    rig = Slot()
    prepared = rig.slot.prepare(make_frame(32, 48))
    rig.exchange(ColorPredictor(["a", "b", "c"]))
    assert rig.slot.predict(prepared, masks=True)[1].names == ("a", "b", "c")
    rig.exchange(Narrow())
    with pytest.raises(FrameDropped, match="model_exchanged"):
        rig.slot.predict(prepared, masks=True)


def test_no_network_no_frame() -> None:
    slot = Slot().slot
    prepared = slot.prepare(make_frame(32, 48))
    slot.close()
    assert slot.on_cpu
    for use in (lambda: slot.prepare(make_frame(32, 48)), lambda: slot.predict(prepared, masks=True)):
        with pytest.raises(FrameDropped, match="shutdown"):
            use()


def test_frames_are_prepared_while_the_network_runs() -> None:
    """The slot's lock is for the network alone."""
    prepared_beside = []

    class Nosy(ColorPredictor):
        def run(self, prepared: PreparedFrame, masks: bool = True) -> Prediction:
            with ThreadPoolExecutor(1) as other:
                prepared_beside.append(other.submit(rig.slot.prepare, make_frame(32, 48)).result(timeout=10))
            return super().run(prepared, masks)

    rig = Slot()
    rig.exchange(Nosy())
    rig.slot.predict(rig.slot.prepare(make_frame(32, 48)), masks=True)
    assert rig.slot.predict(prepared_beside[0], masks=False)[0].labels is None
