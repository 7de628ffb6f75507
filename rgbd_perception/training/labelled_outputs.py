"""What a network with embeddings says about labelled views of any size, by the published protocol.

The input is the whole view at the network's size (its aspect ratio is not kept); class logits, not
embeddings, are interpolated to the size of the labels.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import NamedTuple, TypeVar

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from rgbd_perception.errors import UserError
from rgbd_perception.inference.embedding_classes import class_logits
from rgbd_perception.inference.preprocess import normalize, pad_to_multiple
from rgbd_perception.models.network import Network
from rgbd_perception.training.datasets.views import LabelledView
from rgbd_perception.training.metrics import Confusion
from rgbd_perception.training.view_geometry import resize_view

Way = TypeVar("Way", bound=Hashable)


class DepthStatistics(NamedTuple):
    """Mean and deviation in metres that depth is normalised with."""

    mean: float
    std: float


def embed_views(model: Network, views: Sequence[LabelledView], depth: DepthStatistics) -> Tensor:
    """Embeddings (B, D, h, w), not normalised, of views of one size. A view without depth has none (0)."""
    device = next(model.parameters()).device
    color = torch.from_numpy(np.stack([view.color for view in views])).to(device)
    metres = [np.zeros(view.shape, np.float32) if view.depth is None else view.depth for view in views]
    inputs = normalize(color, torch.from_numpy(np.stack(metres)).to(device), *depth)
    config = model.config
    padded = (pad_to_multiple(tensor, config.input_multiple, model.min_size) for tensor in inputs)
    embedding = model(*padded).embedding
    if embedding is None:
        raise UserError("expected a network with embeddings, got one with a classifier of its own")
    height, width = (-(-side // config.stride) for side in views[0].shape)
    return embedding[:, :, :height, :width]


@torch.inference_mode()
def score_rows(
    model: Network,
    views: Iterable[LabelledView],
    rows: Mapping[Way, Tensor],
    depth: DepthStatistics,
) -> dict[Way, Confusion]:
    """Counts of pixels for every way from embeddings to classes: what it is called and its rows (C, D).

    Raises UserError for rows of another length than the embeddings.
    """
    confusions = {way: Confusion(len(matrix)) for way, matrix in rows.items()}
    for view in views:
        embedding = embed_views(model, [resize_view(view, model.config.input_size)], depth)
        for way, matrix in rows.items():
            if matrix.shape[1] != embedding.shape[1]:
                raise UserError(
                    f"expected rows of {embedding.shape[1]} numbers for {way}, as the network's embeddings, "
                    f"got {matrix.shape[1]}"
                )
            logits = class_logits(embedding, matrix)
            full = F.interpolate(logits, size=view.shape, mode="bilinear", align_corners=False)
            confusions[way].add(view.semantic, full.argmax(dim=1)[0].cpu().numpy())
    return confusions
