"""What an exported graph computes: a network with the work before and after it, from images to predictions.

Inputs are what a camera gives at the network's resolution; outputs what a map wants. The graph is for one
size of image; everything in it is static but, where wanted, the number of classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from rgbd_perception.inference.graph_parts import SHORTEST, compare_narrow, has_narrow_head, replace_pools
from rgbd_perception.inference.preprocess import MAX_DEPTH, RGB_MEAN, RGB_STD, pad_to_multiple
from rgbd_perception.models.network import Network

DepthEncoding = Literal["metres", "millimetres"]
"""Float32 metres (H, W); or bytes of 16 bit millimetres (H, W, 2), low one first: TensorRT has no uint16."""

METRES_OF_A_UNIT = 0.001


class GridScores(NamedTuple):
    """Of the cells of the grid: ids (h, w) int32, confidence (h, w) and log-probabilities (h, w, K)."""

    labels: Tensor
    confidence: Tensor
    log_probability: Tensor


class FrameGraph(nn.Module):
    """``network`` behind the normalisation and before the classes; frames of ``size`` (H, W).

    ``half``: the network computes in float16; everything around it stays in float32.
    """

    def __init__(self, network: Network, size: tuple[int, int], depth: DepthEncoding, half: bool) -> None:
        super().__init__()
        self.network: Any = network
        self.depth, self.half_precision = depth, half
        stride = network.config.stride
        self.grid = -(-size[0] // stride), -(-size[1] // stride)
        self.narrow = has_narrow_head(network)
        replace_pools(network)

    def forward(self, color: Tensor, depth: Tensor, *classes: Tensor) -> tuple[Tensor, ...]:
        """Color (H, W, 3) uint8, depth -> labels, confidence, log-probabilities of the cells.

        A network with embeddings takes the rows (K, D) that unit embeddings are multiplied with, times the
        temperature, and an offset (K,) of the logits; it gives the unit embeddings (h, w, D) float16 too.
        """
        inputs = self._inputs(color, depth)
        if not self.network.has_embeddings:
            return tuple(_narrow(grid_scores(self._cells(self.network(*inputs).logits))))
        matrix, offset = classes
        if not self.narrow:
            rows = self._cells(self.network(*inputs).embedding)
            inverse = 1.0 / rows.norm(dim=-1, keepdim=True).clamp_min(SHORTEST)
            scores = grid_scores((rows @ matrix.T) * inverse + offset)
            return *_narrow(scores), (rows * inverse).half()
        features = self._cells(self.network.features(*inputs))
        weight, bias = (parameter.float() for parameter in self.network.decoder.head_matrix())
        unit, logits = compare_narrow(features, weight, bias, matrix)
        return *_narrow(grid_scores(logits + offset)), unit.half()

    def _cells(self, maps: Tensor) -> Tensor:
        """Outputs of the network (1, C, h', w') -> (h, w, C) float32, without what was padded."""
        height, width = self.grid
        return maps.permute(0, 2, 3, 1).squeeze(0)[:height, :width].float()

    def _planes(self, color: Tensor) -> Tensor:
        """(H, W, 3) uint8 -> (3, H, W) float32; cast first, for TensorRT computes with no bytes."""
        return color.float().permute(2, 0, 1)

    def _inputs(self, color: Tensor, depth: Tensor) -> Sequence[Tensor]:
        config = self.network.config
        metres = decode_millimetres(depth) if self.depth == "millimetres" else depth
        known = (metres > 0) & (metres <= MAX_DEPTH)
        normed = torch.where(known, (metres - config.depth_mean) / config.depth_std, 0.0)
        inputs = (
            normalize_color(self._planes(color)).unsqueeze(0),
            normed.unsqueeze(0).unsqueeze(0),
        )
        padded = (pad_to_multiple(x, config.input_multiple, self.network.min_size) for x in inputs)
        return [x.half() if self.half_precision else x for x in padded]


def normalize_color(color: Tensor) -> Tensor:
    """(3, H, W) in 0..255 -> as ``preprocess.normalize``."""
    mean = torch.tensor([255.0 * value for value in RGB_MEAN]).view(3, 1, 1)
    scale = torch.tensor([1.0 / (255.0 * value) for value in RGB_STD]).view(3, 1, 1)
    return (color - mean) * scale


def decode_millimetres(depth: Tensor) -> Tensor:
    """(H, W, 2) uint8, the low byte first -> (H, W) float32 metres."""
    low, high = depth.float().unbind(dim=-1)
    return (low + 256.0 * high) * METRES_OF_A_UNIT


def grid_scores(logits: Tensor) -> GridScores:
    """Scores of logits (h, w, K). Where one is NaN, the confidence is NaN too."""
    log_probability = F.log_softmax(logits, dim=-1)
    best = log_probability.amax(dim=-1)
    return GridScores(logits.argmax(dim=-1).int(), best.exp(), log_probability)


def _narrow(scores: GridScores) -> GridScores:
    """With float16 log-probabilities: by far the most of what crosses a bus beside the embeddings.

    Masks are the same but for pixels where two classes are equal to three digits.
    """
    return scores._replace(log_probability=scores.log_probability.half())


def padded_size(network: Network, size: tuple[int, int]) -> tuple[int, int]:
    """(H, W) of what the network gets for images of ``size``."""
    multiple = network.config.input_multiple
    height, width = (-(-max(side, network.min_size) // multiple) * multiple for side in size)
    return height, width
