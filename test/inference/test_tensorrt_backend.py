"""The backend up to the device: from the ONNX file through cache, engine, memory to numbers; all ways out."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest

from rgbd_perception.errors import FrameDropped, UserError
from rgbd_perception.inference.cuda_driver import CudaError
from rgbd_perception.inference.engine_cache import EngineCache
from rgbd_perception.inference.engines import GraphFile, engine_key, open_graph_file
from rgbd_perception.inference.export import ExportOptions
from rgbd_perception.inference.tensorrt_api import TensorRt
from rgbd_perception.inference.tensorrt_backend import TensorRtBackend
from test.inference.frame_file import write_frame_file
from test.inference.gpu import LAUNCH_FAILED, OUT_OF_MEMORY, StandinGpu, api, gpu, standin_library
from test.inference.standin import tensorrt as standin
from test.inference.test_engine_runner import expected, inputs

__all__ = ["api", "gpu", "standin_library"]  # fixtures


@pytest.fixture
def graph(tmp_path: Path) -> GraphFile:
    return open_graph_file(write_frame_file(tmp_path / "tiny.onnx"), ExportOptions())


@pytest.fixture
def cache(tmp_path: Path) -> EngineCache:
    return EngineCache(tmp_path / "engines")


def test_from_a_file_to_numbers(api: TensorRt, gpu: StandinGpu, graph: GraphFile, cache: EngineCache) -> None:
    before = gpu.live
    backend = TensorRtBackend(graph, api=api, gpu=gpu, cache=cache)
    values = inputs()
    outputs = backend(values)
    for name, value in expected(graph.path.read_bytes(), values).items():
        np.testing.assert_array_equal(outputs[name], value)
    assert backend.name == "tensorrt"
    backend.close()
    assert gpu.live == before


def test_the_second_start_takes_the_engine_from_the_cache(
    api: TensorRt, gpu: StandinGpu, graph: GraphFile, cache: EngineCache
) -> None:
    before = standin.Builder.builds
    first, second = (TensorRtBackend(graph, api=api, gpu=gpu, cache=cache) for _ in range(2))
    assert standin.Builder.builds == before + 1
    assert "there was none" in first.reason and second.reason == ""


def test_other_weights_have_another_engine(
    api: TensorRt, gpu: StandinGpu, graph: GraphFile, cache: EngineCache
) -> None:
    TensorRtBackend(graph, api=api, gpu=gpu, cache=cache)
    write_frame_file(graph.path, seed=1)
    backend = TensorRtBackend(graph, api=api, gpu=gpu, cache=cache)
    assert "model hash" in backend.reason
    outputs = backend(inputs())
    np.testing.assert_array_equal(
        outputs["embedding"], expected(graph.path.read_bytes(), inputs())["embedding"]
    )


def test_an_engine_that_tensorrt_does_not_take_is_built_anew(
    api: TensorRt,
    gpu: StandinGpu,
    graph: GraphFile,
    cache: EngineCache,
    caplog: pytest.LogCaptureFixture,
) -> None:
    from rgbd_perception.inference.engine_build import BuiltEngine

    cache.get(engine_key(api, graph, gpu), lambda: BuiltEngine(b"of another driver", 1.0))
    backend = TensorRtBackend(graph, api=api, gpu=gpu, cache=cache)
    assert "built anew" in caplog.text and backend.reason
    np.testing.assert_array_equal(
        backend(inputs())["labels"], expected(graph.path.read_bytes(), inputs())["labels"]
    )


def test_no_memory_is_a_reason_for_another_backend(
    api: TensorRt, gpu: StandinGpu, graph: GraphFile, cache: EngineCache
) -> None:
    before = gpu.live
    gpu.fail("cuMemAlloc_v2", OUT_OF_MEMORY)
    with pytest.raises(
        UserError, match="not enough memory on the GPU for tiny: cuMemAlloc_v2: out of memory"
    ):
        TensorRtBackend(graph, api=api, gpu=gpu, cache=cache)
    assert gpu.live == before


def test_a_frame_of_another_size_is_a_drop_with_its_reason(
    api: TensorRt, gpu: StandinGpu, graph: GraphFile, cache: EngineCache
) -> None:
    backend = TensorRtBackend(graph, api=api, gpu=gpu, cache=cache)
    with pytest.raises(FrameDropped, match=r"frame_size: .*32x48, got 48x64"):
        backend({"color": np.zeros((48, 64, 3), np.uint8)})
    backend(inputs())


def test_a_device_that_fails_is_told(
    api: TensorRt, gpu: StandinGpu, graph: GraphFile, cache: EngineCache
) -> None:
    backend = TensorRtBackend(graph, api=api, gpu=gpu, cache=cache)
    gpu.fail("cuMemcpyDtoHAsync_v2", LAUNCH_FAILED)
    with pytest.raises(CudaError):
        backend(inputs())


def test_the_start_is_logged_in_one_line(
    api: TensorRt,
    gpu: StandinGpu,
    graph: GraphFile,
    cache: EngineCache,
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.INFO, logger="rgbd_perception.inference.tensorrt_backend"):
        TensorRtBackend(graph, api=api, gpu=gpu, cache=cache)
    assert "TensorRT 10.3.0 on Stand-in GPU: engine of tiny, fp32, built in" in caplog.text


def test_an_onnx_file_must_be_what_is_asked_for(graph: GraphFile, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is fp32, not fp16"):
        open_graph_file(graph.path, ExportOptions("fp16"))
    with pytest.raises(UserError, match="images of 32x48 only"):
        open_graph_file(graph.path, ExportOptions(size=(480, 640)))
    (tmp_path / "text.onnx").write_text("nothing of that kind")
    with pytest.raises(UserError, match=r"text\.onnx"):
        open_graph_file(tmp_path / "text.onnx", ExportOptions())
    with pytest.raises(UserError, match="cannot read"):
        open_graph_file(tmp_path / "none.onnx", ExportOptions())
