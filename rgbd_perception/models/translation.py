"""Generator of TokenFusion (Wang et al. 2022, arXiv:2204.08721) that translates two images into a third.

Five stages down, four up with the maps of the way down added, all shared by the two streams. Tokens are
exchanged in the last block of each stage on the way down.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from rgbd_perception.models.drop_path import drop_path_rates
from rgbd_perception.models.inputs import whole_patches
from rgbd_perception.models.mit import BlockNames, MitBlock, PatchEmbedding
from rgbd_perception.models.parallel import STREAMS, ParallelNorm, Shared, initialise, stack_streams
from rgbd_perception.models.token_exchange import ScorePredictor, exchanging
from rgbd_perception.models.two_stream import ensemble

NAMES = BlockNames(norm="lrnorm", wrapped_convolution=True)


@dataclass(frozen=True)
class TranslationConfig:
    """Sizes of ``gen_b2``, the one of the released runs; one number per stage on the way down."""

    widths: tuple[int, ...] = (64, 128, 256, 512, 1024)
    depths: tuple[int, ...] = (3, 4, 4, 6, 3)
    heads: tuple[int, ...] = (1, 2, 4, 8, 16)
    reductions: tuple[int, ...] = (16, 8, 4, 2, 1)
    drop_path: float = 0.1

    @property
    def input_multiple(self) -> int:
        """Height and width of an image must be multiples of this."""
        return 2 ** len(self.widths)


@dataclass(frozen=True)
class TranslationOutput:
    """Images (B, 3, H, W) in -1..1 made from each input, their mean, and scores (2B, N) of the tokens."""

    first: Tensor
    second: Tensor
    ensemble: Tensor
    scores: Tensor


class TranslationGenerator(nn.Module):
    """Two images in, the wanted image out: once from each and as their ensemble."""

    def __init__(self, config: TranslationConfig) -> None:
        super().__init__()
        self.config = config
        widths, ups = config.widths, range(len(config.widths) - 2, -1, -1)
        self.patch_embed_enc = nn.ModuleList(
            PatchEmbedding(channels, dim, 3, 2, prefix=NAMES.norm)
            for channels, dim in zip((3, *widths), widths, strict=False)
        )
        self.block_enc = _stages(config, range(len(widths)))
        self.norm_enc = nn.ModuleList(ParallelNorm(dim, prefix=NAMES.norm) for dim in widths)
        self.score_predictor = nn.ModuleList(ScorePredictor(dim) for dim in widths)
        # The norms of these embeddings are in the checkpoints, but not used on the way up.
        self.patch_embed_dec = nn.ModuleList(
            PatchEmbedding(widths[above] // 4, widths[below], 1, 1, prefix=NAMES.norm)
            for above, below in [*((stage + 1, stage) for stage in ups), (0, 0)]
        )
        self.block_dec = _stages(config, ups)
        self.norm_dec = nn.ModuleList(ParallelNorm(widths[stage], prefix=NAMES.norm) for stage in ups)
        self.project = Shared(nn.Conv2d(widths[0], 3, 1))
        self.alpha = nn.Parameter(torch.ones(STREAMS))
        self.apply(initialise)

    def forward(self, first: Tensor, second: Tensor) -> TranslationOutput:
        """Images (B, 3, H, W) in -1..1, sides multiples of ``config.input_multiple``."""
        stacked = stack_streams({"first": first, "second": second}, min_size=1)
        maps, scores = self._down(whole_patches(stacked, 1, self.config.input_multiple))
        images = torch.tanh(self.project(self._up(maps)))
        images_first, images_second = images.chunk(STREAMS)
        mean = ensemble(images_first, images_second, self.alpha)
        return TranslationOutput(images_first, images_second, mean, scores)

    def _down(self, x: Tensor) -> tuple[list[Tensor], Tensor]:
        maps, scores = [], []
        stages: tuple[Iterable[Any], ...] = (
            self.patch_embed_enc,
            self.block_enc,
            self.norm_enc,
            self.score_predictor,
        )
        for embed, (*blocks, last), norm, predictor in zip(*stages, strict=True):
            tokens = embed(x)
            for block in blocks:
                tokens = block(tokens)
            score = predictor(tokens)
            scores.append(score.flatten(1))
            x = norm(exchanging(last, tokens, score)).permute(0, 3, 1, 2)
            maps.append(x)
        return maps, torch.cat(scores, dim=1)

    def _up(self, maps: list[Tensor]) -> Tensor:
        *skips, x = maps
        *embeddings, last = list(self.patch_embed_dec)
        stages: tuple[Iterable[Any], ...] = (embeddings, reversed(skips), self.block_dec, self.norm_dec)
        for embed, skip, blocks, norm in zip(*stages, strict=True):
            x = embed.proj(F.pixel_shuffle(x, 2)) + skip
            tokens = x.permute(0, 2, 3, 1)
            for block in blocks:
                tokens = block(tokens)
            x = norm(tokens).permute(0, 3, 1, 2)
        return last.proj(F.pixel_shuffle(x, 2))


def _stages(config: TranslationConfig, order: Iterable[int]) -> nn.ModuleList:
    """Blocks of the stages in this order."""
    order = list(order)
    rates = iter(drop_path_rates(config.drop_path, sum(config.depths[stage] for stage in order)))
    return nn.ModuleList(
        nn.ModuleList(
            MitBlock(
                config.widths[stage],
                config.heads[stage],
                config.reductions[stage],
                next(rates),
                names=NAMES,
            )
            for _ in range(config.depths[stage])
        )
        for stage in order
    )
