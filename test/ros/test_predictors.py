"""How the node ``perception`` loads its network."""

from __future__ import annotations

import pytest

from rgbd_perception.errors import UserError
from rgbd_perception.inference.loading_report import LoadingReport
from rgbd_perception.ros.perception_parameters import PerceptionParameters
from rgbd_perception.ros.predictor_slot import PredictorSlot
from rgbd_perception.ros.predictors import load_predictor


def test_a_network_without_weights_is_refused_unless_asked_for() -> None:
    with pytest.raises(UserError, match="no trained weights on this machine"):
        load_predictor(PerceptionParameters(model="geminifusion_mit_b0"), None, LoadingReport())
    parameters = PerceptionParameters(model="geminifusion_mit_b0", untrained=True)
    assert PredictorSlot(load_predictor, parameters, lambda: None).load().endswith("its labels mean nothing")
