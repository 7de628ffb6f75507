"""How much of a training step of rgbd_mini goes by in waiting for its batch, in each phase of the training.

    python benchmarks/input_pipeline.py SHARDS [--steps 20] [key=value ...]

SHARDS is the folder of rendered views that `rgbd-perception distill` makes. Every phase of
config/train/rgbd_mini.yaml is trained for some steps with its processes and threads; the first steps, in
which nothing is ahead yet, are left out.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from rgbd_perception.training.batches import BatchMaker
from rgbd_perception.training.config import TrainConfig, load_config
from rgbd_perception.training.launch import launch
from rgbd_perception.training.progress_log import FILE_NAME
from rgbd_perception.training.render_shards import load_classes
from rgbd_perception.training.shard_training import make_shard_trainer
from rgbd_perception.training.shards import open_shards

CONFIG = Path(__file__).parent.parent / "config" / "train" / "rgbd_mini.yaml"
FIRST = 3


def main() -> None:
    """One line for each phase."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("shards", type=Path)
    parser.add_argument("overrides", nargs="*", metavar="key=value")
    parser.add_argument("--steps", type=int, default=20)
    arguments = parser.parse_args()
    config = load_config(CONFIG, arguments.overrides)
    for phase in config.phases:
        alone = replace(
            config,
            phases=(replace(phase, start=0.0),),
            budget=replace(config.budget, steps=arguments.steps),
            log_seconds=0.0,
        )
        lines = measure(alone, arguments.shards)[FIRST:]
        shares = [line["waiting_share"] for line in lines]
        size = "x".join(map(str, phase.crop.size))
        seconds = float(np.median([line["seconds"] for line in lines]))
        print(
            f"{phase.batch:3d} windows of {size}: waiting {np.mean(shares):.1%} of a step on average, "
            f"{np.max(shares):.1%} at most; {seconds:.2f} s a step, of which making a process's part of the "
            f"batch takes {making_s(alone, arguments.shards) / seconds:.1%} of a core",
            flush=True,
        )


def measure(config: TrainConfig, shards: Path) -> list[dict[str, Any]]:
    """The log of a training, a line for each step."""
    with tempfile.TemporaryDirectory() as out:
        launch(config, _work, config, shards, Path(out))
        return [json.loads(line) for line in (Path(out) / FILE_NAME).read_text().splitlines()]


def making_s(config: TrainConfig, shards: Path, count: int = 5) -> float:
    """CPU time of one process's part of a batch of the first phase."""
    opened, phase = open_shards(shards / "train"), config.phases[0]
    weights = np.ones(len(opened[0].info.class_names), np.float32)
    maker = BatchMaker(opened, config.batches, config.seed, 4, weights)
    size = phase.batch // (config.processes * config.accumulate)
    maker.make(0, size, phase.crop)
    began = time.process_time()
    for number in range(1, count + 1):
        maker.make(number, size, phase.crop)
    return (time.process_time() - began) / count


def _work(fabric: Any, config: TrainConfig, shards: Path, out: Path) -> None:
    make_shard_trainer(fabric, config, open_shards(shards / "train"), load_classes(shards), out).run()


if __name__ == "__main__":
    main()
