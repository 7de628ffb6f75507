"""A backend that dies costs one frame: it is started anew, and given up when that does not help."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from rgbd_perception.bookkeeping import FrameLedger
from rgbd_perception.errors import FrameDropped, UserError
from rgbd_perception.inference.engine_cache import EngineCache
from rgbd_perception.inference.engines import open_graph_file
from rgbd_perception.inference.export import ExportOptions
from rgbd_perception.inference.failover import GRACE_FRAMES, RETRY_S, Failover
from rgbd_perception.inference.tensorrt_api import TensorRt
from rgbd_perception.inference.tensorrt_backend import TensorRtBackend
from rgbd_perception.ros.worker import NewestFrameWorker
from test.inference.frame_file import write_frame_file
from test.inference.gpu import LAUNCH_FAILED, StandinGpu, api, gpu, standin_library
from test.inference.test_engine_runner import expected, inputs

__all__ = ["api", "gpu", "standin_library"]  # fixtures

Arrays = Mapping[str, NDArray[Any]]


class Adder:
    """Adds the class matrix it was last given to the color; fails where it is told to."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.is_broken = False
        self.is_closed = False
        self._matrix: NDArray[Any] | None = None

    def __call__(self, given: Arrays, wanted: Collection[str] | None = None) -> dict[str, NDArray[Any]]:
        if self.is_broken:
            raise RuntimeError("an illegal memory access was encountered")
        self._matrix = given.get("class_matrix", self._matrix)
        assert self._matrix is not None
        return {"sum": given["color"] + self._matrix}

    def close(self) -> None:
        self.is_closed = True


class Shop:
    """Opens adders and remembers them; ``closed`` names what cannot be had."""

    def __init__(self) -> None:
        self.opened: list[Adder] = []
        self.closed: set[str] = set()

    def opener(self, name: str) -> Callable[[], Adder]:
        def open_it() -> Adder:
            if name in self.closed:
                raise UserError(f"{name} is not installed")
            self.opened.append(Adder(name))
            return self.opened[-1]

        return open_it


@pytest.fixture
def shop() -> Shop:
    return Shop()


def frame(value: int) -> dict[str, NDArray[Any]]:
    return {"color": np.full(3, value)}


def start(shop: Shop, clock: Callable[[], float] = lambda: 0.0) -> Failover:
    backend = Failover([shop.opener("first"), shop.opener("second")], clock)
    assert backend({**frame(1), "class_matrix": np.full(3, 10)})["sum"].tolist() == [11, 11, 11]
    return backend


def test_the_first_that_can_be_had_is_taken(shop: Shop, caplog: pytest.LogCaptureFixture) -> None:
    shop.closed = {"first"}
    assert start(shop).name == "second"
    assert caplog.messages == ["first is not installed"]


def test_none_can_be_had(shop: Shop) -> None:
    shop.closed = {"first", "second"}
    with pytest.raises(UserError, match="second is not installed"):
        start(shop)


def test_one_that_dies_is_started_anew_with_its_classes(shop: Shop) -> None:
    backend = start(shop)
    shop.opened[0].is_broken = True
    with pytest.raises(FrameDropped, match=r"backend_failed: first: an illegal.*; first goes on"):
        backend(frame(2))
    assert shop.opened[0].is_closed
    assert backend(frame(3))["sum"].tolist() == [13, 13, 13]


def test_one_that_dies_again_makes_way(shop: Shop) -> None:
    backend = start(shop)
    for index in range(2):
        shop.opened[index].is_broken = True
        with pytest.raises(FrameDropped, match="backend_failed"):
            backend(frame(2))
    assert backend.name == "second"
    assert backend(frame(3))["sum"].tolist() == [13, 13, 13]


def test_a_rare_failure_is_forgiven(shop: Shop) -> None:
    backend = start(shop)
    for index in range(3):
        shop.opened[index].is_broken = True
        with pytest.raises(FrameDropped):
            backend(frame(2))
        for _ in range(GRACE_FRAMES):
            backend(frame(2))
    assert backend.name == "first"


def test_when_nothing_is_left_it_is_tried_again_later(shop: Shop) -> None:
    now = [0.0]
    backend = start(shop, lambda: now[0])
    shop.closed = {"first", "second"}
    shop.opened[0].is_broken = True
    for _ in range(3):
        with pytest.raises(FrameDropped, match="backend_failed"):
            backend(frame(2))
    assert backend.name == "none"
    shop.closed = set()
    now[0] = RETRY_S
    assert backend(frame(3))["sum"].tolist() == [13, 13, 13]
    assert backend.name == "first"


def test_a_frame_that_cannot_be_used_is_no_failure(shop: Shop) -> None:
    class Picky(Adder):
        def __call__(self, given: Arrays, wanted: Collection[str] | None = None) -> dict[str, NDArray[Any]]:
            raise FrameDropped("frame_size", "too large")

    backend = Failover([lambda: Picky("picky"), shop.opener("second")])
    for _ in range(3):
        with pytest.raises(FrameDropped, match="frame_size"):
            backend(frame(1))
    assert backend.name == "picky"


def test_a_gpu_that_dies_mid_frame_costs_that_frame(api: TensorRt, gpu: StandinGpu, tmp_path: Path) -> None:
    graph = open_graph_file(write_frame_file(tmp_path / "tiny.onnx"), ExportOptions())
    cache = EngineCache(tmp_path / "engines")
    backend = Failover([lambda: TensorRtBackend(graph, api=api, gpu=gpu, cache=cache)])
    ledger, results = FrameLedger(), []

    def process(seed: int) -> None:
        if seed == 1:
            gpu.fail("cuStreamSynchronize", LAUNCH_FAILED)
        elif seed == 2:
            gpu.fail("", 0)
        results.append(backend(inputs(seed))["labels"].copy())

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
        np.testing.assert_array_equal(labels, expected(graph.path.read_bytes(), inputs(seed))["labels"])
