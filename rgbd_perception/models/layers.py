"""Small layers that several networks are made of."""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from rgbd_perception.models.deployment import fold_batch_norm


class ConvNormRelu(nn.Sequential):
    """Convolution without bias, batch norm, ReLU; named ``conv`` and ``norm`` as in the checkpoints."""

    def __init__(self, channels_in: int, channels_out: int, kernel: int = 1) -> None:
        super().__init__(
            OrderedDict(
                conv=nn.Conv2d(channels_in, channels_out, kernel, padding=kernel // 2, bias=False),
                norm=nn.BatchNorm2d(channels_out, eps=1e-5),
                act=nn.ReLU(inplace=True),
            )
        )

    def deployed(self) -> ConvNormRelu:
        """With the norm folded into the convolution."""
        fold_batch_norm(self, "conv", "norm")
        return self


class LearnedUpsampling(nn.Module):
    """Nearest x2, then a depth-wise 3x3 convolution with zero padding that starts as a bilinear kernel."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1, groups=channels)
        kernel = torch.tensor([1.0, 2.0, 1.0])
        with torch.no_grad():
            self.conv.weight.copy_((kernel[:, None] * kernel[None, :] / 16.0).expand_as(self.conv.weight))
            self.conv.bias.zero_()

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(F.interpolate(x, scale_factor=2.0, mode="nearest"))


class DenseHead(nn.Module):
    """Last convolution of embeddings or class scores: 1x1, or 3x3 where learned upsamplings follow."""

    def __init__(self, channels: int, upsamplings: int, out_channels: int) -> None:
        super().__init__()
        kernel = 3 if upsamplings else 1
        self.conv = nn.Conv2d(channels, out_channels, kernel, padding=kernel // 2)
        self.upsamplings = upsamplings
        for index in range(upsamplings):
            self.add_module(f"upsample_{index}", LearnedUpsampling(out_channels))

    def forward(self, x: Tensor) -> Tensor:
        if self.upsamplings == 0:  # a matrix product over the cells of channels-last memory
            return F.linear(x.permute(0, 2, 3, 1), self.conv.weight.flatten(1), self.conv.bias).permute(
                0, 3, 1, 2
            )
        x = self.conv(x)
        for index in range(self.upsamplings):
            x = getattr(self, f"upsample_{index}")(x)
        return x
