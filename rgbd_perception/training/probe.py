"""How much about the classes is in the embeddings, whatever their text says: visual means and linear probe.

After DVEFormer (arXiv:2601.00359), quick: some cells of rendered views, embedded once. The network stays as
it is, in evaluation mode. The probe is one bias-free linear map on unit embeddings, initialised with the
class means of the training views and trained with cross-entropy. ``linear_probe`` has the published protocol.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from rgbd_perception.inference.embedding_classes import VisualMeans
from rgbd_perception.models.network import Network
from rgbd_perception.training.shards import Shard
from rgbd_perception.training.view_outputs import embed_view, label_image

SAMPLES_PER_CLASS_AND_VIEW = 40
SCALE = 20.0
"""Unit rows and unit embeddings give cosines; the scale lets their softmax become sharp."""


class Samples(NamedTuple):
    """Cells of the training views: unit embeddings (N, D) and class ids (N,)."""

    features: Tensor
    labels: Tensor


def visual_means(samples: Samples, text_embeddings: Tensor) -> Tensor:
    """Unit rows (C, D): where the embeddings of a class lie; without a sample, its text's (C, D)."""
    means = VisualMeans(*text_embeddings.shape)
    # What a network says needs no correction by the whole image: that is for the embeddings of a teacher.
    means.add(samples.labels, samples.features, torch.zeros(samples.features.shape[1]))
    return means.rows(text_embeddings, diff_factor=0.0)


def fit_probe(samples: Samples, classes: int, steps: int = 400) -> Tensor:
    """Weights (C, D) of a linear probe."""
    features, labels = samples
    weights = torch.zeros(classes, features.shape[1])
    weights.index_add_(0, labels, features)
    weights = (SCALE * F.normalize(weights, dim=1)).requires_grad_(True)
    optimizer = torch.optim.AdamW([weights], lr=0.05, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.05, total_steps=steps)
    generator = torch.Generator().manual_seed(0)
    for _ in range(steps):
        batch = torch.randint(len(labels), (4096,), generator=generator)
        loss = F.cross_entropy(features[batch] @ weights.T, labels[batch])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    return weights.detach()


def collect_samples(model: Network, shards: Sequence[Shard], views: int) -> Samples:
    """Random cells of about ``views`` views, at most so many of a class in each view."""
    rng = np.random.default_rng(0)
    stride = model.config.stride
    every = max(1, sum(len(shard) for shard in shards) // views)
    features, labels = [], []
    for shard in shards:
        for index in range(0, len(shard), every):
            view = shard.view(index)
            truth = label_image(shard, view)[stride // 2 :: stride, stride // 2 :: stride].ravel()
            cells = [
                rng.permutation(np.flatnonzero(truth == label))[:SAMPLES_PER_CLASS_AND_VIEW]
                for label in np.unique(truth[truth >= 0])
            ]
            chosen = np.concatenate(cells) if cells else np.zeros(0, np.int64)
            unit = F.normalize(embed_view(model, view), dim=1).flatten(2)[0].T
            features.append(unit[chosen])
            labels.append(torch.from_numpy(truth[chosen]))
    return Samples(torch.cat(features), torch.cat(labels))
