"""Scoring a network on views of held-out apartments: by text and by linear probe, with and without depth."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from rgbd_perception.models.network import Network
from rgbd_perception.training.losses import cosine_logits
from rgbd_perception.training.metrics import Confusion
from rgbd_perception.training.probe import fit_probe, probe_logits
from rgbd_perception.training.shards import Shard, View
from rgbd_perception.training.view_outputs import (
    ALL_MODALITIES,
    BOTH,
    Modalities,
    embed_view,
    full_size_labels,
    label_image,
)


def evaluate_model(
    model: Network,
    test: Sequence[Shard],
    class_embeddings: NDArray[np.float32],
    *,
    train: Sequence[Shard] = (),
    probe_views: int = 400,
    max_views: int | None = None,
) -> dict[str, Any]:
    """Scores by kind of input: masks by text for each of them and, where ``train`` is given, by linear probe.

    Class logits are interpolated to the size of the view before the arg-max, as in the published evaluation.
    """
    names = test[0].info.class_names
    classes = torch.from_numpy(class_embeddings)
    probe = fit_probe(model, train, len(names), probe_views) if train else None
    result: dict[str, Any] = {"views": sum(1 for _ in _views(test, max_views)), "by_text": {}}
    for modalities in ALL_MODALITIES:
        by_text, by_probe = Confusion(len(names)), Confusion(len(names))
        for shard, view in _progress(_views(test, max_views), modalities, result["views"]):
            truth, shape = label_image(shard, view), (view.depth.shape[0], view.depth.shape[1])
            embedding = embed_view(model, view, modalities)
            stride = model.config.stride
            by_text.add(truth, full_size_labels(cosine_logits(embedding, classes), shape, stride))
            if probe is not None and modalities == BOTH:
                by_probe.add(truth, full_size_labels(probe_logits(embedding, probe), shape, stride))
        result["by_text"][modalities.name] = by_text.scores(names).as_json()
        if probe is not None and modalities == BOTH:
            result["by_linear_probe"] = by_probe.scores(names).as_json()
    return result


def _views(shards: Sequence[Shard], max_views: int | None) -> Iterator[tuple[Shard, View]]:
    """All views, or ``max_views`` evenly spread ones."""
    places = [(shard, index) for shard in shards for index in range(len(shard))]
    if max_views is not None and max_views < len(places):
        places = [places[int(place)] for place in np.linspace(0, len(places) - 1, max_views)]
    for shard, index in places:
        yield shard, shard.view(index)


def _progress(
    views: Iterator[tuple[Shard, View]], modalities: Modalities, total: int
) -> Iterator[tuple[Shard, View]]:
    from tqdm import tqdm

    yield from tqdm(views, total=total, desc=modalities.name.replace("_", " "), unit="view", disable=None)
