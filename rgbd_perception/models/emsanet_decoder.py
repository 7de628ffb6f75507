"""Decoder of EMSANet (Seichter et al. 2022, arXiv:2207.04526): convolutions and added skips."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence

from torch import Tensor, nn

from rgbd_perception.models.deployment import fold_batch_norm
from rgbd_perception.models.layers import ConvNormRelu, LearnedUpsampling

BLOCKS = 3
DROPOUT = 0.2
SIDE_STRIDES = (32, 16, 8)
"""Input pixels along one side of a cell of the side outputs."""

HeadFactory = Callable[[int, int], nn.Module]
"""(input channels, number of learned upsamplings) -> head."""


class NonBottleneck1D(nn.Module):
    """Residual block of factorised 3x3 convolutions (Romera et al. 2018, ERFNet)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1_1 = nn.Conv2d(channels, channels, (3, 1), padding=(1, 0))
        self.conv1_2 = nn.Conv2d(channels, channels, (1, 3), padding=(0, 1), bias=False)
        self.norm1 = nn.BatchNorm2d(channels, eps=1e-5)
        self.conv2_1 = nn.Conv2d(channels, channels, (3, 1), padding=(1, 0))
        self.conv2_2 = nn.Conv2d(channels, channels, (1, 3), padding=(0, 1), bias=False)
        self.norm2 = nn.BatchNorm2d(channels, eps=1e-5)
        self.dropout = nn.Dropout2d(DROPOUT)
        self.act = nn.ReLU(inplace=True)
        nn.init.zeros_(self.norm2.weight)  # starts as the identity, as published

    def forward(self, x: Tensor) -> Tensor:
        y = self.act(self.conv1_1(x))
        y = self.act(self.norm1(self.conv1_2(y)))
        y = self.act(self.conv2_1(y))
        y = self.dropout(self.norm2(self.conv2_2(y)))
        return self.act(x + y)

    def deployed(self) -> NonBottleneck1D:
        """With the norms folded into the convolutions before them."""
        fold_batch_norm(self, "conv1_2", "norm1")
        fold_batch_norm(self, "conv2_2", "norm2")
        return self


class DecoderModule(nn.Module):
    """One step up: (B, C, h, w) -> features (B, C', h, w); ``upsample`` doubles their resolution."""

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__()
        self.conv = ConvNormRelu(channels_in, channels_out, kernel=3)
        self.blocks = nn.Sequential(*(NonBottleneck1D(channels_out) for _ in range(BLOCKS)))
        self.upsample = LearnedUpsampling(channels_out)

    def forward(self, x: Tensor) -> Tensor:
        return self.blocks(self.conv(x))


class EmsanetDecoder(nn.Module):
    """Context map at stride 32, skips at strides 16, 8, 4 -> what ``make_head`` makes of (B, C, H/4, W/4).

    A module works with the channels of the skip that it meets, so that the two can be added. Its features
    before the upsampling feed a side head, which is needed for training with supervision at several scales.
    """

    def __init__(self, widths: Sequence[int], upsamplings: int, make_head: HeadFactory) -> None:
        """``widths``: channels of the stages from stride 4 to 32."""
        super().__init__()
        channels = widths[-2::-1]
        self.decoder_modules = nn.ModuleList(
            DecoderModule(before, after) for before, after in zip(widths[:0:-1], channels, strict=True)
        )
        self.fusions = nn.ModuleList(
            nn.Sequential(OrderedDict(ln=nn.LayerNorm(width, eps=1e-5))) for width in channels
        )
        self._task_head = make_head(channels[-1], upsamplings)
        self._side_output_heads = nn.ModuleList(make_head(width, 0) for width in channels)

    def forward(self, context: Tensor, skips: Sequence[Tensor]) -> Tensor:
        """``context`` (B, C, h, w) at stride 32; ``skips`` (B, h, w, C) at strides 4, 8, 16."""
        return self._task_head(self.features(context, skips)[-1])

    def outputs(self, context: Tensor, skips: Sequence[Tensor]) -> list[Tensor]:
        """The output, and for training those of the side heads at ``SIDE_STRIDES``."""
        *coarse, finest = self.features(context, skips)
        sides = [head(part) for head, part in zip(self._side_output_heads, coarse, strict=True)]
        return [self._task_head(finest), *sides]

    def features(self, context: Tensor, skips: Sequence[Tensor]) -> list[Tensor]:
        """Inputs of the heads, from stride 32 to 4."""
        features = []
        x = context
        for module, fusion, skip in zip(self.decoder_modules, self.fusions, reversed(skips), strict=True):
            x = module(x)
            features.append(x)
            x = module.upsample(x) + fusion(skip).permute(0, 3, 1, 2)
        return [*features, x]

    def deployed(self) -> EmsanetDecoder:
        """Without the side heads: they are for training."""
        self._side_output_heads = nn.ModuleList()
        return self
