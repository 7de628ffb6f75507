"""Whether a network of each family can learn four labelled images by heart: share of right pixels.

    python benchmarks/overfit_four.py FOLDER [--families geminifusion ...] [--steps 300]

FOLDER has color/, depth/ (16 bit millimetres) and label40/ (0 = void, 1..40) with equal file names. Two
windows of each of the first two images are written as a data set of a user's own, and trained on through the
ordinary loop without augmentation. The network is the smallest of its family; those of EMSAFormer and
DVEFormer have the small backbone of rgbd_mini. DVEFormer's teacher says one random vector for each class.

A network that answers in cells of 4 x 4 pixels is taught one pixel of each, so there is a limit to what it
can learn: what right cells make of the labels, when they are interpolated. It stands beside the result
("limit"); such a network gets larger windows, whose limit is higher.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch.nn import functional as F

from rgbd_perception.models import create_model
from rgbd_perception.models.class_names import class_names
from rgbd_perception.models.dveformer import DVEFORMER_CONFIGS
from rgbd_perception.training.datasets.views import LabelledViews
from rgbd_perception.training.launch import make_fabric
from rgbd_perception.training.recipe import (
    Adamw,
    CrossEntropy,
    DataSetConfig,
    Distillation,
    GroupConfig,
    Recipe,
    TwoHeads,
)
from rgbd_perception.training.teacher.base import Lesson
from rgbd_perception.training.teacher.segments import ids_in, segment_ids
from rgbd_perception.training.teacher.storage import EmbeddingStore, spectrum
from rgbd_perception.training.validation import score_views
from rgbd_perception.training.view_batches import stack_views
from rgbd_perception.training.view_objectives import predict
from rgbd_perception.training.view_training import make_view_trainer, open_mixture

WINDOWS = ((60, 40), (200, 260))
"""Top left corners of the windows of an image."""

SIZE, SHRUNK, SHRUNK_FOR_CELLS = (240, 360), (64, 96), (160, 240)
"""Of a window in the image, of what is trained on, and of that where the output is coarser than the input."""

TEACHER = "random"
SMALL_SWIN = DVEFORMER_CONFIGS["rgbd_mini"].backbone
SMALL = {"backbone": replace(SMALL_SWIN, drop_path=0.0), "fused": 96, "dropout": 0.0}
FROZEN_ALPHA = (GroupConfig(names="^alpha$", frozen=True),)
QUIET: dict[str, Any] = {"drop_path": 0.0}

FAMILIES: dict[str, Recipe] = {
    "geminifusion": Recipe(model="geminifusion_mit_b0", settings=QUIET, loss=TwoHeads(), groups=FROZEN_ALPHA),
    "diffpixelformer": Recipe(
        model="diffpixelformer_mit_b0",
        settings={**QUIET, "mode": "paper"},
        loss=TwoHeads(),
        groups=FROZEN_ALPHA,
    ),
    "tokenfusion": Recipe(
        model="tokenfusion_mit_b2", settings=QUIET, loss=TwoHeads(token_scores=1e-6), groups=FROZEN_ALPHA
    ),
    "emsaformer": Recipe(model="emsaformer_semantic_mlp", settings=SMALL, loss=CrossEntropy()),
    "dveformer": Recipe(
        model="dveformer_fullres", settings={**SMALL, "embedding_dim": 64}, loss=Distillation()
    ),
    "dveformer_reduced": Recipe(
        model="dveformer_reducedres",
        settings={**SMALL, "embedding_dim": 64},
        loss=Distillation(cells="centre"),
    ),
}


def main() -> None:
    """One line for each family; the last is JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--families", nargs="+", choices=list(FAMILIES), default=list(FAMILIES))
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--rate", type=float, default=5e-4)
    arguments = parser.parse_args()
    results = {}
    for family in arguments.families:
        with tempfile.TemporaryDirectory() as folder:
            results[family] = overfit(
                FAMILIES[family], arguments.folder, Path(folder), arguments.steps, arguments.rate
            )
        print(family, results[family], flush=True)
    print(json.dumps(results))


def overfit(recipe: Recipe, images: Path, work: Path, steps: int, rate: float) -> dict[str, float]:
    """Train on the four windows; ``accuracy`` of their labelled pixels, and how long it took."""
    torch.manual_seed(0)
    stride = create_model(recipe.model, **recipe.settings).config.stride
    distils = isinstance(recipe.loss, Distillation)
    coarse = distils and stride > 1
    write_windows(images, work / "four", SHRUNK_FOR_CELLS if coarse else SHRUNK)
    recipe = replace(
        recipe,
        data=(DataSetConfig("four", "all", teacher=TEACHER if distils else ""),),
        batch=4,
        steps=steps,
        threads=1,
        log_seconds=30.0,
        device="auto",
        optimizer=Adamw(rate=rate),
    )
    rows = class_rows(64)
    if distils:
        write_lessons(replace(recipe, data=(DataSetConfig("four", "all"),)), work, rows)
    trainer = make_view_trainer(make_fabric(recipe), recipe, work, work / "run")
    began = time.monotonic()
    trainer.run()
    seconds = time.monotonic() - began
    views = open_mixture(recipe, work)
    network: Any = trainer.network.eval()
    accuracy = embedding_accuracy(network, views, rows) if distils else score_views(network, views).accuracy
    result = {"accuracy": round(accuracy, 4), "steps": steps, "seconds": round(seconds, 1)}
    if coarse:
        result["limit"] = round(best_of_cells(views, recipe.loss.cells, stride), 4)
    return result


def write_windows(images: Path, folder: Path, size: tuple[int, int]) -> None:
    """The four windows, reduced to ``size``, as a folder of a user's own; labels 0-based with 255 = none."""
    for kind in ("color", "depth", "label"):
        (folder / kind).mkdir(parents=True)
    (folder / "classes.txt").write_text("\n".join(class_names(40)) + "\n")
    for path in sorted((images / "color").glob("*.png"))[:2]:
        for number, (top, left) in enumerate(WINDOWS):
            cut = (slice(top, top + SIZE[0]), slice(left, left + SIZE[1]))
            label = cv2.imread(str(images / "label40" / path.name), cv2.IMREAD_UNCHANGED)[cut]
            shown = {
                "color": cv2.resize(cv2.imread(str(path))[cut], size[::-1], interpolation=cv2.INTER_AREA),
                "depth": _nearest(
                    cv2.imread(str(images / "depth" / path.name), cv2.IMREAD_UNCHANGED)[cut], size
                ),
                "label": _nearest(label - np.uint8(1), size),
            }
            for kind, image in shown.items():
                cv2.imwrite(str(folder / kind / f"{path.stem}_{number}.png"), image)


def _nearest(image: Any, size: tuple[int, int]) -> Any:
    return cv2.resize(image, size[::-1], interpolation=cv2.INTER_NEAREST)


def class_rows(dim: int) -> np.ndarray:
    """(40, dim) random unit rows."""
    rows = np.random.default_rng(0).standard_normal((40, dim)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def write_lessons(recipe: Recipe, work: Path, rows: np.ndarray) -> None:
    """What the teacher says about each segment: the row of its class."""
    views = open_mixture(recipe, work).parts[0].views
    store = EmbeddingStore(work / "four", TEACHER, spectrum(views.info))
    for index in range(len(views)):
        view = views.view(index)
        ids = ids_in(segment_ids(view, views.info.things))
        store.write(views.info.split, view.name, Lesson(ids, rows[(ids >> 16) - 1]))


@torch.inference_mode()
def embedding_accuracy(network: Any, views: LabelledViews, rows: np.ndarray) -> float:
    """Share of labelled pixels whose embedding is nearest to the row of their class."""
    right = total = 0
    device = next(network.parameters()).device
    for index in range(len(views)):
        view = views.view(index)
        batch = stack_views([view], ())
        batch = batch._replace(color=batch.color.to(device), depth=batch.depth.to(device))
        embedding = predict(network, batch).embedding
        assert embedding is not None
        scores = torch.einsum("cd,bdhw->bchw", torch.from_numpy(rows).to(embedding), embedding)
        found = F.interpolate(scores, view.shape, mode="bilinear").argmax(dim=1)[0].cpu().numpy()
        right += int((found == view.semantic)[view.semantic >= 0].sum())
        total += int((view.semantic >= 0).sum())
    return right / total


def best_of_cells(views: LabelledViews, cells: str, stride: int) -> float:
    """Share of labelled pixels that are right where each cell says the class of the pixel that teaches it."""
    right = total = 0
    first = stride // 2 if cells == "centre" else 0
    for index in range(len(views)):
        truth = torch.from_numpy(views.view(index).semantic.astype(np.int64))
        taught = F.one_hot(truth[first::stride, first::stride] + 1)[..., 1:]
        scores = taught.permute(2, 0, 1)[None].float()
        found = F.interpolate(scores, tuple(truth.shape), mode="bilinear").argmax(dim=1)[0]
        right += int((found == truth)[truth >= 0].sum())
        total += int((truth >= 0).sum())
    return right / total


if __name__ == "__main__":
    main()
