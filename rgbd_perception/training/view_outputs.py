"""What a network says about rendered views, at full size and without augmentation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from rgbd_perception.inference.embedding_classes import class_logits
from rgbd_perception.inference.preprocess import normalize, pad_to_multiple
from rgbd_perception.models.network import Network
from rgbd_perception.training.shards import Shard, View


@dataclass(frozen=True)
class Modalities:
    """Which images the network gets; a missing color image is black, missing depth is all holes."""

    name: str
    color: bool = True
    depth: bool = True


BOTH = Modalities("color_and_depth")
ALL_MODALITIES = (BOTH, Modalities("color_only", depth=False), Modalities("depth_only", color=False))


@torch.inference_mode()
def embed_view(model: Network, view: View, modalities: Modalities) -> Tensor:
    """Embeddings (1, D, h, w) of one view, not normalised."""
    config = model.config
    color = torch.from_numpy(np.array(view.color))[None]
    depth = torch.from_numpy(view.depth.astype(np.float32) / 1000.0)[None]
    inputs = normalize(
        color if modalities.color else torch.zeros_like(color),
        depth if modalities.depth else torch.zeros_like(depth),
        config.depth_mean,
        config.depth_std,
    )
    padded = [pad_to_multiple(tensor, config.input_multiple) for tensor in inputs]
    height, width = (-(-size // config.stride) for size in view.depth.shape)
    return model(*padded).embedding[:, :, :height, :width]


@torch.inference_mode()
def class_cosines(model: Network, view: View, classes: Tensor, modalities: Modalities) -> Tensor:
    """Cosines (1, C, h, w) to the unit rows ``classes`` (C, D)."""
    return class_logits(embed_view(model, view, modalities), classes)


def label_image(shard: Shard, view: View) -> NDArray[np.int64]:
    """Class ids (H, W), -1 where there is none."""
    return np.concatenate(([-1], shard.classes.astype(np.int64)))[view.rows]


def full_size_labels(logits: Tensor, shape: tuple[int, int], stride: int) -> NDArray[np.int64]:
    """Arg-max (H, W) of class logits (1, C, h, w), interpolated to the size of the image."""
    height, width = logits.shape[2] * stride, logits.shape[3] * stride
    full = F.interpolate(logits, size=(height, width), mode="bilinear", align_corners=False)
    return full.argmax(dim=1)[0, : shape[0], : shape[1]].numpy()
