"""Scoring a network on views of held-out apartments, with and without depth."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rgbd_perception.inference.embedding_classes import class_logits
from rgbd_perception.models.network import Network
from rgbd_perception.training.corruptions import Corruption, ReplacedColor, ReplacedDepth, Unchanged
from rgbd_perception.training.metrics import Confusion
from rgbd_perception.training.probe import collect_samples, fit_probe, visual_means
from rgbd_perception.training.shards import Shard, View
from rgbd_perception.training.view_outputs import class_scores, embed_view, full_size_labels, label_image

VISUAL_MEANS = "by_visual_means"
LINEAR_PROBE = "by_linear_probe"

INPUTS: dict[str, Corruption] = {
    "color_and_depth": Unchanged(),
    "color_only": ReplacedDepth("holes"),
    "depth_only": ReplacedColor("black"),
}


def evaluate_model(
    model: Network,
    test: Sequence[Shard],
    class_embeddings: NDArray[np.float32],
    *,
    classifiers: Mapping[str, Tensor] | None = None,
    max_views: int | None = None,
) -> dict[str, Any]:
    """Scores by kind of input, and with color and depth those of ``classifiers``, rows (C, D) by name.

    A network with embeddings is scored ``by_text``, another ``by_classifier``. Class logits are interpolated
    to the size of the view before the arg-max, as in the published evaluation.
    """
    names = test[0].info.class_names
    places = spread_views(test, max_views)
    classes = torch.from_numpy(class_embeddings)
    by_input = {}
    for name, corruption in INPUTS.items():
        confusion = Confusion(len(names))
        for shard, view in _progress(places, name.replace("_", " ")):
            count_view(confusion, model, shard, view, corruption(view, 0), classes)
        by_input[name] = confusion.scores(names).as_json()
    way = "by_text" if model.has_embeddings else "by_classifier"
    result: dict[str, Any] = {"views": len(places), way: by_input}
    if classifiers:
        result |= _score_rows(model, places, classifiers, names)
    return result


def fit_classifiers(
    model: Network, train: Sequence[Shard], class_embeddings: NDArray[np.float32], views: int = 400
) -> dict[str, Tensor]:
    """Rows (C, D) ``by_visual_means`` and ``by_linear_probe`` from about ``views`` views."""
    samples = collect_samples(model, train, views)
    return {
        VISUAL_MEANS: visual_means(samples, torch.from_numpy(class_embeddings)),
        LINEAR_PROBE: fit_probe(samples, len(class_embeddings)),
    }


def count_view(
    confusion: Confusion, model: Network, shard: Shard, view: View, seen: View, classes: Tensor
) -> None:
    """Add what ``model`` says about ``seen`` to the counts, against the labels of ``view``."""
    labels = full_size_labels(class_scores(model, seen, classes), _shape(view), model.config.stride)
    confusion.add(label_image(shard, view), labels)


def spread_views(shards: Sequence[Shard], max_views: int | None) -> list[tuple[Shard, int]]:
    """Places of all views, or of ``max_views`` evenly spread ones."""
    places = [(shard, index) for shard in shards for index in range(len(shard))]
    if max_views is not None and max_views < len(places):
        places = [places[int(place)] for place in np.linspace(0, len(places) - 1, max_views)]
    return places


def _score_rows(
    model: Network, places: Sequence[tuple[Shard, int]], rows: Mapping[str, Tensor], names: Sequence[str]
) -> dict[str, Any]:
    """Scores by the name of ``rows`` (C, D), with color and depth."""
    confusions = {name: Confusion(len(names)) for name in rows}
    for shard, view in _progress(places, "probes"):
        embedding, truth = embed_view(model, view), label_image(shard, view)
        for name, confusion in confusions.items():
            logits = class_logits(embedding, rows[name])
            confusion.add(truth, full_size_labels(logits, _shape(view), model.config.stride))
    return {name: confusion.scores(names).as_json() for name, confusion in confusions.items()}


def _progress(places: Sequence[tuple[Shard, int]], text: str) -> Iterator[tuple[Shard, View]]:
    from tqdm import tqdm

    for shard, index in tqdm(places, desc=text, unit="view", delay=2, disable=None):
        yield shard, shard.view(index)


def _shape(view: View) -> tuple[int, int]:
    return view.depth.shape[0], view.depth.shape[1]
