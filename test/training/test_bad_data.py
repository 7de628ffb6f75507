"""Training on data that is wrong ends in one line that names the file."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml

from rgbd_perception.cli.main import main
from test.training.test_view_training import PLAIN
from test.training.tiny import write_tiny_folder


def _unknown_id(rooms: Path) -> None:
    label = cv2.imread(str(rooms / "label" / "003.png"), cv2.IMREAD_UNCHANGED)
    label[5, 6] = 77
    cv2.imwrite(str(rooms / "label" / "003.png"), label)


def _another_size(rooms: Path) -> None:
    cv2.imwrite(str(rooms / "label" / "003.png"), np.zeros((48, 64), np.uint8))


def _no_depth(rooms: Path) -> None:
    shutil.rmtree(rooms / "depth")


def _empty_split(rooms: Path) -> None:
    (rooms / "train.txt").write_text("")


def _cut_image(rooms: Path) -> None:
    path = rooms / "color" / "003.png"
    path.write_bytes(path.read_bytes()[:40])


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (_unknown_id, ("003.png", "unknown label 77")),
        (_another_size, ("003.png", "48x64")),
        (_no_depth, ("depth",)),
        (_empty_split, ("train.txt",)),
        (_cut_image, ("003.png",)),
    ],
)
def test_wrong_data_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], damage: Callable[[Path], None], said: tuple[str, ...]
) -> None:
    write_tiny_folder(tmp_path / "rooms")
    damage(tmp_path / "rooms")
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump({**PLAIN, "batch": 8, "steps": 1}))
    arguments = ["train", str(tmp_path / "tiny.yaml"), "--data", str(tmp_path)]
    assert main([*arguments, "--out", str(tmp_path / "run")]) == 2
    error = capsys.readouterr().err.strip()
    assert all(part in error for part in said), error
    assert error.startswith("error: ") and len(error.splitlines()) == 1
    assert not (tmp_path / "run" / "weights.safetensors").exists()


@pytest.mark.parametrize("command", ["train", "distill"])
def test_a_misspelt_key_is_named_with_what_was_meant(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    (tmp_path / "wrong.yaml").write_text(yaml.safe_dump({**PLAIN, "epoch": 3}))
    assert main([command, str(tmp_path / "wrong.yaml"), "--data", str(tmp_path)]) == 2
    error = capsys.readouterr().err.strip()
    assert "did you mean epochs" in error and len(error.splitlines()) == 1
