"""Training on labelled views: it resumes exactly, its parts add up, and what goes wrong is one line."""

from __future__ import annotations

import errno
import io
import itertools
import json
import math
import multiprocessing
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml

from rgbd_perception.cli.main import main
from rgbd_perception.errors import UserError
from rgbd_perception.frame import CameraIntrinsics, RgbdFrame
from rgbd_perception.inference import Predictor
from rgbd_perception.models import segformer_head
from rgbd_perception.training.checkpoint import FILE_NAME, Checkpoint, load_checkpoint_file
from rgbd_perception.training.launch import make_fabric
from rgbd_perception.training.recipe import Recipe
from rgbd_perception.training.trainer import Trainer
from rgbd_perception.training.view_training import make_view_trainer
from rgbd_perception.training.yaml_config import build
from test.training.tiny import CLASSES, write_tiny_folder

PLAIN: dict[str, Any] = {
    "model": "geminifusion_mit_b0",
    "settings": {"drop_path": 0.1},
    "batch": 2,
    "steps": 4,
    "threads": 1,
    "device": "cpu",
    "log_seconds": 0.0,
    "frozen_norms": True,
    "data": [{"folder": "rooms", "split": "train"}],
    "augmentation": {"kind": "geminifusion", "size": [32, 32]},
    "loss": {"kind": "two_heads"},
    "optimizer": {"kind": "adamw", "rate": 3e-4},
    "groups": [{"names": "^alpha$", "frozen": True}],
}


def _recipe(**changes: Any) -> Recipe:
    return build(Recipe, {**PLAIN, **changes}, "test")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A folder of data sets: the tiny rooms."""
    write_tiny_folder(tmp_path / "rooms")
    return tmp_path


def _trainer(recipe: Recipe, data: Path, out: str) -> Trainer:
    return make_view_trainer(make_fabric(recipe), recipe, data, data / out)


def _losses(run: Path) -> dict[int, float]:
    lines = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    return {line["step"]: line["semantic"] for line in lines if "semantic" in line}


def _assert_equal(first: Checkpoint, second: Checkpoint) -> None:
    assert first.step == second.step
    for name, tensor in first.model.items():
        assert torch.equal(tensor, second.model[name]), name


def _resumed_equals_whole(recipe: Recipe, data: Path, stop: int) -> None:
    assert _trainer(recipe, data, "whole").run()
    assert _trainer(replace(recipe, steps=stop), data, "parts").run()
    resumed = _trainer(recipe, data, "parts")
    resumed.restore()
    assert resumed.run()
    _assert_equal(load_checkpoint_file(data / "whole"), load_checkpoint_file(data / "parts"))


def test_a_resumed_training_has_the_same_bits(data: Path) -> None:
    _resumed_equals_whole(_recipe(), data, stop=2)


@pytest.mark.slow
def test_a_resumed_training_has_the_same_bits_after_20_more_steps(data: Path) -> None:
    _resumed_equals_whole(_recipe(steps=25), data, stop=5)


def test_parts_of_a_batch_add_up_to_the_batch(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(segformer_head, "DROPOUT", 0.0)
    still = {"batch": 4, "steps": 3, "settings": {"drop_path": 0.0}}
    assert _trainer(_recipe(**still), data, "whole").run()
    assert _trainer(_recipe(**still, accumulate=2), data, "parts").run()
    whole, parts = _losses(data / "whole"), _losses(data / "parts")
    assert whole.keys() == parts.keys() == {1, 2, 3}
    for step, loss in whole.items():
        assert parts[step] == pytest.approx(loss, abs=1e-4)


@pytest.mark.slow
def test_two_processes_of_torchrun_are_as_good_as_one(data: Path) -> None:
    for processes in (1, 2):
        command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", str(processes)]
        command += ["--standalone", "-m", "test.training.without_dropout", str(data), f"of_{processes}"]
        subprocess.run(command, check=True, timeout=400)
    one, two = _losses(data / "of_1"), _losses(data / "of_2")
    assert one.keys() == two.keys() == set(range(1, 21))
    for step, loss in one.items():
        assert two[step] == pytest.approx(loss, abs=1e-4)


def test_bf16_and_curves(data: Path) -> None:
    pytest.importorskip("tensorboard")
    assert _trainer(_recipe(steps=2, precision="bf16", tensorboard=True), data, "run").run()
    checkpoint = load_checkpoint_file(data / "run")
    assert all(tensor.dtype != torch.bfloat16 for tensor in checkpoint.model.values())
    assert all(math.isfinite(loss) for loss in _losses(data / "run").values())
    assert list((data / "run" / "tensorboard").glob("events.*"))


def test_the_command_writes_weights_that_label_an_image(data: Path) -> None:
    validation = {"data": {"folder": "rooms", "split": "test"}, "every": 1, "short_side": 0}
    (data / "tiny.yaml").write_text(yaml.safe_dump({**PLAIN, "validation": validation}))
    arguments = ["train", str(data / "tiny.yaml"), "steps=3", "--data", str(data), "steps=2"]
    arguments += ["--out", str(data / "run")]
    report = data / "report.json"
    assert main([*arguments, "--json", str(report)]) == 0
    assert json.loads(report.read_text())["steps"] == 2
    for name in ("weights", "best"):
        predictor = Predictor(data / "run" / f"{name}.safetensors")
        assert predictor.label_names == CLASSES
        frame = RgbdFrame(
            np.full((64, 96, 3), 90, np.uint8),
            np.full((64, 96), 2.0, np.float32),
            CameraIntrinsics(60.0, 60.0, 47.5, 31.5, 96, 64),
        )
        assert predictor(frame).labels.shape == (64, 96)
    assert main(arguments) == 2, "a run is not overwritten"


def test_a_loss_that_is_not_finite_names_the_sample(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trainer = _trainer(_recipe(steps=6), data, "run")
    trainer.save()
    before = (data / "run" / FILE_NAME).read_bytes()
    make = trainer._training.batches.make

    def spoilt(*arguments: Any) -> Any:
        batch = make(*arguments)
        batch.depth[1, 3, 4] = math.inf if arguments[0] == 1 else batch.depth[1, 3, 4]
        spoilt_names.append(batch.names[1])
        return batch

    spoilt_names: list[str] = []
    monkeypatch.setattr(trainer._training.batches, "make", spoilt)
    monkeypatch.setattr("rgbd_perception.models.inputs._can_be_looked_at", lambda image: False)
    with pytest.raises(UserError, match="step 1 is not finite") as error:
        trainer.run()
    assert spoilt_names[1] in str(error.value)
    assert (data / "run" / FILE_NAME).read_bytes() == before


def test_out_of_memory_says_which_batch_would_fit(data: Path) -> None:
    trainer = _trainer(_recipe(batch=8), data, "run")
    objective = trainer._training.objective
    forward = objective.forward

    def hungry(batch: Any) -> Any:
        if len(batch.names) > 3:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory")
        return forward(batch)

    objective.forward = hungry  # type: ignore[method-assign]
    with pytest.raises(UserError, match="2 would fit: accumulate=4"):
        trainer.run()


def test_a_full_disk_leaves_the_checkpoint_before_it(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trainer = _trainer(_recipe(), data, "run")
    trainer.save()
    path = data / "run" / FILE_NAME
    before = path.read_bytes()

    class FullDisk(io.FileIO):
        def write(self, content: Any) -> int:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    opened = Path.open

    def open_full(self: Path, mode: str = "r", *rest: Any, **more: Any) -> Any:
        return FullDisk(str(self), "w") if self.name.endswith(".part") else opened(self, mode, *rest, **more)

    monkeypatch.setattr(Path, "open", open_full)
    with pytest.raises(UserError, match=r"No space left on device; the one before it stays"):
        trainer.save()
    assert path.read_bytes() == before
    assert not path.with_name(path.name + ".part").exists()


def test_classes_that_do_not_fit_are_one_line(data: Path) -> None:
    with pytest.raises(UserError, match="num_classes is 40, but folder has 4"):
        _trainer(_recipe(settings={"num_classes": 40}), data, "run")
    assert _trainer(_recipe(steps=1), data, "run").run()
    checkpoint = load_checkpoint_file(data / "run")
    torch.save(
        {**checkpoint.model, "decoder.linear_pred.weight": torch.zeros(40, 256, 1, 1)}, data / "other.pth"
    )
    with pytest.raises(UserError, match=r"with 4 classes: decoder\.linear_pred\.weight is 40 x 256"):
        _trainer(_recipe(weights=str(data / "other.pth")), data, "other")
    _trainer(_recipe(weights=str(data / "other.pth"), weights_without="linear_pred"), data, "other")


def test_a_checkpoint_of_another_network_is_one_line(data: Path) -> None:
    _trainer(_recipe(), data, "run").save()
    other = _trainer(_recipe(model="geminifusion_deliver_mit_b0", settings={}), data, "run")
    with pytest.raises(UserError, match="not of this configuration"):
        other.restore()


def test_the_backbone_of_an_image_classifier_fills_both_norms(data: Path) -> None:
    plain = _trainer(_recipe(), data, "run").network.state_dict()
    file = {}
    for name, tensor in plain.items():
        if name.startswith("encoder.") and not any(
            part in name for part in ("cross_attn", "judger", "noise")
        ):
            file[name.removeprefix("encoder.").replace(".module", "").replace(".ln_0", "")] = tensor + 1.0
    file = {name: tensor for name, tensor in file.items() if ".ln_1" not in name}
    torch.save({**file, "head.weight": torch.zeros(1000, 256)}, data / "mit_b0.pth")
    filled = _trainer(_recipe(backbone=str(data / "mit_b0.pth")), data, "run").network.state_dict()
    source = file["block1.0.norm1.weight"]
    for stream in (0, 1):
        assert torch.equal(filled[f"encoder.block1.0.norm1.ln_{stream}.weight"], source)
    assert torch.equal(filled["encoder.patch_embed1.proj.module.weight"], file["patch_embed1.proj.weight"])
    torch.save({**file, "block9.0.attn.q.weight": torch.zeros(3)}, data / "wrong.pth")
    with pytest.raises(UserError, match="has no block9"):
        _trainer(_recipe(backbone=str(data / "wrong.pth")), data, "run")


def _train_on(recipe: Recipe, data: Path, out: str) -> None:
    """In a process of its own, until it is killed."""
    torch.set_num_threads(1)  # as here
    trainer = _trainer(recipe, data, out)
    if (data / out / FILE_NAME).exists():
        trainer.restore()
    trainer.run()


@pytest.mark.slow
def test_kills_at_random_times_lose_nothing_but_time(data: Path) -> None:
    recipe = _recipe(steps=10_000, checkpoint_minutes=0.0)
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    rng, steps = random.Random(0), [0]
    for _ in range(6):
        process = context.Process(target=_train_on, args=(recipe, data, "killed"))
        process.start()
        _wait(lambda: _steps_done(data / "killed") > steps[-1], process)
        time.sleep(rng.uniform(0.0, 0.5))
        assert process.is_alive()
        os.kill(process.pid or 0, signal.SIGKILL)
        process.join()
        steps.append(load_checkpoint_file(data / "killed").step)
    assert all(later > earlier for earlier, later in itertools.pairwise(steps)), steps
    reached = replace(recipe, steps=steps[-1], checkpoint_minutes=10.0)
    assert _trainer(reached, data, "whole").run()
    _assert_equal(load_checkpoint_file(data / "whole"), load_checkpoint_file(data / "killed"))


def _steps_done(run: Path) -> int:
    """By the checkpoint, which is replaced whole at any time."""
    return load_checkpoint_file(run).step if (run / FILE_NAME).exists() else 0


def _wait(reached: Callable[[], bool], process: Any) -> None:
    deadline = time.monotonic() + 120.0
    while not reached():
        assert process.is_alive() and time.monotonic() < deadline
        time.sleep(0.02)
