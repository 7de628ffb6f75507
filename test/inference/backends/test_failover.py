"""A backend that dies costs one frame: it is started anew, and given up when that does not help."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from rgbd_perception.bookkeeping import FrameLedger
from rgbd_perception.errors import FrameDropped, UserError
from rgbd_perception.inference.backends.base import (
    Backend,
    BackendRequest,
    GridOutput,
    NetworkFacts,
    TooManyClasses,
    Unavailable,
)
from rgbd_perception.inference.backends.failover import GRACE_FRAMES, RETRY_S, Failover
from rgbd_perception.inference.backends.tensorrt import open_backend
from rgbd_perception.inference.engine_cache import EngineCache
from rgbd_perception.inference.engines import identify
from rgbd_perception.inference.tensorrt_api import TensorRt
from rgbd_perception.ros.worker import NewestFrameWorker
from test.inference.backends.test_tensorrt import ROWS, images, truth
from test.inference.frame_file import write_frame_file
from test.inference.gpu import LAUNCH_FAILED, StandinGpu, api, gpu, standin_library

__all__ = ["api", "gpu", "standin_library"]  # fixtures

FACTS = NetworkFacts("adder-0", "space", ("a",), 1.0, True, (2, 2), 1)
IMAGES = np.ones((2, 2, 3), np.uint8), np.ones((2, 2), np.float32)


class Adder:
    """Its confidence is the sum of its classes; it fails where it is told to."""

    facts = FACTS
    sizes = None
    on_cpu = True

    def __init__(self, name: str, most_classes: int) -> None:
        self.name = name
        self._most_classes = most_classes
        self.error: Exception | None = None
        self.is_closed = False
        self._rows: NDArray[np.float32] | None = None

    def set_classes(self, rows: NDArray[np.float32]) -> None:
        if len(rows) > self._most_classes:
            raise TooManyClasses(f"{self.name} takes {self._most_classes} class names")
        self._rows = rows

    def __call__(
        self, color: NDArray[np.uint8], depth: NDArray[np.float32], scores: bool = True
    ) -> GridOutput:
        if self.error is not None:
            raise self.error
        assert self._rows is not None
        return GridOutput(depth, color[..., 0], np.full((2, 2), self._rows.sum(), np.float32), None)

    def close(self) -> None:
        self.is_closed = True


class Shop:
    """Opens adders and remembers them; ``missing`` names what cannot be had, ``failing`` what breaks."""

    def __init__(self) -> None:
        self.opened: list[Adder] = []
        self.missing: set[str] = set()
        self.failing: set[str] = set()
        self.starts = 0
        self.most_classes = {"first": 256, "second": 10_000}

    def opener(self, name: str) -> Callable[[], Backend]:
        def open_it() -> Backend:
            if name in self.missing:
                raise UserError(f"{name} is not installed")
            if name in self.failing:
                self.starts += 1
                raise RuntimeError("CUDA error: an illegal memory access was encountered")
            self.opened.append(Adder(name, self.most_classes[name]))
            return self.opened[-1]

        return open_it

    def start(self, clock: Callable[[], float] = lambda: 0.0) -> Failover:
        """The first of two, with classes, after one frame."""
        openers = [self.opener("first"), self.opener("second")]
        backend = Failover(openers[0](), openers, clock)
        backend.set_classes(np.full((1, 4), 3, np.float32))
        assert_runs(backend)
        return backend

    def break_last(self) -> None:
        """What was opened last dies."""
        self.opened[-1].error = RuntimeError("an illegal memory access was encountered")


@pytest.fixture
def shop() -> Shop:
    return Shop()


def assert_runs(backend: Backend) -> None:
    assert (backend(*IMAGES).confidence == 12).all()


def test_one_that_dies_is_started_anew_with_its_classes(shop: Shop) -> None:
    backend = shop.start()
    shop.break_last()
    with pytest.raises(FrameDropped, match=r"backend_failed: first: RuntimeError: an ill.*; first goes on"):
        backend(*IMAGES)
    assert shop.opened[0].is_closed
    assert_runs(backend)


def test_one_that_dies_again_makes_way(shop: Shop) -> None:
    backend = shop.start()
    for _ in range(2):
        shop.break_last()
        with pytest.raises(FrameDropped, match="backend_failed"):
            backend(*IMAGES)
    assert backend.name == "second"
    assert_runs(backend)


def test_where_the_one_that_runs_now_computes(shop: Shop) -> None:
    backend = shop.start()
    shop.opened[0].on_cpu = False
    assert not backend.on_cpu
    for _ in range(2):
        shop.break_last()
        with pytest.raises(FrameDropped, match="backend_failed"):
            backend(*IMAGES)
    assert backend.name == "second" and backend.on_cpu
    shop.missing = {"first", "second"}
    shop.break_last()
    with pytest.raises(FrameDropped, match="backend_failed"):
        backend(*IMAGES)
    assert backend.on_cpu, "while there is none"


def test_a_rare_failure_is_forgiven(shop: Shop) -> None:
    backend = shop.start()
    for _ in range(3):
        shop.break_last()
        with pytest.raises(FrameDropped):
            backend(*IMAGES)
        for _ in range(GRACE_FRAMES):
            assert_runs(backend)
    assert backend.name == "first"


def test_what_cannot_be_had_is_passed_over(shop: Shop, caplog: pytest.LogCaptureFixture) -> None:
    backend = shop.start()
    shop.break_last()
    shop.missing = {"first"}
    with pytest.raises(FrameDropped, match="second goes on"):
        backend(*IMAGES)
    assert "first is not installed" in caplog.text
    assert_runs(backend)


def test_a_device_that_starts_nothing_any_more_makes_way(shop: Shop) -> None:
    """After some errors every call of the driver fails, with whatever exception the library has for it."""
    backend = shop.start()
    shop.failing = {"first"}
    shop.break_last()
    with pytest.raises(FrameDropped, match=r"backend_failed.*second goes on"):
        backend(*IMAGES)
    assert_runs(backend)


def test_a_device_that_starts_nothing_any_more_is_not_asked_for_every_frame(shop: Shop) -> None:
    now = 0.0
    backend = shop.start(clock=lambda: now)
    shop.failing = {"first", "second"}
    shop.break_last()
    for _ in range(3):
        with pytest.raises(FrameDropped, match="backend_failed"):
            backend(*IMAGES)
    assert shop.starts == 2
    shop.failing, now = set(), RETRY_S
    assert_runs(backend)


def test_what_does_not_take_the_classes_is_closed_again(shop: Shop) -> None:
    backend = shop.start()
    shop.most_classes["second"] = 300
    with pytest.raises(TooManyClasses):
        backend.set_classes(np.ones((400, 4), np.float32))
    assert [(adder.name, adder.is_closed) for adder in shop.opened] == [("first", False), ("second", True)]


def test_when_nothing_is_left_it_is_tried_again_later(shop: Shop) -> None:
    now = [0.0]
    backend = shop.start(lambda: now[0])
    shop.missing = {"first", "second"}
    shop.break_last()
    for _ in range(3):
        with pytest.raises(FrameDropped, match="backend_failed"):
            backend(*IMAGES)
    assert backend.name == "none"
    shop.missing = set()
    now[0] = RETRY_S
    assert_runs(backend)
    assert backend.name == "first"


@pytest.mark.parametrize("error", [FrameDropped("size_mismatch", "too large"), ValueError("too large")])
def test_a_frame_that_cannot_be_used_is_no_failure(shop: Shop, error: Exception) -> None:
    backend = shop.start()
    shop.opened[0].error = error
    for _ in range(3):
        with pytest.raises(type(error), match="too large"):
            backend(*IMAGES)
    shop.opened[0].error = None
    assert_runs(backend)
    assert len(shop.opened) == 1


def test_more_classes_than_it_takes_are_a_reason_for_another(
    shop: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    backend = shop.start()
    backend.set_classes(np.full((1000, 4), 0.003, np.float32))
    assert backend.name == "second" and shop.opened[0].is_closed
    assert "first takes 256 class names; the backend second goes on" in caplog.text
    np.testing.assert_allclose(backend(*IMAGES).confidence, 12, rtol=1e-5)


def test_one_that_cannot_go_on_makes_way_for_the_same_frame(
    shop: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    """As when its graph for images of another size does not suit it."""
    backend = shop.start()
    shop.opened[0].error = Unavailable("it cannot run large.onnx")
    assert_runs(backend)
    assert backend.name == "second" and shop.opened[0].is_closed
    assert caplog.messages == ["it cannot run large.onnx; the backend second goes on"]


def test_one_that_cannot_go_on_says_so_where_nothing_is_behind_it(shop: Shop) -> None:
    backend = shop.start()
    shop.missing = {"second"}
    shop.opened[0].error = Unavailable("it cannot run large.onnx")
    with pytest.raises(Unavailable, match="large"):
        backend(*IMAGES)
    shop.opened[0].error = None
    assert_runs(backend)
    assert backend.name == "first", "images of the other size still suit it"


def test_more_classes_than_any_takes_change_nothing(shop: Shop) -> None:
    shop.most_classes["second"] = 256
    backend = shop.start()
    with pytest.raises(TooManyClasses, match="first takes 256 class names"):
        backend.set_classes(np.ones((257, 4), np.float32))
    assert backend.name == "first"
    assert_runs(backend)


def test_a_closed_one_stays_closed(shop: Shop) -> None:
    backend = shop.start()
    backend.close()
    assert shop.opened[0].is_closed
    with pytest.raises(RuntimeError, match="closed"):
        backend(*IMAGES)


def test_a_gpu_that_dies_mid_frame_costs_that_frame(api: TensorRt, gpu: StandinGpu, tmp_path: Path) -> None:
    file, cache = write_frame_file(tmp_path / "tiny.onnx"), EngineCache(tmp_path / "engines")

    def opener() -> Backend:
        return open_backend(BackendRequest(file), identify(file), api, gpu, cache)

    backend = Failover(opener(), [opener])
    backend.set_classes(ROWS)
    ledger, results = FrameLedger(), []

    def process(seed: int) -> None:
        if seed == 1:
            gpu.fail("cuStreamSynchronize", LAUNCH_FAILED)
        elif seed == 2:
            gpu.fail("", 0)
        results.append(backend(*images(seed)).labels)

    worker = NewestFrameWorker(
        process, drop=lambda reason, detail: ledger.drop(reason), done=ledger.processed
    )
    for seed in range(4):
        ledger.enter()
        worker.submit(seed)
        assert worker.drain(timeout_s=60)
    worker.close()
    counts = ledger.counts()
    assert (counts.frames_processed, counts.drops) == (3, {"backend_failed": 1})
    for seed, labels in zip((0, 2, 3), results, strict=True):
        np.testing.assert_array_equal(labels, truth(file, seed)["labels"])
