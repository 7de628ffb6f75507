"""What an exported graph computes: a network with the work before and after it, from images to predictions.

Inputs are what a camera gives at the network's resolution; outputs what a map wants. The graph is for one
size of image; everything in it is static but, where wanted, the number of classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from rgbd_perception.inference.preprocess import MAX_DEPTH, normalize, pad_to_multiple
from rgbd_perception.models.network import Network

DepthEncoding = Literal["metres", "millimetres"]
"""Float32 metres (H, W); or bytes of 16 bit millimetres (H, W, 2), low one first: TensorRT has no uint16."""

METRES_OF_A_UNIT = 0.001
SHORTEST = 1e-6
"""Length below which an embedding is no direction: as in ``postprocess``."""


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
        self.network = network
        self.depth, self.half_precision = depth, half
        stride = network.config.stride
        self.grid = -(-size[0] // stride), -(-size[1] // stride)

    def forward(self, color: Tensor, depth: Tensor, *classes: Tensor) -> tuple[Tensor, ...]:
        """Color (H, W, 3) uint8, depth -> labels, confidence, log-probabilities of the cells.

        A network with embeddings takes the rows (K, D) that unit embeddings are multiplied with, times the
        temperature, and an offset (K,) of the logits; it gives the unit embeddings (h, w, D) float16 too.
        """
        output = self.network(*self._inputs(color, depth))
        height, width = self.grid
        if output.embedding is None:
            logits = output.logits[0, :, :height, :width].float().permute(1, 2, 0)
            return tuple(grid_scores(logits))
        rows = output.embedding[0, :, :height, :width].float().permute(1, 2, 0)
        matrix, offset = classes
        unit = rows / rows.norm(dim=-1, keepdim=True).clamp_min(SHORTEST)
        scores = grid_scores(unit @ matrix.T + offset)
        return *scores, unit.half()

    def _inputs(self, color: Tensor, depth: Tensor) -> Sequence[Tensor]:
        config = self.network.config
        metres = decode_millimetres(depth) if self.depth == "millimetres" else depth
        known = torch.where((metres > 0) & (metres <= MAX_DEPTH), metres, 0.0)
        inputs = normalize(color.float()[None], known[None], config.depth_mean, config.depth_std)
        padded = (pad_to_multiple(x, config.input_multiple, self.network.min_size) for x in inputs)
        return [x.half() if self.half_precision else x for x in padded]


def decode_millimetres(depth: Tensor) -> Tensor:
    """(H, W, 2) uint8, the low byte first -> (H, W) float32 metres."""
    low, high = depth.float().unbind(dim=-1)
    return (low + 256.0 * high) * METRES_OF_A_UNIT


def grid_scores(logits: Tensor) -> GridScores:
    """Scores of logits (h, w, K). Where one is NaN, the confidence is NaN too."""
    log_probability = F.log_softmax(logits, dim=-1)
    best = log_probability.amax(dim=-1)
    return GridScores(logits.argmax(dim=-1).int(), best.exp(), log_probability)


def padded_size(network: Network, size: tuple[int, int]) -> tuple[int, int]:
    """(H, W) of what the network gets for images of ``size``."""
    multiple = network.config.input_multiple
    height, width = (-(-max(side, network.min_size) // multiple) * multiple for side in size)
    return height, width
