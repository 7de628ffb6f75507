"""A process of the tests: 20 steps of a training in which nothing is random, under torchrun."""

from __future__ import annotations

import sys
from pathlib import Path

from rgbd_perception.models import segformer_head
from rgbd_perception.training.launch import launch
from rgbd_perception.training.recipe import Recipe
from rgbd_perception.training.view_training import train_member
from rgbd_perception.training.yaml_config import build
from test.training.test_view_training import PLAIN


def main(data: Path, out: Path) -> None:
    """Train into ``out``."""
    segformer_head.DROPOUT = 0.0
    changes = {"batch": 4, "steps": 20, "settings": {"drop_path": 0.0}}
    recipe = build(Recipe, {**PLAIN, **changes}, "test")
    launch(recipe, train_member, recipe, data, out, False)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[1]) / sys.argv[2])
