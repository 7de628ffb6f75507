"""Weight files: all comes back, nothing damaged is taken, a failed write leaves the old file."""

from __future__ import annotations

import resource
import signal
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from rgbd_perception.errors import UserError
from rgbd_perception.inference.weights import (
    HEADER_KEY,
    WeightsInfo,
    default_path,
    read_info,
    read_weights,
    save_weights,
)

INFO = WeightsInfo(
    "rgbd_mini", {"depth_std": 1.25}, ("chair", "Sessel"), "some-space", 12.5, {"minutes": 7, "note": "ü"}
)
STATE = {"a.weight": torch.arange(6.0).reshape(2, 3).T, "b": torch.tensor([3], dtype=torch.int64)}
ROWS = np.eye(2, 4, dtype=np.float32)


def test_round_trip(tmp_path: Path) -> None:
    path = tmp_path / "new" / "x.safetensors"
    saved = save_weights(path, STATE, INFO, ROWS)
    found = read_weights(path)
    assert found.info == saved == read_info(path)
    assert found.info.settings == {"depth_std": 1.25}
    assert found.info.model_id == f"rgbd_mini-{saved.fingerprint}"
    assert found.state.keys() == STATE.keys()
    assert all(torch.equal(found.state[name], STATE[name]) for name in STATE)
    assert found.class_embeddings is not None
    np.testing.assert_array_equal(found.class_embeddings, ROWS)
    assert [item.name for item in path.parent.iterdir()] == ["x.safetensors"]


def test_the_fingerprint_is_of_the_values(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    first = save_weights(path, STATE, INFO, ROWS).fingerprint
    assert save_weights(path, STATE, INFO, ROWS).fingerprint == first
    assert save_weights(path, STATE | {"b": torch.tensor([4])}, INFO, ROWS).fingerprint != first
    assert save_weights(path, STATE, INFO, ROWS[::-1]).fingerprint != first


def test_without_class_embeddings(tmp_path: Path) -> None:
    save_weights(tmp_path / "x.safetensors", STATE, WeightsInfo("rgbd_mini"))
    assert read_weights(tmp_path / "x.safetensors").class_embeddings is None


def test_labels_and_rows_must_match(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="2 labels, but 1"):
        save_weights(tmp_path / "x.safetensors", STATE, INFO, ROWS[:1])


@pytest.mark.parametrize("kept", [0, 5, 100, -1])
def test_a_cut_file_is_refused(tmp_path: Path, kept: int) -> None:
    path = tmp_path / "x.safetensors"
    save_weights(path, STATE, INFO, ROWS)
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(UserError, match="no whole safetensors file"):
        read_weights(path)


def test_foreign_and_future_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    save_file({"a": torch.zeros(1)}, path)
    with pytest.raises(UserError, match="no header"):
        read_weights(path)
    save_file({"a": torch.zeros(1)}, path, metadata={HEADER_KEY: '{"format": 99, "model": "x"}'})
    with pytest.raises(UserError, match="format 99, expected 1"):
        read_weights(path)
    save_file({"a": torch.zeros(1)}, path, metadata={HEADER_KEY: '{"format": 1, "labels": []}'})
    with pytest.raises(UserError, match="damaged header"):
        read_weights(path)


def test_missing_files_say_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="does not exist"):
        read_weights(tmp_path / "x.safetensors")
    with pytest.raises(UserError, match="rgbd-perception models import dveformer_reducedres FILE"):
        read_weights(default_path("dveformer_reducedres"))


def test_a_full_disk_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    save_weights(path, STATE, INFO, ROWS)
    before = load_file(str(path))
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, limits[1]))
        with pytest.raises(UserError, match="cannot write the weights"):
            save_weights(path, {"a.weight": torch.ones(100_000)}, INFO, ROWS)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    after = load_file(str(path))
    assert after.keys() == before.keys()
    assert [item.name for item in tmp_path.iterdir()] == ["x.safetensors"]
