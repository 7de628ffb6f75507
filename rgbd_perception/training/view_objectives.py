"""The losses of the published networks over a batch of labelled views."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from rgbd_perception.inference.preprocess import normalize
from rgbd_perception.models import ModelOutput
from rgbd_perception.models.emsaformer import EMSAFormer
from rgbd_perception.models.emsanet_decoder import SIDE_STRIDES
from rgbd_perception.models.geminifusion_deliver import GeminiFusionDeliver
from rgbd_perception.models.network import Network
from rgbd_perception.models.tokenfusion import TokenFusion
from rgbd_perception.training.losses import (
    Terms,
    center_terms,
    cross_entropy_terms,
    distillation_loss,
    hard_pixel_loss,
    mean_over,
    offset_terms,
    orientation_terms,
    scene_loss,
    token_score_loss,
    two_head_loss,
)
from rgbd_perception.training.losses.instances import COUNTED_WHERE
from rgbd_perception.training.objective import Objective
from rgbd_perception.training.recipe import CrossEntropy, Distillation, Multitask, Recipe, TwoHeads
from rgbd_perception.training.view_batches import SideOutputs, ViewBatch

INSTANCE_LOSSES: dict[str, Callable[[Tensor, Tensor, Tensor], Terms]] = {
    "center": center_terms,
    "offset": offset_terms,
    "orientation": orientation_terms,
}


class _Scale(NamedTuple):
    """An output and what it should be: as the fields of a ViewBatch."""

    output: ModelOutput
    labels: Tensor
    instances: dict[str, Tensor]


class ViewObjective(Objective):
    """A published network with the loss of its recipe."""

    _class_weights: Tensor | None

    def __init__(self, network: Network, recipe: Recipe, class_weights: Tensor | None = None) -> None:
        """class_weights (C,), where the loss has some."""
        super().__init__()
        self.network = network
        self._recipe = recipe
        self.register_buffer("_class_weights", class_weights, persistent=False)
        self.train()

    def train(self, mode: bool = True) -> ViewObjective:
        """As any module, but batch norms that are frozen stay so."""
        super().train(mode)
        if self._recipe.frozen_norms:
            for module in self.modules():
                if isinstance(module, nn.BatchNorm2d):
                    module.eval()
        return self

    def forward(self, batch: ViewBatch) -> dict[str, Tensor]:  # type: ignore[override]
        loss = self._recipe.loss
        if isinstance(loss, TwoHeads):
            return self._two_heads(batch, loss)
        if isinstance(loss, Distillation):
            output = predict(self.network, batch)
            assert output.embedding is not None
            height, width = batch.indices.shape[1:]
            pred = output.embedding[:, :, :height, :width]
            return {"distillation": distillation_loss(pred, batch.tables, batch.indices, loss.distance)}
        scales = self._scales(batch)
        if isinstance(loss, CrossEntropy):
            return {"semantic": self._semantic(scales, loss.label_smoothing)}
        return {
            "semantic": loss.semantic * self._semantic(scales),
            **_instance_terms(scales, loss),
            "scene": loss.scene * _scene(scales[0].output, batch.scenes),
        }

    def _scales(self, batch: ViewBatch) -> list[_Scale]:
        """The network's output and its side outputs, as far as they are trained, with their targets."""
        if not batch.sides:
            return [_Scale(predict(self.network, batch), batch.labels, batch.instances)]
        assert isinstance(self.network, EMSAFormer)
        output, *sides = self.network.forward_with_sides(*inputs_of(self.network, batch))
        return [
            _Scale(output, batch.labels, batch.instances),
            *(_Scale(side, *targets) for side, targets in zip(sides, batch.sides, strict=True)),
        ]

    def _semantic(self, scales: Sequence[_Scale], label_smoothing: float = 0.0) -> Tensor:
        return mean_over(
            cross_entropy_terms(output.logits, labels, self._class_weights, label_smoothing)
            for output, labels, _ in scales
            if output.logits is not None
        )

    def _two_heads(self, batch: ViewBatch, loss: TwoHeads) -> dict[str, Tensor]:
        if not loss.token_scores:
            heads = hard_pixel_loss if loss.hard_pixels else two_head_loss
            return {"semantic": heads(predict(self.network, batch), batch.labels)}
        assert isinstance(self.network, TokenFusion)
        output, scores = self.network.forward_with_scores(*inputs_of(self.network, batch))
        # A sum over the whole batch, which the loop takes for a mean over its samples.
        share = self._recipe.batch / len(batch.names)
        return {
            "semantic": two_head_loss(output, batch.labels),
            "token_scores": share * token_score_loss(scores, loss.token_scores),
        }


def _instance_terms(scales: Sequence[_Scale], loss: Multitask) -> dict[str, Tensor]:
    """Centres, offsets and, for a network that predicts them, orientations; over all scales."""
    terms = {}
    for name, terms_of in INSTANCE_LOSSES.items():
        if getattr(scales[0].output, name) is not None:
            parts = [
                terms_of(getattr(output, name), instances[name], instances[COUNTED_WHERE[name]])
                for output, _, instances in scales
            ]
            terms[name] = getattr(loss, name) * mean_over(parts)
    return terms


def _scene(output: ModelOutput, scenes: Tensor) -> Tensor:
    assert output.scene is not None
    return scene_loss(output.scene, scenes)


def side_outputs_of(network: Network, recipe: Recipe) -> SideOutputs:
    """Side outputs of ``network`` that are trained by ``recipe``."""
    loss = recipe.loss
    if not isinstance(network, EMSAFormer) or not isinstance(loss, CrossEntropy | Multitask):
        return SideOutputs()
    sides = SideOutputs(SIDE_STRIDES, network.config.semantic_decoder == "emsanet", network.config.multitask)
    return sides if loss.side_outputs and (sides.semantic or sides.instances) else SideOutputs()


def predict(network: Network, batch: ViewBatch) -> ModelOutput:
    """What ``network`` makes of a batch, normalised as at inference."""
    if isinstance(network, GeminiFusionDeliver):
        return network(inputs_of(network, batch))
    return network(*inputs_of(network, batch))


def extra_images(network: Network) -> tuple[str, ...]:
    """Names of the images that ``network`` takes besides color, where depth is not the one."""
    return network.config.modalities[1:] if isinstance(network, GeminiFusionDeliver) else ()


def inputs_of(network: Network, batch: ViewBatch) -> tuple[Tensor, ...]:
    """Color, and depth or the further images, which are divided by 255 only."""
    config = network.config
    color, depth = normalize(batch.color, batch.depth, config.depth_mean, config.depth_std)
    if not batch.extras:
        return color, depth
    extras = (extra.permute(0, 3, 1, 2).to(torch.float32) / 255.0 for extra in batch.extras)
    return (color, *extras)
