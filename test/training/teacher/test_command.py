"""rgbd-perception teach, with a text encoder that counts letters."""

from __future__ import annotations

import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from rgbd_perception.cli import main as cli
from rgbd_perception.errors import UserError
from rgbd_perception.text import registry
from rgbd_perception.text.encoder import CachingTextEncoder
from rgbd_perception.training.datasets.opening import open_views
from rgbd_perception.training.datasets.options import ALL
from rgbd_perception.training.recipe import DataSetConfig, Distillation, Recipe
from rgbd_perception.training.teacher.class_rows import read_class_rows
from rgbd_perception.training.teacher.pickled_dicts import read_embedding_dicts
from rgbd_perception.training.teacher.taught import taught_views
from rgbd_perception.training.view_batches import ViewBatches
from rgbd_perception.training.view_training import open_mixture, text_space
from rgbd_perception.training.yaml_config import build
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


def test_generated_rooms_are_taught_and_learned_from(tmp_path: Path) -> None:
    """Every hundredth of the 300 frames of an apartment that is no folder."""
    assert teach(Path("synthetic:7"), tmp_path / "taught", "--every", "100") == 0
    files = sorted(path.stem for path in (tmp_path / "taught").rglob("frame-*.npz"))
    assert files == ["frame-000000", "frame-000100", "frame-000200"]
    data = {
        "folder": "synthetic:7",
        "split": "all",
        "teacher": "text__all-MiniLM-L6-v2",
        "embeddings": "taught",
        "options": {"every": 100},
    }
    recipe = build(Recipe, {"model": "dveformer_reducedres", "data": [data]}, "test")
    view = open_mixture(recipe, tmp_path).view(1)
    assert view.embeddings is not None and view.embeddings.vectors.shape[1:] == (1, 10)
    assert set(view.embeddings.ids) <= set(np.unique(view.segments))


def test_weights_are_of_the_text_space_of_their_teachers(tmp_path: Path) -> None:
    assert teach(write_views(tmp_path / "ours", 1), tmp_path / "ours") == 0
    ours = DataSetConfig("ours", "all", teacher="text__all-MiniLM-L6-v2")
    theirs = DataSetConfig("theirs", "all", teacher="alpha_clip__l14-336-grit-20m")
    recipe = Recipe(model="dveformer_reducedres", data=(ours,), loss=Distillation())
    assert text_space(recipe, tmp_path) == "all-MiniLM-L6-v2"
    assert text_space(replace(recipe, data=(theirs,)), tmp_path) == "open_clip:ViT-L-14-336"
    assert text_space(replace(recipe, data=(DataSetConfig("shards"),)), tmp_path) == "all-MiniLM-L6-v2"
    with pytest.raises(UserError, match="teachers of one text space"):
        text_space(replace(recipe, data=(ours, theirs)), tmp_path)


@pytest.mark.parametrize(("cells", "first"), [("corner", 0), ("centre", 2)])
def test_a_student_with_cells_learns_their_corners_or_centres(tmp_path: Path, cells: str, first: int) -> None:
    data = write_views(tmp_path / "data", 1)
    label = cv2.imread(str(data / "label" / "view0.png"), cv2.IMREAD_UNCHANGED)
    cv2.imwrite(str(data / "label" / "view0.png"), np.roll(label, 1, axis=(0, 1)))  # edges inside of cells
    assert teach(data, data) == 0
    recipe = build(
        Recipe,
        {
            "model": "dveformer_reducedres",
            "batch": 1,
            "data": [{"folder": "data", "split": "all", "teacher": "text__all-MiniLM-L6-v2"}],
            "loss": {"kind": "distillation", "cells": cells},
        },
        "test",
    )
    mixture = open_mixture(recipe, tmp_path)
    batch = ViewBatches(mixture, recipe, stride=4).make(0, 0.0, 0, 1)
    segments, ids = mixture.view(0).segments[first::4, first::4], mixture.view(0).embeddings.ids
    assert batch.indices.shape == (1, 3, 4)
    np.testing.assert_array_equal(ids[batch.indices[0] - 1], segments)
    assert not np.array_equal(segments, mixture.view(0).segments[2 - first :: 4, 2 - first :: 4])


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Address of a Ray cluster of two cores that somebody else started on this machine, with a token."""
    pytest.importorskip("ray", reason="ray is not installed")
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    monkeypatch.setenv("RAY_AUTH_TOKEN", secrets.token_hex(32))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    command = [sys.executable, "-m", "ray.scripts.scripts", "start", "--head", "--block", "--num-cpus", "2"]
    command += ["--port", port, "--include-dashboard", "false", "--disable-usage-stats"]
    with tempfile.TemporaryDirectory(prefix="ray_") as folder:  # short: the names of sockets have a limit
        command += ["--object-store-memory", "80000000", "--temp-dir", folder]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True)
        try:
            assert process.stdout is not None
            assert any("Ray runtime started" in line for line in process.stdout), "the cluster did not start"
            yield f"127.0.0.1:{port}"
        finally:
            process.terminate()  # it stops what it started
            try:
                process.wait(60.0)
            finally:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)


@pytest.mark.slow
def test_a_cluster_by_its_address_gives_the_same_bytes(tmp_path: Path, cluster: str) -> None:
    data = write_views(tmp_path / "data", 12)
    for out, workers in (("here", ["--workers", "1"]), ("there", ["--ray", cluster])):
        command = [sys.executable, "-m", "rgbd_perception.cli.main", "teach", str(data), "--teacher", "text"]
        command += ["--out", str(tmp_path / out), *workers]
        told = subprocess.run(command, check=True, capture_output=True, text=True, timeout=120).stdout
        assert "12 taught, 0 failed" in told
    here, there = (
        {path.relative_to(root): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}
        for root in (tmp_path / "here", tmp_path / "there")
    )
    assert len(here) > 12 and here == there


def test_a_cluster_that_is_not_there_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What Ray says after it has tried for a minute."""
    ray = pytest.importorskip("ray", reason="ray is not installed")

    def fail(*_: object, **__: object) -> None:
        raise ConnectionError("Could not find any running Ray instance")

    monkeypatch.setattr(ray, "init", fail)
    data = write_views(tmp_path / "data", 1)
    arguments = [
        "teach",
        str(data),
        "--teacher",
        "text",
        "--out",
        str(tmp_path / "out"),
        "--ray",
        "10.0.0.9:1",
    ]
    assert cli.main(arguments) == 2
    error = capsys.readouterr().err.strip()
    assert "cannot reach Ray at 10.0.0.9:1" in error and len(error.splitlines()) == 1
