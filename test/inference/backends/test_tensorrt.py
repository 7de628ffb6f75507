"""The backend up to the device: from the ONNX file through cache, engine, memory to numbers; all ways out."""

from __future__ import annotations

import dataclasses
import logging
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from numpy.typing import NDArray

from rgbd_perception.errors import UserError
from rgbd_perception.inference.backends.base import BackendRequest, Unavailable
from rgbd_perception.inference.backends.tensorrt import TensorRtBackend, create, open_backend
from rgbd_perception.inference.cuda_driver import CudaError, Gpu
from rgbd_perception.inference.engine_build import BuildCancelled, BuiltEngine
from rgbd_perception.inference.engine_cache import EngineCache, make_header, write_engine
from rgbd_perception.inference.engines import (
    GraphOptions,
    engine_key,
    find_kept,
    graph_file,
    identify,
    open_graph_file,
)
from rgbd_perception.inference.tensorrt_api import TensorRt
from test.inference.frame_file import CLASSES, DIM, GRID, SIZE, write_frame_file
from test.inference.gpu import LAUNCH_FAILED, OUT_OF_MEMORY, StandinGpu, api, gpu, standin_library
from test.inference.standin import tensorrt as standin

__all__ = ["api", "gpu", "standin_library"]  # fixtures

ROWS = np.random.default_rng(5).standard_normal((3, DIM)).astype(np.float32)


@dataclasses.dataclass
class Machine:
    """One that has TensorRT, a GPU, a folder for engines and the file of a network."""

    api: TensorRt
    gpu: StandinGpu
    cache: EngineCache
    file: Path

    def open(self, automatic: bool = False) -> TensorRtBackend:
        """The backend of the file, with three classes."""
        request = BackendRequest(self.file, automatic=automatic)
        backend = open_backend(request, identify(self.file), self.api, self.gpu, self.cache)
        backend.set_classes(ROWS)
        return backend


@pytest.fixture
def machine(api: TensorRt, gpu: StandinGpu, tmp_path: Path) -> Machine:
    return Machine(api, gpu, EngineCache(tmp_path / "engines"), write_frame_file(tmp_path / "tiny.onnx"))


def images(seed: int = 0) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    random = np.random.default_rng(seed)
    color = random.integers(0, 256, (*SIZE, 3), dtype=np.uint8)
    return color, random.uniform(0.5, 5.0, SIZE).astype(np.float32)


def truth(file: Path, seed: int = 0) -> dict[str, NDArray[np.floating]]:
    """What ONNX Runtime makes of the file, the images and ROWS."""
    color, depth = images(seed)
    matrix, offset = np.zeros((CLASSES, DIM), np.float32), np.full(CLASSES, -1e9, np.float32)
    matrix[:3], offset[:3] = ROWS, 0
    session = onnxruntime.InferenceSession(str(file))
    names = [output.name for output in session.get_outputs()]
    inputs = {"color": color, "depth": depth, "class_matrix": matrix, "class_offset": offset}
    return dict(zip(names, session.run(names, inputs), strict=True))


def test_from_a_file_to_numbers(machine: Machine) -> None:
    before = machine.gpu.live
    backend = machine.open()
    outputs = [backend(*images(seed)) for seed in range(3)]
    for seed, output in enumerate(outputs):  # also of the earlier ones: nobody writes to them any more
        expected = truth(machine.file, seed)
        np.testing.assert_array_equal(output.labels, expected["labels"])
        np.testing.assert_array_equal(output.confidence, expected["confidence"])
        np.testing.assert_array_equal(output.embedding, expected["embedding"])
    np.testing.assert_array_equal(outputs[-1].log_probability, expected["log_probability"][..., :3])
    assert outputs[-1].log_probability.shape == (*GRID, 3)
    backend.close()
    assert machine.gpu.live == before


def test_only_what_is_asked_for_crosses_the_bus(machine: Machine) -> None:
    backend = machine.open()
    backend(*images())
    cells, inputs = GRID[0] * GRID[1], SIZE[0] * SIZE[1] * (3 + 4)
    machine.gpu.copied()
    output = backend(*images(), scores=False)
    assert output.log_probability is None
    np.testing.assert_array_equal(output.labels, truth(machine.file)["labels"])
    without = machine.gpu.copied()
    assert without == inputs + cells * (4 + 4 + 2 * DIM), "images in; labels, confidence, embeddings out"
    backend(*images())
    assert machine.gpu.copied() == without + cells * 2 * len(ROWS), "scores of three classes, not of all"


def test_it_says_what_it_takes(machine: Machine) -> None:
    backend = machine.open()
    assert (backend.name, backend.sizes, backend.on_cpu) == ("tensorrt", (SIZE,), False)
    assert backend.facts.model_id == "tiny-000000000000"
    assert backend.facts.labels == ("wall", "floor", "sofa")


def test_other_classes_need_no_other_engine(machine: Machine) -> None:
    backend = machine.open()
    first = backend(*images()).labels
    before = standin.Builder.builds
    backend.set_classes(-ROWS[::-1])
    assert (backend(*images()).labels != first).any()
    backend.set_classes(ROWS)
    np.testing.assert_array_equal(backend(*images()).labels, first)
    assert standin.Builder.builds == before


@pytest.mark.parametrize("count", [1, CLASSES])
def test_any_number_of_classes_that_the_graph_takes(machine: Machine, count: int) -> None:
    backend = machine.open()
    backend.set_classes(np.ones((count, DIM), np.float32))
    output = backend(*images())
    assert output.log_probability.shape == (*GRID, count)
    np.testing.assert_allclose(output.confidence, 1 / count, rtol=1e-5)


def test_more_classes_than_the_graph_takes(machine: Machine) -> None:
    with pytest.raises(UserError, match=f"takes {CLASSES} class names, {CLASSES + 1} were given"):
        machine.open().set_classes(np.ones((CLASSES + 1, DIM), np.float32))


def test_a_camera_that_changes_its_size_costs_frames_not_the_backend(machine: Machine) -> None:
    backend = machine.open()
    with pytest.raises(ValueError, match="expected color of shape"):
        backend(np.zeros((48, 64, 3), np.uint8), np.ones((48, 64), np.float32))
    np.testing.assert_array_equal(backend(*images()).labels, truth(machine.file)["labels"])


def test_the_second_start_takes_the_engine_that_is_kept(machine: Machine) -> None:
    machine.open()
    before = standin.Builder.builds
    backend = machine.open(automatic=True)
    assert standin.Builder.builds == before
    np.testing.assert_array_equal(backend(*images()).labels, truth(machine.file)["labels"])


def test_without_being_asked_nothing_is_built(machine: Machine) -> None:
    before = standin.Builder.builds
    with pytest.raises(Unavailable, match=r"no engine of tiny is kept here.*engine build"):
        machine.open(automatic=True)
    assert standin.Builder.builds == before


def test_other_weights_have_another_engine(machine: Machine, caplog: pytest.LogCaptureFixture) -> None:
    machine.open()
    write_frame_file(machine.file, seed=1)
    with caplog.at_level(logging.INFO, logger="rgbd_perception.inference"):
        backend = machine.open()
    assert "kept was built for weights 000000000000, this is 000000000001" in caplog.text
    np.testing.assert_array_equal(backend(*images()).labels, truth(machine.file)["labels"])


def test_another_version_is_a_reason_to_build(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    machine.open()
    monkeypatch.setattr(machine.api, "version", "10.7.0")
    kept = find_kept(machine.cache, identify(machine.file), machine.api, machine.gpu)
    assert kept == "the engine of tiny that is kept was built for TensorRT 10.3.0, this is 10.7.0"
    backend = machine.open()
    assert backend.header.key.version == "10.7.0"


def test_an_engine_that_tensorrt_does_not_take_is_built_anew(
    machine: Machine, caplog: pytest.LogCaptureFixture
) -> None:
    graph = open_graph_file(machine.file)
    key = engine_key(machine.api, graph, machine.gpu)
    machine.cache.get(key, lambda: BuiltEngine(b"of another driver", 1.0), graph.metadata)
    backend = machine.open()
    assert "it is built anew" in caplog.text
    np.testing.assert_array_equal(backend(*images()).labels, truth(machine.file)["labels"])


def test_a_damaged_engine_is_built_anew(machine: Machine, caplog: pytest.LogCaptureFixture) -> None:
    path = machine.cache.path(machine.open().header.key)
    path.write_bytes(path.read_bytes()[:-10])
    with caplog.at_level(logging.INFO, logger="rgbd_perception.inference"):
        backend = machine.open()
    assert "is damaged" in caplog.text
    np.testing.assert_array_equal(backend(*images()).labels, truth(machine.file)["labels"])


def test_no_memory_is_a_reason_for_another_backend(machine: Machine) -> None:
    before = machine.gpu.live
    machine.gpu.fail("cuMemAlloc_v2", OUT_OF_MEMORY)
    with pytest.raises(Unavailable, match="not enough memory on the GPU for tiny: cuMemAlloc_v2: out of"):
        machine.open()
    assert machine.gpu.live == before


def test_a_device_that_fails_is_told(machine: Machine) -> None:
    backend = machine.open()
    machine.gpu.fail("cuMemcpyDtoHAsync_v2", LAUNCH_FAILED)
    with pytest.raises(CudaError):
        backend(*images())
    backend.close()


def test_the_build_is_told_and_can_be_stopped(machine: Machine) -> None:
    request = BackendRequest(machine.file)
    request.report.cancel.set()
    with pytest.raises(BuildCancelled):
        open_backend(request, identify(machine.file), machine.api, machine.gpu, machine.cache)
    assert request.report.text == "exporting the network"
    request.report.building(0.4, 80.0)
    assert request.report.text == "building the TensorRT engine, 40%, the last time it took 80 s"


def test_an_engine_file_is_a_model_too(
    machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    graph = open_graph_file(machine.file)
    built = BuiltEngine(machine.file.read_bytes(), 1.0)
    path = tmp_path / "tiny.engine"
    write_engine(
        path, built.data, make_header(engine_key(machine.api, graph, ["sm86"]), built, graph.metadata)
    )
    module = "rgbd_perception.inference.backends.tensorrt"
    monkeypatch.setattr(f"{module}.find_tensorrt", lambda: machine.api)
    monkeypatch.setattr(f"{module}.Gpu", lambda: machine.gpu)
    backend = create(BackendRequest(path))
    backend.set_classes(ROWS)
    np.testing.assert_array_equal(backend(*images()).labels, truth(machine.file)["labels"])
    with pytest.raises(UserError, match=r"no\.engine does not exist"):
        create(BackendRequest(tmp_path / "no.engine"))


def test_without_a_gpu_the_line_says_so() -> None:
    try:
        Gpu().close()
    except UserError:
        with pytest.raises(Unavailable, match=r"TensorRT is not installed|NVIDIA driver"):
            create(BackendRequest("rgbd_mini"))
    else:
        pytest.skip("this machine has a GPU")


def test_an_onnx_file_must_be_what_is_asked_for(machine: Machine, tmp_path: Path) -> None:
    with (
        pytest.raises(UserError, match="is fp32, not fp16"),
        graph_file(machine.file, GraphOptions("fp16")),
    ):
        pass
    with pytest.raises(UserError, match="images of 32x48 only"):
        open_graph_file(machine.file, GraphOptions("fp32", (480, 640)))
    (tmp_path / "text.onnx").write_text("nothing of that kind")
    with pytest.raises(UserError, match=r"text\.onnx"):
        open_graph_file(tmp_path / "text.onnx")
    with pytest.raises(UserError, match="cannot read"):
        open_graph_file(tmp_path / "none.onnx")
