"""The training loop: it learns, it stops when asked, and a resumed run equals one that was never stopped."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from rgbd_perception.errors import UserError
from rgbd_perception.inference.weights import read_weights
from rgbd_perception.training.checkpoint import FILE_NAME, Checkpoint, load_checkpoint_file
from rgbd_perception.training.config import TrainConfig
from rgbd_perception.training.crops import CropConfig
from rgbd_perception.training.evaluate import evaluate_model
from rgbd_perception.training.export import load_averaged_model
from rgbd_perception.training.launch import make_fabric
from rgbd_perception.training.progress_log import ProgressLog, StepReport
from rgbd_perception.training.render_shards import CLASSES_FILE
from rgbd_perception.training.run_config import BudgetConfig
from rgbd_perception.training.schedule import Phase
from rgbd_perception.training.shard_training import make_shard_trainer
from rgbd_perception.training.shards import open_shards
from rgbd_perception.training.trainer import Trainer
from test.training.tiny import class_embeddings, write_tiny_shards

STEPS = 5


def _config(steps: int = STEPS, batch: int = 2) -> TrainConfig:
    phases = (
        Phase(0.0, batch, CropConfig((32, 32), (0.8, 1.0))),
        Phase(0.5, batch, CropConfig((64, 64), (0.9, 1.1))),
    )
    return replace(TrainConfig(), processes=1, budget=BudgetConfig(steps=steps), phases=phases)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder of tiny shards: train, validation, class embeddings."""
    write_tiny_shards(tmp_path / "train")
    write_tiny_shards(tmp_path / "validation", count=1, seed=1)
    np.savez(tmp_path / CLASSES_FILE, embeddings=class_embeddings())
    return tmp_path


def _trainer(config: TrainConfig, root: Path, out: str) -> Trainer:
    fabric = make_fabric(config)
    return make_shard_trainer(fabric, config, open_shards(root / "train"), class_embeddings(), root / out)


def _assert_equal(first: Checkpoint, second: Checkpoint) -> None:
    assert first.step == second.step
    for name, tensor in first.model.items():
        assert torch.equal(tensor, second.model[name]), name
    for name, tensor in first.average.items():
        assert torch.equal(tensor, second.average[name]), name


def test_a_resumed_run_equals_one_that_was_never_stopped(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = _config()
    assert _trainer(config, root, "whole").run()

    stopped = _trainer(config, root, "parts")
    add = ProgressLog.add

    def add_and_stop(log: ProgressLog, report: StepReport) -> None:
        add(log, report)
        if stopped.clock.step == 2:
            signal.raise_signal(signal.SIGTERM)

    monkeypatch.setattr(ProgressLog, "add", add_and_stop)
    assert not stopped.run()
    assert 2 <= load_checkpoint_file(root / "parts").step < STEPS
    resumed = _trainer(config, root, "parts")
    resumed.restore()
    assert resumed.run()
    _assert_equal(load_checkpoint_file(root / "whole"), load_checkpoint_file(root / "parts"))


def test_training_after_kill_9_goes_on_and_ends_the_same(root: Path) -> None:
    """The whole command, killed without warning at some moment after its first checkpoint."""
    config = _config(steps=6)
    assert _trainer(config, root, "whole").run()
    plain = {
        "processes": 1,
        "checkpoint_minutes": 0.0,
        "budget": {"steps": 6},
        "phases": [
            {"start": 0.0, "batch": 2, "crop": {"size": [32, 32], "zoom": [0.8, 1.0]}},
            {"start": 0.5, "batch": 2, "crop": {"size": [64, 64], "zoom": [0.9, 1.1]}},
        ],
    }
    (root / "config.yaml").write_text(yaml.safe_dump(plain))
    out = root / "killed"
    command = [sys.executable, "-m", "rgbd_perception.cli.main", "distill", str(root / "config.yaml")]
    command += ["--shards", str(root), "--out", str(out), "--no-render"]
    with subprocess.Popen(command) as process:
        deadline = time.monotonic() + 60
        while not (out / FILE_NAME).exists() and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.01)
        os.kill(process.pid, signal.SIGKILL)
    assert load_checkpoint_file(out).step >= 1
    subprocess.run([*command, "--resume"], check=True, timeout=120)
    _assert_equal(load_checkpoint_file(root / "whole"), load_checkpoint_file(out))
    weights = read_weights(out / "weights.safetensors")
    assert weights.info.labels == open_shards(root / "train")[0].info.class_names
    assert weights.info.text_space == "test-space"
    assert weights.info.temperature > 0
    assert weights.class_embeddings is not None


def test_it_learns_to_tell_colours_apart(root: Path) -> None:
    config = _config(steps=16, batch=4)
    config = replace(config, phases=(Phase(0.0, 4, CropConfig((64, 96), (1.0, 1.0))),))
    assert _trainer(config, root, "run").run()
    model, notes = load_averaged_model(config, root / "run")
    assert notes["steps"] == 16
    scores = evaluate_model(model, open_shards(root / "validation"), class_embeddings())
    assert scores["by_text"]["color_and_depth"]["accuracy"] > 0.75


def test_training_leaves_denormal_numbers_to_others(root: Path) -> None:
    assert _trainer(_config(steps=1), root, "run").run()
    smallest = np.float64(5e-324)
    assert smallest * np.float64(1.0) > 0


def test_a_damaged_checkpoint_is_an_error_that_names_it(root: Path) -> None:
    trainer = _trainer(_config(), root, "run")
    trainer.save()
    path = root / "run" / FILE_NAME
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(UserError, match=FILE_NAME):
        trainer.restore()
