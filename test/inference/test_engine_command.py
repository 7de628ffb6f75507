"""``rgbd-perception engine``: files and JSON it leaves, exit statuses, one line for whatever is wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from rgbd_perception.cli.main import main
from rgbd_perception.inference import engine_verify
from rgbd_perception.inference.engine_verify import Agreement
from test.inference.frame_file import write_frame_file
from test.ros.tiny_room import write_room

pytest.importorskip("tensorrt_rtx_bindings", reason="pip install tensorrt-rtx-cu13-bindings")


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return write_frame_file(tmp_path / "tiny.onnx")


def run(*arguments: str | Path) -> int:
    return main(["engine", *map(str, arguments)])


def run_json(target: Path, *arguments: str | Path) -> tuple[int, dict[str, Any]]:
    status = run(*arguments, "--json", target)
    return status, json.loads(target.read_text())


def build(file: Path, engine: Path, *arguments: str) -> tuple[int, dict[str, Any]]:
    return run_json(
        file.with_suffix(".json"),
        *("build", file, "--precision", "fp32", "--ahead-of-time", "sm86", "--out", engine, *arguments),
    )


def test_an_engine_for_another_machine(file: Path, tmp_path: Path) -> None:
    engine = tmp_path / "tiny.engine"
    status, built = build(file, engine)
    assert status == 0
    assert built["size_bytes"] == engine.stat().st_size
    assert (built["model"], built["precision"], built["size"]) == ("tiny", "fp32", "32x48")
    assert (built["gpu"], built["tensorrt"]) == ("sm86", "tensorrt_rtx")
    status, told = run_json(tmp_path / "info.json", "info", engine)
    assert status == 0
    assert told == {name: value for name, value in built.items() if name != "reason"}


def test_a_damaged_engine_is_told(file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    engine = tmp_path / "tiny.engine"
    build(file, engine)
    engine.write_bytes(engine.read_bytes()[:-1])
    assert run("info", engine) == 2
    assert "is damaged" in capsys.readouterr().err


def test_no_engine_of_a_model_is_kept(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("info", "rgbd_mini") == 0
    assert "no engine of rgbd_mini is kept here" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["build", "FILE", "--precision", "fp32", "--ahead-of-time", "sm86"], "expected --out FILE"),
        (
            ["build", "FILE", "--precision", "fp32", "--ahead-of-time", "sm87", "--out", "x"],
            "cannot build for sm87",
        ),
        (["build", "FILE", "--ahead-of-time", "sm86", "--out", "x"], "is fp32, not fp16"),
        (["info", "rgbd_minni"], "or an engine file, got 'rgbd_minni': did you mean rgbd_mini?"),
        (
            [
                "build",
                "FILE",
                "--precision",
                "fp32",
                "--size",
                "9x9",
                "--ahead-of-time",
                "sm86",
                "--out",
                "x",
            ],
            "32x48 only",
        ),
        (
            ["build", "no_model", "--ahead-of-time", "sm86", "--out", "x"],
            "expected a model of `rgbd-perception models list`",
        ),
        (["info", "none.engine"], "none.engine does not exist"),
        (["verify", "FILE", "--frames", "synthetic:1", "--count", "0", "--graph-only"], "--count"),
        (["verify", "FILE", "--frames", "nowhere", "--graph-only"], "'nowhere' does not exist"),
    ],
)
def test_what_is_wrong_takes_one_line(
    file: Path, arguments: list[str], line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(*(str(file) if argument == "FILE" else argument for argument in arguments)) == 2
    error = capsys.readouterr().err
    assert line in error
    assert error.count("\n") == 1 and error.startswith("error: ")


@pytest.mark.parametrize("action", [["build"], ["verify", "--frames", "synthetic:1"]])
def test_without_a_gpu_the_line_says_what_else_there_is(
    file: Path, action: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    if Path("/dev/nvidia0").exists():
        pytest.skip("this machine has a GPU")
    assert run(action[0], file, "--precision", "fp32", *action[1:]) == 2
    error = capsys.readouterr().err
    assert "no NVIDIA driver" in error
    assert ("--ahead-of-time" if action[0] == "build" else "--graph-only") in error


def test_the_graph_is_compared_without_a_gpu(file: Path, tmp_path: Path) -> None:
    room = write_room(tmp_path / "room", 4)
    arguments = ["verify", file, "--precision", "fp32", "--frames", room, "--count", "2"]
    status, result = run_json(tmp_path / "verify.json", *arguments, "--graph-only")
    assert status == 0
    assert result["good"] and result["shortfalls"] == []
    assert (result["frames"], result["label_agreement"], result["not_finite"]) == (2, 1.0, 0)
    assert result["candidate"] == "onnxruntime fp32"


def test_a_verdict_that_is_no(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    room = write_room(tmp_path / "room", 1)
    bad = Agreement(2, 48, 1, 0.5, 0.9, 0.1, 0.7)
    monkeypatch.setattr(engine_verify, "compare", lambda *_: bad)
    arguments = ["verify", file, "--precision", "fp32", "--frames", room, "--count", "2"]
    assert run(*arguments, "--graph-only") == 2
    assert "NOT good: NaN or infinite values in 1 frames; same label in 50.00%" in capsys.readouterr().out
