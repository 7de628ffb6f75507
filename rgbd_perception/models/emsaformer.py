"""EMSAFormer (Fischedick et al. 2023, arXiv:2306.05242): classes, instances, orientations, scene.

The published multi-task networks and their semantic-only forms, each with one of two semantic decoders; the
authors' checkpoints load by name. ``inference.panoptic`` merges classes and instances.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import zip_longest
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
        maps = [decoder(encoded.context, encoded.skips) for decoder in self._dense_decoders()]
        return _output(maps, self._scene(encoded))

    def forward_with_sides(self, rgb: Tensor, depth: Tensor) -> list[ModelOutput]:
        """For training: what ``forward`` returns, then the side outputs at ``emsanet_decoder.SIDE_STRIDES``.

        A side output has maps of the EMSANet decoders only; there is none where no decoder is one.
        """
        encoded = self.encode(rgb, depth)
        maps = [
            decoder.outputs(encoded.context, encoded.skips)
            if isinstance(decoder, EmsanetDecoder)
            else [decoder(encoded.context, encoded.skips)]
            for decoder in self._dense_decoders()
        ]
        output, *sides = zip_longest(*maps)
        return [_output(output, self._scene(encoded)), *(_output(side) for side in sides)]

    def _dense_decoders(self) -> list[nn.Module]:
        """The semantic decoder, and that of instances where there is one."""
        if not self.config.multitask:
            return [self.decoders.get_submodule("semantic_decoder")]
        names = ("semantic_decoder", "instance_decoder")
        return [self.decoders.get_submodule(f"panoptic_helper.{name}") for name in names]

    def _scene(self, encoded: Encoded) -> Tensor | None:
        """It follows from the context of the whole image, which is the first bin."""
        if not self.config.multitask:
            return None
        return self.decoders.get_submodule("scene_decoder._task_head")(encoded.pooled[0].flatten(1))


def _output(maps: Sequence[Tensor | None], scene: Tensor | None = None) -> ModelOutput:
    """Of the class scores and, where there is a second map, what the instance head made; None: not there."""
    logits, instances = maps[0], maps[1] if len(maps) > 1 else None
    if instances is None:
        return ModelOutput(logits=logits, scene=scene)
    return ModelOutput(logits=logits, scene=scene, **activate(instances)._asdict())


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
