"""OpenVINO in ONNX Runtime: when it is taken, what happens where it fails, that it gives what torch gives.

The last part runs where that build of ONNX Runtime is installed (docs/runtime.md).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from rgbd_perception.errors import FrameDropped, UserError
from rgbd_perception.inference import Predictor
from rgbd_perception.inference.backends import onnx_runtime, openvino
from rgbd_perception.inference.backends.base import BackendRequest, Unavailable
from rgbd_perception.inference.backends.onnx_runtime import open_session
from rgbd_perception.inference.backends.openvino import PROVIDER
from rgbd_perception.inference.classes import Classes
from rgbd_perception.vocabulary import Vocabulary
from test.inference import frame_file
from test.inference.frame_file import write_frame_file
from test.inference.test_predictor import make_frame

CPU, CUDA = "CPUExecutionProvider", "CUDAExecutionProvider"

with_openvino = pytest.mark.skipif(
    PROVIDER not in onnxruntime.get_available_providers(), reason="onnxruntime is built without OpenVINO"
)


@pytest.fixture(scope="module")
def tiny_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_frame_file(tmp_path_factory.mktemp("graphs") / "tiny.onnx")


@pytest.fixture(scope="module")
def predictor() -> Predictor:
    return Predictor("rgbd_mini", backend="openvino", threads=2)


@pytest.fixture(scope="module")
def reference() -> Predictor:
    return Predictor("rgbd_mini", backend="torch")


def offer(monkeypatch: pytest.MonkeyPatch, *providers: str) -> None:
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: list(providers))


def test_the_usual_build_goes_on_without(tiny_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    offer(monkeypatch, CPU)
    predictor = Predictor(tiny_file)
    assert predictor.backend == "onnxruntime"
    assert "not openvino: this onnxruntime is built without it" in predictor.backend_reason
    with pytest.raises(UserError, match="built without it"):
        Predictor(tiny_file, backend="openvino")


def test_cuda_comes_first(tiny_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    offer(monkeypatch, CUDA, PROVIDER, CPU)
    with pytest.raises(Unavailable, match="CUDA"):
        openvino.create(BackendRequest(tiny_file, automatic=True))


@pytest.mark.filterwarnings("ignore:Specified provider:UserWarning")
def test_a_provider_that_does_not_start(tiny_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """ONNX Runtime then goes on with the CPU by itself; it must not run under the name of OpenVINO."""
    offer(monkeypatch, PROVIDER, CPU)
    monkeypatch.setattr(openvino, "provider_options", lambda threads: {"device_type": "GPU"})
    predictor = Predictor(tiny_file)
    assert predictor.backend == "onnxruntime"
    assert "not openvino: it " in predictor.backend_reason and "\n" not in predictor.backend_reason
    assert predictor(make_frame(*frame_file.SIZE)).labels is not None


def test_a_size_that_it_refuses_in_flight(
    tiny_file: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A graph is opened with the first image of its size: then the next backend goes on with that image."""
    offer(monkeypatch, PROVIDER, CPU)
    small, large = frame_file.SIZE, (40, 56)
    second = write_frame_file(tiny_file.with_name("tiny-40x56.onnx"), size=large)

    def open_small(path: Path, threads: int) -> onnxruntime.InferenceSession:
        if path == second:
            raise Unavailable(f"it cannot run {path.name} (a layer that it does not know)")
        return open_session(path, threads)

    monkeypatch.setattr(openvino, "open_session", open_small)
    for module in (openvino, onnx_runtime):
        monkeypatch.setattr(module, "find_graphs", lambda request: [tiny_file, second])
    predictor, asked = Predictor(tiny_file), Predictor(tiny_file, backend="openvino")
    assert predictor(make_frame(*small)).labels is not None
    assert predictor.backend == asked.backend == "openvino"
    with pytest.raises(Unavailable, match=r"cannot run tiny-40x56\.onnx"):
        asked(make_frame(*large))
    assert predictor(make_frame(*large)).labels is not None
    assert predictor.backend == "onnxruntime"
    line = "it cannot run tiny-40x56.onnx (a layer that it does not know); the backend onnxruntime goes on"
    assert caplog.messages == [line]


def test_a_file_that_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    offer(monkeypatch, PROVIDER, CPU)
    with pytest.raises(UserError, match=r"absent.onnx, which does not exist"):
        Predictor(tmp_path / "absent.onnx", backend="openvino")


@with_openvino
def test_it_is_taken_where_it_is_there(tiny_file: Path) -> None:
    predictor = Predictor(tiny_file)
    assert predictor.backend == "openvino"
    assert predictor.backend_reason.startswith("openvino; not tensorrt: ")


@with_openvino
def test_a_graph_that_it_refuses(tiny_file: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    damaged = tmp_path / "damaged.onnx"
    damaged.write_bytes(tiny_file.read_bytes()[:-500])
    with pytest.raises(Unavailable, match=r"cannot run .*damaged.onnx \("):
        Predictor(damaged, backend="openvino")
    assert capfd.readouterr().err == "", "what the exception says is not said a second time"


@with_openvino
@pytest.mark.parametrize("count", [1, 38, 1000])
def test_it_gives_what_torch_gives(predictor: Predictor, reference: Predictor, count: int) -> None:
    """In float32: with bfloat16 the embeddings differ by 0.003."""
    rows = np.random.default_rng(count).standard_normal((count, 384)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    names = [f"thing {index}" for index in range(count)]
    for each in (predictor, reference):
        each.use_classes(Classes(Vocabulary(names, "all-MiniLM-L6-v2"), rows, rows))
    found, wanted = (each(make_frame(240, 320)) for each in (predictor, reference))
    np.testing.assert_allclose(found.confidence, wanted.confidence, atol=1e-4)
    np.testing.assert_allclose(found.embedding, wanted.embedding, atol=5e-4)  # both are float16
    assert (found.cell_labels == wanted.cell_labels).mean() > 0.99
    assert found.model_id == wanted.model_id


@with_openvino
def test_frames_keep_what_they_were_given(predictor: Predictor) -> None:
    first = predictor(make_frame(240, 320))
    kept = first.embedding.copy(), first.cell_confidence.copy()
    predictor(make_frame(120, 160))
    np.testing.assert_array_equal(first.embedding, kept[0])
    np.testing.assert_array_equal(first.cell_confidence, kept[1])


@with_openvino
def test_nan_gets_no_further(tiny_file: Path) -> None:
    predictor = Predictor(tiny_file, backend="openvino")
    rows = np.full((3, frame_file.DIM), np.nan, np.float32)
    predictor.use_classes(Classes(Vocabulary(["a", "b", "c"], "all-MiniLM-L6-v2"), rows, rows))
    with pytest.raises(FrameDropped, match="prediction_not_finite"):
        predictor(make_frame(*frame_file.SIZE))
