"""NVIDIA's own parser and builder (TensorRT for RTX, which needs no GPU), and what users hear of them."""

from __future__ import annotations

import logging
import sys
import threading
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper, save

from rgbd_perception.errors import UserError
from rgbd_perception.inference import tensorrt_api
from rgbd_perception.inference.engine_build import BuildCancelled, _Progress, build_engine
from rgbd_perception.inference.tensorrt_api import TensorRt, find_tensorrt
from test.inference.frame_file import write_frame_file


@pytest.fixture(scope="module")
def rtx() -> TensorRt:
    pytest.importorskip("tensorrt_rtx_bindings", reason="pip install tensorrt-rtx-cu13-bindings")
    return find_tensorrt(without_gpu=True)


@pytest.fixture(scope="module")
def frame_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_frame_file(tmp_path_factory.mktemp("onnx") / "tiny.onnx")


def test_an_engine_is_built_for_a_gpu_that_is_not_here(rtx: TensorRt, frame_file: Path) -> None:
    shares: list[float] = []
    built = build_engine(rtx, frame_file, ["sm86"], lambda share, phase: shares.append(share))
    assert len(built.data) > 4 * 8 * 4 * 8 * 8, "the weights are in it"
    assert built.seconds > 0
    assert shares == sorted(shares) and shares[-1] == 1.0


def test_a_build_that_nobody_wants_any_more_ends(rtx: TensorRt, frame_file: Path) -> None:
    cancel = threading.Event()
    cancel.set()
    with pytest.raises(BuildCancelled):
        build_engine(rtx, frame_file, ["sm86"], cancel=cancel)


def test_the_operator_that_is_not_understood_is_named(rtx: TensorRt, tmp_path: Path) -> None:
    shape = {"elem_type": TensorProto.FLOAT, "shape": [2, 2]}
    node = helper.make_node("Det", ["x"], ["y"], name="the_determinant")
    graph = helper.make_graph(
        [node],
        "g",
        [helper.make_tensor_value_info("x", **shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [])],
    )
    path = tmp_path / "det.onnx"
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    with pytest.raises(UserError, match=r"does not take .*det\.onnx: .*Det.*the_determinant") as caught:
        build_engine(rtx, path, ["sm86"])
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"this is no ONNX file"])
def test_a_file_that_is_no_onnx_file(rtx: TensorRt, tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"model\.onnx"):
        build_engine(rtx, path, ["sm86"])


def test_a_missing_file_and_an_unknown_gpu(rtx: TensorRt, frame_file: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="does not exist"):
        build_engine(rtx, tmp_path / "no.onnx", ["sm86"])
    with pytest.raises(UserError, match=r"cannot build for sm87.*sm86.*Orin"):
        build_engine(rtx, frame_file, ["sm87"])


def test_an_engine_cannot_be_loaded_here_and_the_line_says_why(rtx: TensorRt) -> None:
    with pytest.raises(UserError, match=r"cannot (use the engine|run here)"):
        rtx.deserialize(b"no engine at all" * 16)


def test_messages_go_to_the_log(
    rtx: TensorRt, frame_file: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    with caplog.at_level(logging.DEBUG, logger="rgbd_perception.tensorrt"):
        build_engine(rtx, frame_file, ["sm86"])
    assert any(record.name == "rgbd_perception.tensorrt" for record in caplog.records)
    assert capfd.readouterr() == ("", "")


def test_without_tensorrt_the_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in tensorrt_api.MODULES:
        monkeypatch.setitem(sys.modules, name, None)
    tensorrt_api._load.cache_clear()
    with pytest.raises(UserError, match=r"not installed.*Jetson.*pip install tensorrt-rtx"):
        find_tensorrt()
    with pytest.raises(UserError, match="takes TensorRT for RTX"):
        find_tensorrt(without_gpu=True)


def test_a_broken_installation_is_not_taken_for_none(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in tensorrt_api.MODULES:
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setitem(sys.modules, "tensorrt", ModuleType("tensorrt"))  # has no __version__
    tensorrt_api._load.cache_clear()
    with pytest.raises(UserError, match=r"tensorrt: .*__version__"):
        find_tensorrt()


@given(
    st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from("abcd"), st.integers(-1, 4), st.booleans()))
)
def test_progress_never_falls_and_stays_within_the_whole(events: list[tuple[str, str, int, bool]]) -> None:
    shares: list[float] = []
    progress = _Progress(lambda share, phase: shares.append(share), None)
    progress.phase_start("a", None, 4)
    for name, parent, step, finish in events:
        if step < 0:
            progress.phase_start(name, parent if parent < name else None, 3)
        elif finish and name != "a":
            progress.phase_finish(name)
        else:
            progress.step_complete(name, step)
    progress.phase_finish("a")
    assert shares == sorted(shares)
    assert min(shares) >= 0 and shares[-1] == 1


def test_progress_counts_the_steps_inside_a_step() -> None:
    shares: list[float] = []
    progress = _Progress(lambda share, phase: shares.append(share), None)
    progress.phase_start("build", None, 4)
    progress.step_complete("build", 0)
    progress.phase_start("optimise", "build", 2)
    progress.step_complete("optimise", 0)
    assert shares[-1] == (1 + 1 / 2) / 4
