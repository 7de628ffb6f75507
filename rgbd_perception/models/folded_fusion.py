"""GeminiFusion and released DSIM for inference: the same function of the streams with less arithmetic."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from rgbd_perception.models.deployment import linear_of


class FoldedGemini(nn.Module):
    """The attention of GeminiFusion in closed form.

    A softmax over two scores is a sigmoid of their difference, so only the difference of the keys is needed:
    the noise plus what the score takes off the own feature. All that is linear in a stream is one layer.
    """

    def __init__(self, attentions: tuple[Any, Any], judger: Any, k_noise: Tensor, v_noise: Tensor) -> None:
        """Attentions of both directions, a discriminator that starts with an MLP, and noise (2, C)."""
        super().__init__()
        self.heads = attentions[0].heads
        scale = (k_noise.shape[1] // self.heads) ** -0.5
        mlp, *rest = judger
        judge_own, judge_other = mlp.fc1.weight.chunk(2, dim=1)
        own, other, keys, outputs = [], [], [], []
        for attention, key_noise, value_noise in zip(attentions, k_noise, v_noise, strict=True):
            to_query, to_key, to_value = attention.in_proj_weight.chunk(3)
            query_bias, _, value_bias = attention.in_proj_bias.chunk(3)
            weight = torch.cat((scale * to_query, to_value, judge_own))
            own.append((weight, torch.cat((scale * query_bias, to_value @ value_noise, mlp.fc1.bias))))
            other.append(torch.cat((to_value, judge_other)))
            keys.append(linear_of(to_key, to_key @ key_noise))
            out = attention.out_proj
            outputs.append(linear_of(out.weight, out.bias + out.weight @ value_bias))
        self.streams = nn.ModuleList(
            linear_of(torch.cat((weight, seen)), torch.cat((bias, bias.new_zeros(seen.shape[0]))))
            for (weight, bias), seen in zip(own, reversed(other), strict=True)
        )
        self.judge = nn.Sequential(linear_of(mlp.fc2.weight, mlp.fc2.bias), *rest)
        self.keys, self.outputs = nn.ModuleList(keys), nn.ModuleList(outputs)

    def fuse(self, host: nn.Module, x: Tensor) -> Tensor:
        """(2B, ..., C), stream 0 first -> the same shape."""
        streams = x.chunk(2)
        parts = [linear(own).chunk(5, dim=-1) for linear, own in zip(self.streams, streams, strict=True)]
        fused = []
        for direction, own in enumerate(streams):
            query, value, judged, _, _ = parts[direction]
            *_, other_value, other_judged = parts[1 - direction]
            score = self.judge(F.gelu(judged + other_judged))
            key = self.keys[direction](own - own * score)
            weight = (query * key).unflatten(-1, (self.heads, -1)).sum(dim=-1, keepdim=True).sigmoid()
            gained = (weight * (value - other_value).unflatten(-1, (self.heads, -1))).flatten(-2)
            fused.append(own + self.outputs[direction](other_value + gained))
        return torch.cat(fused)


class FoldedDsim(nn.Module):
    """Released DSIM, whose only key always has weight 1: one linear layer of the sum of the streams."""

    def __init__(self, attentions: tuple[Any, Any], v_noise: Tensor) -> None:
        """Attentions of both directions and noise (2, C) of the plain form."""
        super().__init__()
        weights, biases = [], []
        for attention, noise in zip(attentions, v_noise, strict=True):
            weight, bias = attention.of_one_token()
            weights.append(weight)
            biases.append(bias + weight @ noise)
        self.update = linear_of(torch.cat(weights), torch.cat(biases))

    def fuse(self, host: nn.Module, x: Tensor) -> Tensor:
        """(2B, ..., C), stream 0 first -> the same shape."""
        first, second = x.chunk(2)
        return x + torch.cat(self.update(first + second).chunk(2, dim=-1))
