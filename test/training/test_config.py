"""Configurations: the shipped file is read, mistakes are named."""

from __future__ import annotations

from pathlib import Path

import pytest

from rgbd_perception.errors import UserError
from rgbd_perception.training.config import TrainConfig, load_config
from rgbd_perception.training.render_shards import check_splits
from rgbd_perception.training.views_config import SplitConfig, ViewsConfig


def _load(tmp_path: Path, text: str) -> TrainConfig:
    path = tmp_path / "config.yaml"
    path.write_text(text)
    return load_config(path)


def test_the_shipped_configuration_is_valid(repository: Path) -> None:
    config = load_config(repository / "config" / "train" / "rgbd_mini.yaml")
    assert config.model == "rgbd_mini"
    assert config.views.size == (240, 320)
    assert [phase.start for phase in config.phases] == sorted(phase.start for phase in config.phases)
    check_splits(config.views)


def test_what_is_left_out_keeps_its_default(tmp_path: Path) -> None:
    assert _load(tmp_path, "") == TrainConfig()
    assert _load(tmp_path, "budget: {minutes: 3}").budget.minutes == 3.0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("budjet: {}", "budjet"),
        ("budget: {minutes: soon}", "minutes"),
        ("budget: 5", "budget"),
        ("views: {size: [240]}", "size"),
        ("phases: [{start: 0.0, batch: 2}]", "crop"),
        ("seed: true", "seed"),
        ("- a\n- b", "names and values"),
        ("model: [", "cannot read"),
    ],
)
def test_mistakes_are_named(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        _load(tmp_path, text)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"missing\.yaml"):
        load_config(tmp_path / "missing.yaml")


def test_splits_that_share_a_room_are_refused() -> None:
    views = ViewsConfig(train=SplitConfig(0, 100), validation=SplitConfig(99, 5))
    with pytest.raises(UserError, match="overlap"):
        check_splits(views)
