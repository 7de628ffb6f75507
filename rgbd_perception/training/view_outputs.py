"""What a network says about rendered views, at full size and without augmentation."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from rgbd_perception.errors import UserError
from rgbd_perception.inference.embedding_classes import class_logits
from rgbd_perception.inference.preprocess import normalize, pad_to_multiple
from rgbd_perception.models import ModelOutput
from rgbd_perception.models.network import Network
from rgbd_perception.training.shards import Shard, View


def embed_view(model: Network, view: View) -> Tensor:
    """Embeddings (1, D, h, w) of one view, not normalised. Raises UserError for a network without."""
    output = run_on_view(model, view)
    if output.embedding is None:
        raise UserError("expected a network with embeddings, got one with a classifier of its own")
    return _grid_of_view(output.embedding, view, model.config.stride)


def class_scores(model: Network, view: View, classes: Tensor) -> Tensor:
    """Scores (1, C, h, w) of one view: those of the network's own classifier, else cosines to ``classes``.

    Raises UserError unless they are scores of as many classes as there are unit rows in ``classes`` (C, D).
    """
    output = run_on_view(model, view)
    if output.logits is None:
        assert output.embedding is not None  # a network has one or the other
        _check_equal("embeddings as long as those of the class names", len(classes[0]), output.embedding)
        scores = class_logits(output.embedding, classes)
    else:
        _check_equal("a classifier for the classes of the data", len(classes), output.logits)
        scores = output.logits
    return _grid_of_view(scores, view, model.config.stride)


@torch.inference_mode()
def run_on_view(model: Network, view: View) -> ModelOutput:
    """All outputs for one view, padded to a size that the network takes."""
    config = model.config
    inputs = normalize(
        torch.from_numpy(np.array(view.color))[None],
        torch.from_numpy(view.depth.astype(np.float32) / 1000.0)[None],
        config.depth_mean,
        config.depth_std,
    )
    return model(*(pad_to_multiple(tensor, config.input_multiple, model.min_size) for tensor in inputs))


def label_image(shard: Shard, view: View) -> NDArray[np.int64]:
    """Class ids (H, W), -1 where there is none."""
    return np.concatenate(([-1], shard.classes.astype(np.int64)))[view.rows]


def full_size_labels(logits: Tensor, shape: tuple[int, int], stride: int) -> NDArray[np.int64]:
    """Arg-max (H, W) of class logits (1, C, h, w), interpolated to the size of the image."""
    height, width = logits.shape[2] * stride, logits.shape[3] * stride
    full = F.interpolate(logits, size=(height, width), mode="bilinear", align_corners=False)
    return full.argmax(dim=1)[0, : shape[0], : shape[1]].numpy()


def _grid_of_view(maps: Tensor, view: View, stride: int) -> Tensor:
    """Without the cells of the padding."""
    height, width = (-(-size // stride) for size in view.depth.shape)
    return maps[:, :, :height, :width]


def _check_equal(what: str, wanted: int, maps: Tensor) -> None:
    if maps.shape[1] != wanted:
        raise UserError(f"expected a network with {what}, {wanted}, got one with {maps.shape[1]}")
