"""rgbd-perception teach, with a text encoder that counts letters."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from rgbd_perception.cli import main as cli
from rgbd_perception.text import registry
from rgbd_perception.text.encoder import CachingTextEncoder
from rgbd_perception.training.datasets.opening import open_views
from rgbd_perception.training.datasets.options import ALL
from rgbd_perception.training.teacher.class_rows import read_class_rows
from rgbd_perception.training.teacher.pickled_dicts import read_embedding_dicts
from rgbd_perception.training.teacher.taught import taught_views
from test.training.teacher.rooms import CLASSES, write_views


def count_letters(texts: Sequence[str]) -> np.ndarray:
    return np.array([[text.count(letter) + 0.1 for letter in "abcdefghij"] for text in texts], np.float32)


@pytest.fixture(autouse=True)
def _letters(monkeypatch: pytest.MonkeyPatch) -> None:
    encoder = CachingTextEncoder(registry.DEFAULT_TEXT_SPACE, 10, count_letters)
    monkeypatch.setitem(registry._encoders, registry.DEFAULT_TEXT_SPACE, encoder)


def teach(data: Path, out: Path, *more: str) -> int:
    return cli.main(["teach", str(data), "--teacher", "text", "--workers", "1", "--out", str(out), *more])


def test_text_teaches_the_names_of_the_classes(tmp_path: Path) -> None:
    data, out = write_views(tmp_path / "data"), tmp_path / "out"
    assert teach(data, out, "--json", str(tmp_path / "result.json")) == 0
    result = json.loads((tmp_path / "result.json").read_text())
    assert result["teacher"] == "text__all-MiniLM-L6-v2" and not result["warnings"]
    assert result["splits"] == {"all": {"finished_before": 0, "taught": 5, "failed": {}}}
    rows = read_class_rows(out / "auxiliary_meta" / f"class_rows_None_{result['teacher']}.npz")
    assert rows.names == CLASSES
    np.testing.assert_allclose(rows.means, rows.text, atol=1e-6)  # nothing else was seen
    view = taught_views(open_views(data, ALL), out, result["teacher"]).view(0)
    for value, vector in zip(view.embeddings.ids, view.embeddings.vectors[:, 0], strict=True):
        label = int(view.semantic[view.segments == value][0])
        np.testing.assert_allclose(vector, rows.text[label], atol=1e-6)
    names = read_embedding_dicts(out / "auxiliary_meta" / "semantic_class_name_embeddings.npy")
    assert list(names[f"semantic_None_embedding_{result['teacher']}"]) == [
        "a void", "a wall", "a chair", "a lamp"
    ]  # fmt: skip
    meta = json.loads((out / "creation_meta.json").read_text())["additional_meta"]
    assert meta["auxiliary_panoptic_embedding_estimators"] == [result["teacher"]]
    assert "auxiliary_image_embedding_estimators" not in meta


def test_the_same_command_goes_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data, out = write_views(tmp_path / "data"), tmp_path / "out"
    label = data / "label" / "view1.png"
    content = label.read_bytes()
    label.write_bytes(b"")
    assert teach(data, out) == 2
    error = capsys.readouterr().err
    assert "view1.png" in error and "1 views could not be taught, the first is view1" in error
    label.write_bytes(content)
    assert teach(data, out) == 0
    assert "5 views, 4 were finished, 1 taught, 0 failed" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--teacher", "alpha_clip"], "needs --weights FILE"),
        (["--teacher", "text", "--weights", "w.pth"], "--weights is for --teacher alpha_clip"),
        (["--workers", "-1"], "expected --workers of 1 or more"),
        (["--teacher", "text", "--split", "night"], "has no split 'night'"),
        (["--teacher", "text", "--layout", "nowhere"], "expected a layout"),
    ],
)
def test_bad_input_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    data = write_views(tmp_path / "data", 1)
    assert cli.main(["teach", str(data), "--out", str(tmp_path / "out"), *arguments]) == 2
    error = capsys.readouterr().err
    assert message in error and len(error.strip().splitlines()) == 1
