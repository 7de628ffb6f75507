"""GeminiFusion on DeLiVER: two to four modalities, of which all but the color are merged into one stream.

The released code does not fuse every pair of modalities. In each stage the extra ones are gated and reduced
to one map by the maximum, as in CMNeXt (Zhang et al. 2023, arXiv:2303.01480). Then two streams go on as in
the network for color and depth.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from rgbd_perception.errors import UserError
from rgbd_perception.models.inputs import InputError
from rgbd_perception.models.mit import MIT_CONFIGS, Mit, MitConfig
from rgbd_perception.models.network import Network
from rgbd_perception.models.output import ModelOutput
from rgbd_perception.models.parallel import STREAMS, initialise, stack_streams
from rgbd_perception.models.pixel_fusion import GeminiFusion
from rgbd_perception.models.segformer_head import SegFormerHead
from rgbd_perception.models.two_stream import TwoStreamConfig, with_ensemble

COLOR = "img"
EXTRA = ("depth", "event", "lidar")


@dataclass(frozen=True)
class GeminiFusionDeliverConfig(TwoStreamConfig):
    """Everything that defines a network of the family.

    ``modalities`` in the order of the inputs, color first. The network does not know which sensor an extra
    stream is, but norms and gates belong to places in that order. All inputs but the color are divided by 255
    and nothing else; ``depth`` of the published weights is an HHA image, to which the depth statistics do not
    apply. ``drop_path`` was 0.4 for two modalities and 0.2 for four.
    """

    backbone: MitConfig = MIT_CONFIGS["mit_b2"]
    modalities: tuple[str, ...] = (COLOR, "depth")
    num_classes: int = 25
    decoder_dim: int = 512
    fusion_heads: int = 8
    input_size: tuple[int, int] = (1024, 1024)

    def __post_init__(self) -> None:
        names = tuple(self.modalities)
        extra = names[1:]
        if names[:1] != (COLOR,) or not extra or set(extra) - set(EXTRA) or len(set(extra)) < len(extra):
            raise UserError(
                f"expected modalities {COLOR!r} first and some of {', '.join(EXTRA)}, got {list(names)}"
            )
        object.__setattr__(self, "modalities", names)  # a list is welcome

    @property
    def stride(self) -> int:
        """Input pixels along one side of an output cell."""
        return 1


class ExtraGates(nn.Module):
    """One gate per extra modality and token. The last of the M gates is in the checkpoints but never used."""

    def __init__(self, dim: int, modalities: int) -> None:
        super().__init__()
        self.score_nets = nn.ModuleList(
            nn.Sequential(nn.Conv2d(dim, dim, 3, padding=1, groups=dim), nn.Conv2d(dim, 1, 1))
            for _ in range(modalities)
        )

    def forward(self, extras: Sequence[Tensor]) -> list[Tensor]:
        """(B, h, w, C) per extra modality -> the same, strengthened by a factor of 1 to 2 per token."""
        gates = [
            net(extra.permute(0, 3, 1, 2)).sigmoid().permute(0, 2, 3, 1)
            for net, extra in zip(self.score_nets, extras, strict=False)
        ]
        return [extra + gate * extra for gate, extra in zip(gates, extras, strict=True)]


class MergingMit(Mit):
    """MiT that embeds M streams and works on two: color, and all others in one."""

    def __init__(self, config: MitConfig, fusion: GeminiFusion, drop_path: float, modalities: int) -> None:
        super().__init__(config, fusion, drop_path, embedded_streams=modalities)
        self.modalities = modalities
        if modalities > STREAMS:
            gates = (ExtraGates(dim, modalities) for dim in config.widths)
            self.extra_score_predictor = nn.ModuleList(gates).apply(initialise)

    def forward(self, x: Tensor) -> Sequence[Tensor]:
        """Images (M * B, 3, H, W) -> features (2B, C, h, w) at strides 4, 8, 16, 32."""
        if self.modalities == STREAMS:
            return super().forward(x)
        features = []
        for (embed, blocks, norm), gates in zip(self.stages(), self.extra_score_predictor, strict=True):
            color, *extras = embed(x).chunk(self.modalities)
            extras = gates(extras)
            tokens = torch.cat((color, torch.stack(extras).amax(dim=0)))
            for block in blocks:
                tokens = block(tokens)
            tokens = norm(tokens)
            features.append(tokens.permute(0, 3, 1, 2))
            color, merged = tokens.chunk(STREAMS)
            x = torch.cat((color, *(extra + merged for extra in extras))).permute(0, 3, 1, 2)
        return features


class GeminiFusionDeliver(Network):
    """Backbone and decoder are shared by all streams; the class scores have the size of the images."""

    config: GeminiFusionDeliverConfig

    def __init__(self, config: GeminiFusionDeliverConfig) -> None:
        super().__init__()
        self.config = config
        self.min_size = config.backbone.min_size
        fusion = GeminiFusion(config.fusion_heads)
        self.backbone = MergingMit(config.backbone, fusion, config.drop_path, len(config.modalities))
        self.decode_head = SegFormerHead(config.backbone.widths, config.decoder_dim, config.num_classes)
        self.alpha = nn.Parameter(torch.ones(STREAMS))

    def forward(
        self, rgb: Tensor | Sequence[Tensor] | Mapping[str, Tensor], depth: Tensor | None = None
    ) -> ModelOutput:
        """Normalised images -> class scores (B, K, H, W).

        Either color and the one other image, or all images in one sequence in the order of the modalities, or
        by the modalities' names. Color is (B, 3, H, W), the others (B, 1 or 3, H, W).
        """
        images = self._by_name(rgb if depth is None or not isinstance(rgb, Tensor) else (rgb, depth))
        logits = self.decode_head(self._encode(images))
        size = images[COLOR].shape[2:]
        return with_ensemble(F.interpolate(logits, size, mode="bilinear", align_corners=False), self.alpha)

    def features(self, images: Sequence[Tensor] | Mapping[str, Tensor]) -> Sequence[Tensor]:
        """What the decoder gets: (2B, C, h, w) at strides 4, 8, 16, 32, color first."""
        return self._encode(self._by_name(images))

    def _encode(self, images: Mapping[str, Tensor]) -> Sequence[Tensor]:
        return self.backbone(stack_streams(images, self.min_size))

    def _by_name(self, images: Tensor | Sequence[Tensor] | Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """The images in the order of the modalities."""
        names = self.config.modalities
        if isinstance(images, Mapping):
            if set(images) != set(names):
                raise InputError(f"expected the images {', '.join(names)}, got {', '.join(images)}")
            return {name: images[name] for name in names}
        if isinstance(images, Tensor) or len(images) != len(names):
            count = 1 if isinstance(images, Tensor) else len(images)
            raise InputError(f"expected {len(names)} images ({', '.join(names)}), got {count}")
        return dict(zip(names, images, strict=True))


GEMINIFUSION_DELIVER_CONFIGS: dict[str, GeminiFusionDeliverConfig] = {
    f"geminifusion_deliver_{name}": GeminiFusionDeliverConfig(backbone)
    for name, backbone in MIT_CONFIGS.items()
}
