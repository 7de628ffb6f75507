"""EMSAFormer (Fischedick et al. 2023, arXiv:2306.05242): classes, instances, orientations, scene.

The published multi-task networks and their semantic-only forms, each with one of two semantic decoders; the
authors' checkpoints load by name. ``inference.panoptic`` merges classes and instances.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Literal

from torch import Tensor, nn

from rgbd_perception.errors import UserError
from rgbd_perception.models.emsanet_decoder import EmsanetDecoder
from rgbd_perception.models.instance_head import InstanceHead, activate
from rgbd_perception.models.layers import DenseHead
from rgbd_perception.models.mlp_decoder import MlpDecoder
from rgbd_perception.models.output import ModelOutput
from rgbd_perception.models.swin_multi_network import Encoded, SwinMultiNetwork, SwinMultiNetworkConfig
from rgbd_perception.models.swin_v2_multi import PATCH

__all__ = ["EMSAFORMER_CONFIGS", "EMSAFormer", "EMSAFormerConfig"]


@dataclass(frozen=True)
class EMSAFormerConfig(SwinMultiNetworkConfig):
    """Everything that defines a network of the family.

    ``semantic_decoder`` is "mlp" or "emsanet"; ``multitask`` adds instances and scene, ``orientation`` the
    yaw of instances (the networks for ScanNet have none). Void is not one of ``num_classes``.
    """

    fused: int = 128
    upsamplings: int = 2
    num_classes: int = 40
    semantic_decoder: Literal["mlp", "emsanet"] = "mlp"
    multitask: bool = False
    orientation: bool = True
    num_scenes: int = 10

    def __post_init__(self) -> None:
        if self.semantic_decoder not in ("mlp", "emsanet"):
            raise UserError(f"expected the semantic decoder mlp or emsanet, got {self.semantic_decoder!r}")

    @property
    def input_multiple(self) -> int:
        """The EMSANet decoder doubles maps exactly; the MLP decoder takes what the patches take."""
        if self.multitask or self.semantic_decoder == "emsanet":
            return PATCH * 2 ** (len(self.backbone.widths) - 1)
        return PATCH


class EMSAFormer(SwinMultiNetwork):
    """Backbone with two patch embeddings, pyramid pooling and a decoder for every task."""

    config: EMSAFormerConfig

    def __init__(self, config: EMSAFormerConfig) -> None:
        super().__init__(config)
        semantic = _semantic_decoder(config)
        if not config.multitask:
            self.decoders = nn.ModuleDict({"semantic_decoder": semantic})
            return
        make_head = partial(InstanceHead, orientation=config.orientation)
        instance = EmsanetDecoder(config.backbone.widths, config.upsamplings, make_head)
        scene = nn.Linear(self.context_module.branch_channels, config.num_scenes)
        self.decoders = nn.ModuleDict(
            {
                "panoptic_helper": nn.ModuleDict(
                    {"semantic_decoder": semantic, "instance_decoder": instance}
                ),
                "scene_decoder": nn.ModuleDict({"_task_head": scene}),
            }
        )

    def forward(self, rgb: Tensor, depth: Tensor) -> ModelOutput:
        """Normalised color (B, 3, H, W) and depth (B, 1, H, W) -> maps of the same size, and the scene.

        H and W must be multiples of ``input_multiple``. ``inference.preprocess.normalize`` makes the inputs.
        """
        encoded = self.encode(rgb, depth)
        if not self.config.multitask:
            return ModelOutput(logits=self._decode("semantic_decoder", encoded))
        maps = activate(self._decode("panoptic_helper.instance_decoder", encoded))
        # The scene follows from the context of the whole image, which is the first bin.
        scene = self.decoders.get_submodule("scene_decoder._task_head")(encoded.pooled[0].flatten(1))
        return ModelOutput(
            logits=self._decode("panoptic_helper.semantic_decoder", encoded),
            center=maps.center,
            offset=maps.offset,
            orientation=maps.orientation,
            scene=scene,
        )

    def _decode(self, decoder: str, encoded: Encoded) -> Tensor:
        return self.decoders.get_submodule(decoder)(encoded.context, encoded.skips)


def _semantic_decoder(config: EMSAFormerConfig) -> nn.Module:
    if config.semantic_decoder == "emsanet":
        make_head = partial(DenseHead, out_channels=config.num_classes)
        return EmsanetDecoder(config.backbone.widths, config.upsamplings, make_head)
    return MlpDecoder(
        config.backbone.widths,
        config.branches,
        config.fused,
        config.num_classes,
        config.upsamplings,
        config.dropout,
    )


EMSAFORMER_CONFIGS: dict[str, EMSAFormerConfig] = {
    "emsaformer_semantic_mlp": EMSAFormerConfig(),
    "emsaformer_semantic_emsanet": EMSAFormerConfig(semantic_decoder="emsanet"),
    "emsaformer_multitask_mlp": EMSAFormerConfig(multitask=True),
    "emsaformer_multitask_emsanet": EMSAFormerConfig(semantic_decoder="emsanet", multitask=True),
}
