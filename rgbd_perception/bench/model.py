"""What a network costs here, backend beside backend, and how much of the machine it uses.

Two conventions side by side: ``network``, the backend alone on images of the network's size, as papers time
it (an exported graph has its normalisation and its classes inside); and ``end to end``, from the images of a
camera to the prediction with masks of every pixel.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from rgbd_perception.bench.machine import processor_name, sgemm_gflops, usable_cores
from rgbd_perception.bench.timings import Timings, milliseconds_of
from rgbd_perception.frame import CameraIntrinsics, Prediction, RgbdFrame
from rgbd_perception.inference import Predictor
from rgbd_perception.inference.installed import is_installed
from rgbd_perception.models.published import PUBLISHED

WARM_UP = 3
STEPS_AROUND = ("preprocess", "postprocess", "masks")
PATCH = 16
"""Pixels along a patch of the made-up image: borders of masks are about as long as in a room."""


@dataclass(frozen=True)
class ModelPlan:
    """What to time: a model's name or file, (H, W) of the camera, backends, repetitions, CPU threads."""

    model: str
    size: tuple[int, int]
    backends: tuple[str, ...]
    runs: int = 50
    threads: int = 0
    untrained: bool = True


@dataclass(frozen=True)
class _Runs:
    """Milliseconds of every repetition of one backend."""

    end_to_end: Timings
    network: Timings
    around: Timings
    without_masks: Timings


def run_model_bench(plan: ModelPlan, progress: Callable[..., Any]) -> dict[str, Any]:
    """Time the backends in turns, so that what else the machine does hits all of them.

    ``progress`` wraps an iterable (what, total). Raises UserError where a backend cannot run the model.
    """
    threads = plan.threads or usable_cores()
    predictors = {
        name: Predictor(plan.model, backend=name, untrained=plan.untrained, threads=threads)
        for name in plan.backends
    }
    frame = make_frame(plan.size)
    predictions = {name: predictor(frame) for name, predictor in predictors.items()}
    runs = _time(predictors, frame, plan.runs, progress)
    first = next(iter(predictors.values()))
    name = first.model_id.rpartition("-")[0]
    peak = sgemm_gflops()
    gflop = network_gflop(name, plan.size)
    for predictor in predictors.values():
        predictor.close()
    differences = [_difference(a, b) for a in predictions.values() for b in predictions.values()]
    return {
        "model": plan.model,
        "model_id": first.model_id,
        "size": list(plan.size),
        "stride": first.stride(plan.size),
        "processor": processor_name(),
        "threads": threads,
        "runs": plan.runs,
        "backends": {backend: _summary(timed, gflop, peak) for backend, timed in runs.items()},
        "max_abs_difference": max(difference[0] for difference in differences),
        "labels_equal": min(difference[1] for difference in differences),
        "peak_gflops": peak,
        "network_gflop": gflop,
        "published_fps": published_fps(name),
        "not_measured": ["NVIDIA Jetson AGX Orin"],
    }


def network_gflop(name: str, size: tuple[int, int]) -> float | None:
    """Arithmetic of the plain network for one frame, 2 for each multiply-accumulate; None without torch."""
    if not is_installed("torch"):
        return None
    import torch

    from rgbd_perception.inference.preprocess import downscale_factor
    from rgbd_perception.models import create_model
    from rgbd_perception.models.measure import measure

    with torch.device("meta"):
        config = create_model(name).config
    factor, multiple = downscale_factor(size, config.input_size), config.input_multiple
    height, width = (-(-side // (factor * multiple)) * multiple for side in size)
    return round(2 * measure(name, (height, width)).gmac, 3)


def published_fps(name: str) -> list[dict[str, Any]]:
    """Frames per second that the network's authors report: theirs, not measured by us."""
    figures = PUBLISHED[name].figures
    return [
        {"device": figure.data, "fps": figure.value, "source": figure.source}
        for figure in figures
        if figure.metric == "frames per second"
    ]


def make_frame(size: tuple[int, int]) -> RgbdFrame:
    """Smooth patches with holes in depth: a made-up image that costs what one of a room does."""
    rng = np.random.default_rng(0)
    height, width = size
    coarse = -(-height // PATCH), -(-width // PATCH)
    color = cv2.resize(rng.integers(0, 256, (*coarse, 3), dtype=np.uint8), (width, height))
    depth = cv2.resize(rng.uniform(0.5, 4.0, coarse).astype(np.float32), (width, height))
    depth[rng.random(size) < 0.1] = 0
    camera = CameraIntrinsics(width, width, width / 2, height / 2, width, height)
    return RgbdFrame(np.asarray(color, np.uint8), np.asarray(depth, np.float32), camera)


def table(result: Mapping[str, Any]) -> Sequence[str]:
    """For people."""
    height, width = result["size"]
    lines = [
        f"{result['model_id']}, {height}x{width}, {result['processor']}, {result['threads']} threads",
        f"{'':12} {'network ms':>20} {'frame to masks ms':>22} {'frames/s':>9} {'GFLOP/s':>8} {'of peak':>8}",
        f"{'':12} {'median (p95)':>20} {'median (p95)':>22}",
    ]
    for name, timed in result["backends"].items():
        network = f"{timed['network_ms']:.1f} ({timed['network_p95_ms']:.1f})"
        whole = f"{timed['end_to_end_ms']:.1f} ({timed['end_to_end_p95_ms']:.1f})"
        rate = "-" if timed["gflops"] is None else f"{timed['gflops']:.0f}"
        share = "-" if timed["fraction_of_peak"] is None else f"{timed['fraction_of_peak']:.0%}"
        lines.append(f"{name:12} {network:>20} {whole:>22} {timed['fps']:9.1f} {rate:>8} {share:>8}")
    lines.append(f"largest difference of class probabilities: {result['max_abs_difference']:.1e}")
    lines.append(f"peak here, a float32 matrix product in the same run: {result['peak_gflops']} GFLOP/s")
    lines += [
        f"the authors' figure for {figure['device']}: {figure['fps']} frames/s ({figure['source']}); not ours"
        for figure in result["published_fps"]
    ]
    lines.append(f"not measured: {', '.join(result['not_measured'])}")
    return lines


def _time(
    predictors: Mapping[str, Predictor], frame: RgbdFrame, runs: int, progress: Callable[..., Any]
) -> dict[str, _Runs]:
    found: dict[str, dict[str, list[float]]] = {
        name: {"end_to_end": [], "network": [], "around": [], "without_masks": []} for name in predictors
    }
    for run in progress(range(-WARM_UP, runs), "timing", runs + WARM_UP):
        for name, predictor in predictors.items():
            results: list[Prediction] = []
            whole = milliseconds_of(lambda p=predictor, r=results: r.append(p(frame)))  # type: ignore[misc]
            grid = milliseconds_of(lambda p=predictor: p(frame, masks=False))  # type: ignore[misc]
            if run < 0:
                continue
            steps = results[0].step_ms
            times = (whole, steps["network"], sum(steps[step] for step in STEPS_AROUND), grid)
            for list_, value in zip(found[name].values(), times, strict=True):
                list_.append(value)
    return {
        name: _Runs(*(Timings(tuple(values)) for values in lists.values())) for name, lists in found.items()
    }


def _summary(runs: _Runs, gflop: float | None, peak: float) -> dict[str, Any]:
    rate = None if gflop is None else gflop / runs.network.p50 * 1e3
    return {
        "network_ms": runs.network.p50,
        "network_p95_ms": runs.network.percentile(95),
        "network_best_ms": round(runs.network.best, 3),
        "end_to_end_ms": runs.end_to_end.p50,
        "end_to_end_p95_ms": runs.end_to_end.percentile(95),
        "end_to_end_best_ms": round(runs.end_to_end.best, 3),
        "without_masks_ms": runs.without_masks.p50,
        "around_ms": runs.around.p50,
        "fps": round(1e3 / runs.end_to_end.p50, 2),
        "gflops": None if rate is None else round(rate, 1),
        "fraction_of_peak": None if rate is None else round(rate / peak, 3),
    }


def _difference(a: Prediction, b: Prediction) -> tuple[float, float]:
    """Largest difference of confidences; share of equal labels."""
    confidence = np.abs(a.cell_confidence - b.cell_confidence).max()
    return float(confidence), float((a.cell_labels == b.cell_labels).mean())
