"""TokenFusion (Wang et al. 2022, arXiv:2204.08721) for the segmentation of color and depth, on MiT."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from rgbd_perception.models.mit import MIT_CONFIGS, Mit, MitConfig
from rgbd_perception.models.output import ModelOutput
from rgbd_perception.models.parallel import initialise
from rgbd_perception.models.token_exchange import ScorePredictor, exchanging
from rgbd_perception.models.two_stream import TwoStreamConfig, TwoStreamNetwork, with_ensemble


@dataclass(frozen=True)
class TokenFusionConfig(TwoStreamConfig):
    """Everything that defines a network of the family.

    The published weights probably expect millimetres of depth divided by 5000. That is inferred from the
    authors' answers to users, not verified with weights.
    """

    backbone: MitConfig = MIT_CONFIGS["mit_b3"]
    drop_path: float = 0.1
    depth_std: float = 5.0


class ExchangingMit(Mit):
    """MiT with one score predictor per stage, asked anew in each of its blocks."""

    def __init__(self, config: MitConfig, drop_path: float) -> None:
        super().__init__(config, None, drop_path)
        predictors = (ScorePredictor(dim) for dim in config.widths)
        self.score_predictor = nn.ModuleList(predictors).apply(initialise)

    def forward(self, x: Tensor) -> Sequence[Tensor]:
        """Images (2B, 3, H, W) -> features (2B, C, h, w) at strides 4, 8, 16, 32."""
        return self.features_and_scores(x)[0]

    def features_and_scores(self, x: Tensor) -> tuple[Sequence[Tensor], Tensor]:
        """Features, and the scores (2B, N) of the tokens of all blocks in their order."""
        features, scores = [], []
        for (embed, blocks, norm), predictor in zip(self.stages(), self.score_predictor, strict=True):
            tokens = embed(x)
            for block in blocks:
                score = predictor(tokens)
                scores.append(score.flatten(1))
                tokens = exchanging(block, tokens, score)
            x = norm(tokens).permute(0, 3, 1, 2)
            features.append(x)
        return features, torch.cat(scores, dim=1)


class TokenFusion(TwoStreamNetwork):
    """Both streams through one backbone that exchanges tokens."""

    def __init__(self, config: TokenFusionConfig) -> None:
        super().__init__(config, ExchangingMit(config.backbone, config.drop_path))

    def forward_with_scores(self, rgb: Tensor, depth: Tensor) -> tuple[ModelOutput, Tensor]:
        """As ``forward``, and the scores (2B, N), color first, whose sum is a term of the training's loss."""
        features, scores = self.encoder.features_and_scores(self.stack(rgb, depth))
        return with_ensemble(self.decoder(features), self.alpha), scores


TOKENFUSION_CONFIGS: dict[str, TokenFusionConfig] = {
    f"tokenfusion_{name}": TokenFusionConfig(MIT_CONFIGS[name]) for name in ("mit_b2", "mit_b3", "mit_b5")
}
