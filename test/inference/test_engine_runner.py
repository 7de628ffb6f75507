"""Memory, copies, streams around an engine: what comes out is what ONNX Runtime gives for the same file."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from numpy.typing import NDArray

from rgbd_perception.errors import UserError
from rgbd_perception.inference.cuda_driver import CudaError, CudaOutOfMemory, Driver, Gpu
from rgbd_perception.inference.engine_runner import EngineRunner
from rgbd_perception.inference.tensorrt_api import TensorRt
from test.inference.frame_file import CLASSES, DIM, GRID, SIZE, write_frame_file
from test.inference.gpu import LAUNCH_FAILED, OUT_OF_MEMORY, StandinGpu, api, gpu, standin_library

__all__ = ["api", "gpu", "standin_library"]  # fixtures

Arrays = dict[str, NDArray[Any]]


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return write_frame_file(tmp_path_factory.mktemp("onnx") / "tiny.onnx").read_bytes()


def inputs(seed: int = 0) -> Arrays:
    random = np.random.default_rng(seed)
    return {
        "color": random.integers(0, 256, (*SIZE, 3), dtype=np.uint8),
        "depth": random.uniform(0.5, 5.0, SIZE).astype(np.float32),
        "class_matrix": random.standard_normal((CLASSES, DIM)).astype(np.float32),
        "class_offset": np.zeros(CLASSES, np.float32),
    }


def expected(engine: bytes, values: Arrays) -> Arrays:
    session = onnxruntime.InferenceSession(engine)
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, values), strict=True))


def test_the_numbers_are_those_of_the_file(api: TensorRt, gpu: StandinGpu, engine: bytes) -> None:
    runner = EngineRunner(api, engine, gpu)
    for seed in range(3):
        values = inputs(seed)
        outputs = runner(values)
        truth = expected(engine, values)
        assert outputs.keys() == truth.keys()
        for name, value in truth.items():
            np.testing.assert_array_equal(outputs[name], value, err_msg=name)
            assert outputs[name].dtype == value.dtype


def test_an_input_that_is_left_out_stays(api: TensorRt, gpu: StandinGpu, engine: bytes) -> None:
    runner, first, second = EngineRunner(api, engine, gpu), inputs(1), inputs(2)
    runner(first)
    frame = {name: second[name] for name in ("color", "depth")}
    outputs = runner(frame)
    np.testing.assert_array_equal(outputs["labels"], expected(engine, {**first, **frame})["labels"])


def test_only_what_is_wanted_is_copied(api: TensorRt, gpu: StandinGpu, engine: bytes) -> None:
    runner, values = EngineRunner(api, engine, gpu), inputs()
    runner(values)
    gpu.copied()
    outputs = runner({"color": values["color"]}, wanted={"labels": None})
    assert list(outputs) == ["labels"]
    assert gpu.copied() == SIZE[0] * SIZE[1] * 3 + GRID[0] * GRID[1] * 4


def test_only_the_columns_that_are_wanted_are_copied(api: TensorRt, gpu: StandinGpu, engine: bytes) -> None:
    runner, values = EngineRunner(api, engine, gpu), inputs()
    runner(values)
    gpu.copied()
    outputs = runner({}, wanted={"log_probability": 3})
    np.testing.assert_array_equal(
        outputs["log_probability"], expected(engine, values)["log_probability"][..., :3]
    )
    assert gpu.copied() == GRID[0] * GRID[1] * 3 * 2


def test_memory_is_taken_once_and_given_back(api: TensorRt, gpu: StandinGpu, engine: bytes) -> None:
    before = gpu.live
    runner = EngineRunner(api, engine, gpu)
    taken = gpu.live
    assert taken == before + 1 + 2 * len(runner.specs), "a stream, and each tensor on both sides"
    for _ in range(100):
        runner(inputs())
    assert gpu.live == taken
    runner.close()
    runner.close()
    assert gpu.live == before
    with pytest.raises(RuntimeError, match="closed"):
        runner(inputs())


def test_every_thread_may_call_it(api: TensorRt, gpu: StandinGpu, engine: bytes) -> None:
    runner, results = EngineRunner(api, engine, gpu), []
    thread = threading.Thread(target=lambda: results.append(runner(inputs())["labels"].copy()))
    thread.start()
    thread.join()
    np.testing.assert_array_equal(results[0], expected(engine, inputs())["labels"])


def test_a_wrong_shape_or_type_is_an_error(api: TensorRt, gpu: StandinGpu, engine: bytes) -> None:
    runner = EngineRunner(api, engine, gpu)
    with pytest.raises(ValueError, match=r"expected color of shape \(32, 48, 3\), got \(31, 48, 3\)"):
        runner({"color": np.zeros((31, 48, 3), np.uint8)})
    with pytest.raises(TypeError):
        runner({"color": np.zeros((*SIZE, 3), np.float32)})


@pytest.mark.parametrize("function", ["cuMemAlloc_v2", "cuMemHostAlloc", "cuStreamCreate"])
def test_no_memory_while_loading(api: TensorRt, gpu: StandinGpu, engine: bytes, function: str) -> None:
    before = gpu.live
    gpu.fail(function, OUT_OF_MEMORY)
    with pytest.raises(CudaOutOfMemory, match=rf"{function}: out of memory"):
        EngineRunner(api, engine, gpu)
    assert gpu.live == before, "what was taken until then is given back"


def test_a_device_that_dies_in_the_middle_of_a_frame(api: TensorRt, gpu: StandinGpu, engine: bytes) -> None:
    runner = EngineRunner(api, engine, gpu)
    gpu.fail("cuStreamSynchronize", LAUNCH_FAILED)
    with pytest.raises(CudaError, match="launch failure"):
        runner(inputs())
    gpu.fail("cuCtxSetCurrent", LAUNCH_FAILED)
    runner.close()  # a dead device frees nothing: no error


def test_an_engine_that_tensorrt_refuses(api: TensorRt, gpu: StandinGpu) -> None:
    before = gpu.live
    with pytest.raises(UserError, match=r"TensorRT 10\.3\.0 cannot use the engine \(.*version mismatch"):
        EngineRunner(api, b"of another version", gpu)
    assert gpu.live == before


def test_the_device_is_known_by_name(gpu: StandinGpu) -> None:
    assert (gpu.name, gpu.compute_capability) == ("Stand-in GPU", "8.7")


def test_without_a_driver_the_line_says_so(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no NVIDIA driver here"):
        Driver(str(tmp_path / "libcuda.so.1"))
    with pytest.raises(UserError, match="no NVIDIA driver here"):
        Driver("libc.so.6")  # a library without these functions


def test_a_driver_without_a_device(gpu: StandinGpu, standin_library: Path) -> None:
    gpu.fail("cuInit", 100)
    with pytest.raises(UserError, match="finds no usable GPU"):
        Gpu(Driver(str(standin_library)))
