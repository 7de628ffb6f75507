"""Mean IoU of a network on labelled views, as the published networks are judged."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from rgbd_perception.models.network import Network
from rgbd_perception.training.datasets.views import LabelledView, LabelledViews
from rgbd_perception.training.losses.semantic import Interpolation, at_size
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
    input_size: tuple[int, int] | None = None,
    interpolation: Interpolation = "bilinear",
    over: MeanOver = "labelled",
) -> SegmentationScores:
    """Scores of the class scores of ``network`` (of the ensemble, where there are two streams).

    One view at a time, no flips. ``limit`` views, evenly spread (0: all). ``short_side``: images and labels
    are resized so that it has this length, then each side up to a multiple of 32 (0: their own size).
    ``input_size`` (H, W): what the network sees is resized to it, labels are not. Class scores are
    interpolated to the size of the labels.
    """
    from tqdm import tqdm

    count = len(views)
    chosen = np.linspace(0, count - 1, min(limit, count)).astype(int) if limit else range(count)
    confusion = Confusion(len(views.info.classes))
    device = next(network.parameters()).device
    was_training = network.training
    network.eval()
    for index in tqdm(chosen, desc="scoring", unit="view", delay=2, disable=None, leave=False):
        view = resized(views.view(int(index)), short_side)
        seen = view if input_size is None else resize_view(view, input_size)
        confusion.add(view.semantic, _labels(network, seen, view.shape, interpolation, device))
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
    network: Network,
    view: LabelledView,
    shape: tuple[int, int],
    interpolation: Interpolation,
    device: torch.device,
) -> NDArray[np.integer]:
    """What ``network`` says about ``view``: classes of ``shape`` (H, W)."""
    batch = stack_views([view], extra_images(network))
    batch = batch._replace(
        color=batch.color.to(device),
        depth=batch.depth.to(device),
        extras=tuple(extra.to(device) for extra in batch.extras),
    )
    logits = predict(network, batch).logits
    assert logits is not None
    full = at_size(logits.float(), shape, interpolation)
    return full.argmax(dim=1)[0].cpu().numpy()
