"""The losses of the published networks over a batch of labelled views."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from rgbd_perception.inference.preprocess import normalize
from rgbd_perception.models import ModelOutput
from rgbd_perception.models.geminifusion_deliver import GeminiFusionDeliver
from rgbd_perception.models.network import Network
from rgbd_perception.models.tokenfusion import TokenFusion
from rgbd_perception.training.losses import (
    InstanceTargets,
    center_loss,
    cross_entropy_loss,
    distillation_loss,
    hard_pixel_loss,
    offset_loss,
    orientation_loss,
    scene_loss,
    token_score_loss,
    two_head_loss,
)
from rgbd_perception.training.objective import Objective
from rgbd_perception.training.recipe import CrossEntropy, Distillation, Multitask, Recipe, TwoHeads
from rgbd_perception.training.view_batches import ViewBatch


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
        output = predict(self.network, batch)
        if isinstance(loss, Distillation):
            assert output.embedding is not None
            height, width = batch.indices.shape[1:]
            pred = output.embedding[:, :, :height, :width]
            return {"distillation": distillation_loss(pred, batch.tables, batch.indices, loss.distance)}
        assert output.logits is not None
        weights = self._class_weights
        if isinstance(loss, CrossEntropy):
            return {
                "semantic": cross_entropy_loss(output.logits, batch.labels, weights, loss.label_smoothing)
            }
        semantic = loss.semantic * cross_entropy_loss(output.logits, batch.labels, weights)
        return {"semantic": semantic, **_instance_terms(output, batch, loss)}

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


def _instance_terms(output: ModelOutput, batch: ViewBatch, loss: Multitask) -> dict[str, Tensor]:
    assert output.center is not None and output.offset is not None and output.scene is not None
    targets = InstanceTargets(**batch.instances)
    terms = {
        "center": loss.center * center_loss(output.center, targets.center, targets.labelled),
        "offset": loss.offset * offset_loss(output.offset, targets.offset, targets.things),
        "scene": loss.scene * scene_loss(output.scene, batch.scenes),
    }
    if output.orientation is not None:
        turned = orientation_loss(output.orientation, targets.orientation, targets.oriented)
        terms["orientation"] = loss.orientation * turned
    return terms


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
