"""Frames that are prepared while the network runs on another one, and what may change until their turn."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from rgbd_perception.errors import FrameDropped
from rgbd_perception.frame import Prediction
from rgbd_perception.inference import Predictor
from rgbd_perception.inference.backends import choosing
from rgbd_perception.inference.backends.base import Backend, BackendRequest, GridOutput
from rgbd_perception.inference.backends.onnx_runtime import OnnxBackend
from rgbd_perception.inference.classes import Classes
from rgbd_perception.vocabulary import Vocabulary
from test.inference.frame_file import DIM, write_frame_file
from test.inference.test_predictor import make_frame

SIZE = (30, 40)
"""Smaller than what the graph takes: the images are put on a canvas."""


class SlowBackend(OnnxBackend):
    """Says when it runs, and waits until it may go on."""

    def __init__(self, path: Path) -> None:
        super().__init__([path], threads=1)
        self.runs, self.may_end = threading.Event(), threading.Event()

    def __call__(
        self, color: NDArray[np.uint8], depth: NDArray[np.float32], scores: bool = True
    ) -> GridOutput:
        self.runs.set()
        assert self.may_end.wait(10)
        return super().__call__(color, depth, scores)


@pytest.fixture(scope="module")
def tiny_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_frame_file(tmp_path_factory.mktemp("graphs") / "tiny.onnx")


@pytest.fixture
def predictor(tiny_file: Path) -> Predictor:
    return Predictor(tiny_file, backend="onnxruntime", threads=1)


@pytest.fixture
def slow(tiny_file: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Predictor, SlowBackend]]:
    backend = SlowBackend(tiny_file)

    def create(request: BackendRequest) -> Backend:
        return backend

    monkeypatch.setattr(choosing, "BACKENDS", {**choosing.BACKENDS, "slow": create})
    yield Predictor(tiny_file, backend="slow"), backend
    backend.may_end.set()


def assert_equal(found: Prediction, wanted: Prediction) -> None:
    np.testing.assert_array_equal(found.labels, wanted.labels)
    np.testing.assert_array_equal(found.confidence, wanted.confidence)
    np.testing.assert_array_equal(found.embedding, wanted.embedding)


def test_frames_are_prepared_while_the_network_runs(
    slow: tuple[Predictor, SlowBackend], predictor: Predictor
) -> None:
    """The network waits for an event until the next frames are prepared: none of them spoils another."""
    overlapping, backend = slow
    frames = [make_frame(*SIZE, seed) for seed in range(3)]
    with ThreadPoolExecutor(1) as network:
        first = network.submit(overlapping, frames[0])
        assert backend.runs.wait(10)
        waiting = [overlapping.prepare(frame) for frame in frames[1:]]
        assert not first.done()
        backend.may_end.set()
        found = [first.result(), *(network.submit(overlapping.run, frame).result() for frame in waiting)]
    for prediction, frame in zip(found, frames, strict=True):
        assert_equal(prediction, predictor(frame))


def test_the_classes_are_those_of_the_moment_it_runs(predictor: Predictor) -> None:
    prepared = predictor.prepare(make_frame(*SIZE))
    before = predictor.run(prepared)
    rows = np.random.default_rng(3).standard_normal((2, DIM)).astype(np.float32)
    predictor.use_classes(Classes(Vocabulary(["cup", "door"], "all-MiniLM-L6-v2"), rows, rows))
    after = predictor.run(prepared)
    assert after.vocabulary_id == predictor.vocabulary.id != before.vocabulary_id
    assert_equal(after, predictor(make_frame(*SIZE)))


def test_another_network_of_the_same_size_may_run_it(predictor: Predictor, tmp_path: Path) -> None:
    other = Predictor(write_frame_file(tmp_path / "other.onnx", seed=1), backend="onnxruntime", threads=1)
    found = other.run(predictor.prepare(make_frame(*SIZE)))
    assert found.model_id == other.model_id
    assert_equal(found, other(make_frame(*SIZE)))


def test_a_network_of_another_size_refuses_it(predictor: Predictor) -> None:
    larger = Predictor("rgbd_mini", backend="onnxruntime", threads=1)
    for prepared_by, runner in ((predictor, larger), (larger, predictor)):
        with pytest.raises(FrameDropped, match="another input size") as caught:
            runner.run(prepared_by.prepare(make_frame(*SIZE)))
        assert caught.value.reason == "model_exchanged"
    assert predictor(make_frame(*SIZE)).labels is not None


def test_the_time_of_the_preparation_is_told(predictor: Predictor) -> None:
    prepared = predictor.prepare(make_frame(*SIZE))
    assert prepared.took_ms > 0
    assert predictor.run(prepared).step_ms["preprocess"] == prepared.took_ms
