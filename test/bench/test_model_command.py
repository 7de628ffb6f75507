"""`bench model` as a user types it, with so few repetitions that the figures mean little."""

from __future__ import annotations

import json
from typing import Any

import pytest

from rgbd_perception.cli.main import main


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    path = tmp_path_factory.mktemp("bench") / "model.json"
    options = ["--size", "240x320", "--backends", "torch,onnxruntime", "--runs", "2", "--json", str(path)]
    assert main(["bench", "model", "rgbd_mini", *options]) == 0
    return json.loads(path.read_text(encoding="utf-8"))


def test_the_promised_figures(result: dict[str, Any]) -> None:
    assert (result["model"], result["size"]) == ("rgbd_mini", [240, 320])
    assert list(result["backends"]) == ["torch", "onnxruntime"]
    for timed in result["backends"].values():
        assert timed["network_ms"] > 0
        assert timed["fps"] == pytest.approx(1000 / timed["end_to_end_ms"], abs=0.01)
        assert timed["fraction_of_peak"] > 0
    assert result["peak_gflops"] > 0


def test_both_backends_give_the_same(result: dict[str, Any]) -> None:
    assert result["max_abs_difference"] <= 1e-4
    assert result["labels_equal"] > 0.999


def test_what_cannot_be_timed(capsys: pytest.CaptureFixture[str]) -> None:
    for options, message in (
        (["rgbd_mini", "--backends", "abacus"], "torch, got 'abacus'"),
        (["rgbd_mini", "--runs", "0"], "expected at least one run"),
        (["rgbd_mini", "--size", "large"], "expected a size as HEIGHTxWIDTH"),
    ):
        assert main(["bench", "model", *options]) != 0
        assert message in capsys.readouterr().err
