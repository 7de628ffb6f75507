"""Window attention of Swin V2 for inference: all that does not depend on the features is a constant."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from rgbd_perception.models.cosine_attention import join_heads, repeat_bias, split_heads
from rgbd_perception.models.windows import pad_to_layout, shift_mask, window_layout, window_order


class FrozenWindowAttention(nn.Module):
    """Constants: key bias, scale, position bias and, for one size of the map, order of tokens and masks.

    Made by ``WindowAttentionV2.frozen``. A map of another size than the last one costs the constants anew; an
    exporter calls ``prepare`` beforehand, so that they are constants of its graph too.
    """

    position_bias: Tensor
    scale: Tensor
    bias: Tensor
    order: Tensor
    inverse: Tensor

    def __init__(
        self, qkv: nn.Linear, proj: nn.Linear, scale: Tensor, position_bias: Tensor, window: int, shift: int
    ) -> None:
        """``qkv`` with a key bias of zero; ``scale`` (heads, 1, 1); ``position_bias`` (1, heads, N, N)."""
        super().__init__()
        self.qkv, self.proj = qkv, proj
        self.window, self.shift = window, shift
        self.register_buffer("scale", scale, persistent=False)
        self.register_buffer("position_bias", position_bias, persistent=False)
        for name in ("bias", "order", "inverse"):
            self.register_buffer(name, torch.empty(0), persistent=False)
        self._prepared = (0, 0)

    def prepare(self, height: int, width: int) -> None:
        """Work out the constants for maps of this size."""
        layout = window_layout(height, width, self.window, self.shift)
        with torch.inference_mode(False), torch.no_grad():
            device = self.position_bias.device
            self.order, self.inverse = (index.to(device) for index in window_order(layout))
            self.bias = self.position_bias
            if any(layout.shifts):
                self.bias = self.bias + shift_mask(layout).to(self.bias).unsqueeze(1)
        self._prepared = (height, width)

    def forward(self, x: Tensor) -> Tensor:
        """(B, H, W, C) -> (B, H, W, C)."""
        batch, height, width, dim = x.shape
        if self._prepared != (height, width):
            self.prepare(height, width)
        layout = window_layout(height, width, self.window, self.shift)
        tokens = pad_to_layout(x, layout).reshape(batch, -1, dim)
        windows = tokens.index_select(1, self.order).view(-1, self.window**2, dim)
        q, k, v = split_heads(self.qkv(windows), self.scale.shape[0])
        bias = repeat_bias(self.bias, batch)
        out = F.scaled_dot_product_attention(q * self.scale, k, v, attn_mask=bias, scale=1.0)
        tokens = self.proj(join_heads(out)).view(batch, -1, dim).index_select(1, self.inverse)
        return tokens.view(batch, *layout.size, dim)[:, :height, :width]
