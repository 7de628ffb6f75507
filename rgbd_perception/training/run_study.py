"""Scoring a network on corrupted views: how much each corruption costs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from rgbd_perception.models.network import Network
from rgbd_perception.training.corruptions import Unchanged
from rgbd_perception.training.evaluate import count_view, spread_views
from rgbd_perception.training.metrics import Confusion
from rgbd_perception.training.shards import Shard
from rgbd_perception.training.studies import Study


def run_study(
    model: Network,
    test: Sequence[Shard],
    class_embeddings: NDArray[np.float32],
    study: Study,
    max_views: int | None = None,
) -> dict[str, Any]:
    """Scores of the unchanged views (``clean``) and of every case, as the JSON has them.

    Embeddings are compared with the texts of the class names; other networks use their own classifier. The
    seed of a view is its place among the views: all cases see the same random pattern.
    """
    from tqdm import tqdm

    names = test[0].info.class_names
    places = spread_views(test, max_views)
    classes = torch.from_numpy(class_embeddings)
    corruptions = [Unchanged(), *(case.corruption for case in study.cases)]
    confusions = [Confusion(len(names)) for _ in corruptions]
    with tqdm(
        total=len(places) * len(corruptions), desc=study.name, unit="view", delay=2, disable=None
    ) as bar:
        for seed, (shard, index) in enumerate(places):
            view = shard.view(index)
            for corruption, confusion in zip(corruptions, confusions, strict=True):
                count_view(confusion, model, shard, view, corruption(view, seed), classes)
                bar.update()
    clean, *scores = (confusion.scores(names).as_json() for confusion in confusions)
    return {
        "study": study.name,
        "axis": study.axis,
        "views": len(places),
        "clean": clean,
        "cases": [
            {"series": case.series, "level": case.level, **score}
            for case, score in zip(study.cases, scores, strict=True)
        ],
    }
