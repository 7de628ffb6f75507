"""Time of the network alone and of everything from the camera's images to the prediction.

    python benchmarks/bench_model.py [--model NAME|FILE] [--size 240 320] [--threads 2] [--runs 50]

Prints one JSON object: medians over the runs. A model without installed weights is timed with random ones.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable

import numpy as np
import torch

from rgbd_perception.frame import CameraIntrinsics, RgbdFrame
from rgbd_perception.inference import Predictor
from rgbd_perception.inference.weights import UNTRAINED
from rgbd_perception.models import create_model
from rgbd_perception.models.measure import measure

WARM_UP = 5


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", default="rgbd_mini", help="a name or a weights file (default %(default)s)")
    parser.add_argument("--size", nargs=2, type=int, default=(240, 320), metavar=("H", "W"))
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--runs", type=int, default=50)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    print(json.dumps(time_model(args.model, tuple(args.size), args.runs), indent=2))


def time_model(model: str, size: tuple[int, int], runs: int) -> dict[str, object]:
    """Everything this benchmark reports."""
    predictor = Predictor(model, untrained=True)
    name, fingerprint = predictor.model_id.rsplit("-", 1)
    frame = make_frame(size)
    steps: dict[str, list[float]] = {}

    def predict() -> None:
        for step, milliseconds in predictor(frame).step_ms.items():
            steps.setdefault(step, []).append(milliseconds)

    return {
        "model_id": predictor.model_id,
        "weights": "random" if fingerprint == UNTRAINED else "trained",
        "size": size,
        "threads": torch.get_num_threads(),
        "runs": runs,
        "network": network_size(name),
        "end_to_end_ms": median_ms(predict, runs),
        "without_masks_ms": median_ms(lambda: predictor(frame, masks=False), runs),
        "step_ms": {step: round(statistics.median(values), 2) for step, values in steps.items()},
    }


def network_size(name: str) -> dict[str, float]:
    """Parameters, and multiply-accumulates at the resolution the network was made for."""
    with torch.device("meta"):
        size = create_model(name).config.input_size
    parameters, gmac = measure(name, size)
    return {"parameters": parameters, "gmac": round(gmac, 3)}


def median_ms(function: Callable[[], object], runs: int) -> float:
    """Median wall time of a call in milliseconds, after some calls that are not counted."""
    times = []
    for run in range(WARM_UP + runs):
        start = time.perf_counter()
        function()
        if run >= WARM_UP:
            times.append((time.perf_counter() - start) * 1e3)
    return round(statistics.median(times), 2)


def make_frame(size: tuple[int, int]) -> RgbdFrame:
    """Noise with holes. Contents matter only to the time of masks: noise is their worst case."""
    rng = np.random.default_rng(0)
    height, width = size
    depth = rng.uniform(0.5, 4.0, size).astype(np.float32)
    depth[rng.random(size) < 0.1] = 0
    color = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
    return RgbdFrame(color, depth, CameraIntrinsics(width, width, width / 2, height / 2, width, height))


if __name__ == "__main__":
    main()
