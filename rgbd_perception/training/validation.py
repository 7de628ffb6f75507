"""Mean IoU of a network on labelled views, as the published networks are judged."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from rgbd_perception.models.network import Network
from rgbd_perception.training.datasets.views import LabelledView, LabelledViews
from rgbd_perception.training.losses.semantic import at_size_of
from rgbd_perception.training.metrics import Confusion, MeanOver, SegmentationScores
from rgbd_perception.training.view_batches import stack_views
from rgbd_perception.training.view_geometry import resize_view
from rgbd_perception.training.view_objectives import extra_images, predict

MULTIPLE = 32


def score_views(
    network: Network,
    views: LabelledViews,
    *,
    limit: int = 0,
    short_side: int = 0,
    over: MeanOver = "labelled",
) -> SegmentationScores:
    """Scores of the class scores of ``network`` (of the ensemble, where there are two streams).

    One view at a time, no flips. ``limit`` views, evenly spread (0: all). ``short_side``: images and labels
    are resized so that it has this length, then each side up to a multiple of 32 (0: their own size). Class
    scores are interpolated bilinearly.
    """
    from tqdm import tqdm

    count = len(views)
    chosen = np.linspace(0, count - 1, min(limit, count)).astype(int) if limit else range(count)
    confusion = Confusion(len(views.info.classes))
    device = next(network.parameters()).device
    was_training = network.training
    network.eval()
    for index in tqdm(chosen, desc="scoring", unit="view", delay=2, disable=None, leave=False):
        view = views.view(int(index))
        confusion.add(*_labels(network, resized(view, short_side), device))
    network.train(was_training)
    return confusion.scores(views.info.classes, over)


def resized(view: LabelledView, short_side: int) -> LabelledView:
    """As GeminiFusion's evaluation resizes, in one step; nearest for depth and labels."""
    if not short_side:
        return view
    factor = short_side / min(view.shape)
    height, width = (-(-round(side * factor) // MULTIPLE) * MULTIPLE for side in view.shape)
    return view if (height, width) == view.shape else resize_view(view, (height, width))


@torch.inference_mode()
def _labels(
    network: Network, view: LabelledView, device: torch.device
) -> tuple[NDArray[np.integer], NDArray[np.integer]]:
    """Truth and prediction (H, W)."""
    batch = stack_views([view], extra_images(network))
    batch = batch._replace(
        color=batch.color.to(device),
        depth=batch.depth.to(device),
        extras=tuple(extra.to(device) for extra in batch.extras),
    )
    logits = predict(network, batch).logits
    assert logits is not None
    found = at_size_of(logits.float(), batch.labels).argmax(dim=1)[0].cpu().numpy()
    return view.semantic, found
