"""DVEFormer for processors: the same function of the images with fewer copies and less arithmetic.

Maps are lists of tokens (N, C) in raster order, so that layers are plain matrix products; windows, heads and
patches are picked as rows by one gather each, in place of padding, cutting, splitting and transposing. In the
decoder all layers of a branch, which commute with interpolation, have become one matrix, applied before it;
branches then come to the resolution of the finest by two products with interpolation matrices. What depends
on parameters alone is worked out anew in each call: in an exported graph that is constant.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from rgbd_perception.inference.frame_graph import DepthEncoding, FrameGraph, grid_scores
from rgbd_perception.inference.graph_parts import compare_affine, compare_wide
from rgbd_perception.inference.lean_patches import Size, Tokens, embedded_patches
from rgbd_perception.models.dveformer import DVEFormer
from rgbd_perception.models.mlp_decoder import MlpDecoder
from rgbd_perception.models.network import Network
from rgbd_perception.models.numerics import unit_vectors
from rgbd_perception.models.swin_v2 import PatchMergingV2, SwinBlockV2, WindowAttentionV2
from rgbd_perception.models.swin_v2_multi import SwinMulti
from rgbd_perception.models.windows import FIRMLY_MASKED, WindowLayout, masked_bias, window_order


class LeanFrameGraph(FrameGraph):
    """``FrameGraph`` of a plain DVEFormer (not its fused form) whose head is one matrix, in float32."""

    root: Tensor

    def __init__(self, network: Network, size: Size, depth: DepthEncoding, half: bool) -> None:
        """See the base class."""
        super().__init__(network, size, depth, half)
        whole = _head_matrix(network).detach()
        self.register_buffer("root", torch.linalg.qr(whole.double(), mode="r").R.to(whole.dtype))

    def forward(self, color: Tensor, depth: Tensor, *classes: Tensor) -> tuple[Tensor, ...]:
        """See the base class."""
        matrix, offset = classes
        features = lean_features(self.network, *self._inputs(color, depth))
        whole = _head_matrix(self.network)
        if self.narrow:
            unit, logits = compare_affine(features, whole, matrix, offset, self.root)
        else:
            unit, logits = compare_wide(features, whole, matrix, offset)
        # Brought into shape before the last step: what comes last is written into the caller's arrays.
        return *grid_scores(logits.view(*self.grid, -1)), unit.view(*self.grid, -1).half()

    def _planes(self, color: Tensor) -> Tensor:
        return color.permute(2, 0, 1).float()  # bytes are moved, not floats


def _head_matrix(network: Any) -> Tensor:
    """(D, F + 1): weight and bias of the head."""
    weight, bias = network.decoder.head_matrix()
    return torch.cat((weight, bias[:, None]), dim=1)


def has_lean_form(network: Network, size: Size) -> bool:
    """Whether ``LeanFrameGraph`` can compute ``network`` for images of ``size`` (H, W)."""
    if not isinstance(network, DVEFormer) or network.decoder.head_matrix() is None:
        return False
    return not any(side % network.config.input_multiple for side in size)


def lean_features(network: DVEFormer, rgb: Tensor, depth: Tensor) -> Tensor:
    """What the embedding head gets, of images (1, C, H, W): (H/4 * W/4, F + 1), the last column being 1.

    That column costs nothing here, and makes of biases behind it columns of their matrices.
    """
    *skips, last = _encode(cast(SwinMulti, network.encoder.backbone), rgb, depth)
    context = network.context_module(_to_maps(last))
    return _decode(network.decoder, [_to_tokens(context), *reversed(skips)])


def _encode(backbone: SwinMulti, rgb: Tensor, depth: Tensor) -> list[Tokens]:
    """Tokens of the four stages."""
    tokens = embedded_patches(backbone, rgb, depth)
    stages = []
    for stage in (backbone.layer_1, backbone.layer_2, backbone.layer_3, backbone.layer_4):
        tokens = _stage(stage, tokens)
        stages.append(tokens)
    return stages


def _stage(module: nn.Module, tokens: Tokens) -> Tokens:
    """A stage, whose blocks lie in containers, behind its merging."""
    if isinstance(module, SwinBlockV2):
        return Tokens(_block(module, tokens), tokens.size)
    if isinstance(module, PatchMergingV2):
        return _merge(module, tokens)
    if isinstance(module, nn.LayerNorm):
        return Tokens(module(tokens.rows), tokens.size)
    for child in module.children():
        tokens = _stage(child, tokens)
    return tokens


def _block(block: SwinBlockV2, tokens: Tokens) -> Tensor:
    x = tokens.rows
    if block.local is not None:
        # The residual connection is one more weight in the middle of the kernel.
        weight = block.local.weight + F.pad(torch.ones(1, 1, 1, 1), (1, 1, 1, 1))
        maps = F.conv2d(_to_maps(tokens), weight, block.local.bias, padding=1, groups=len(weight))
        x = _to_tokens(maps).rows
    x = x + block.norm1(_attend(block.attn, Tokens(x, tokens.size)))
    first, *others = block.mlp
    assert isinstance(first, nn.Linear)
    hidden = F.linear(torch.cat((x, x.new_ones(len(x), 1)), dim=1), _with_bias(first))
    for layer in others:
        hidden = layer(hidden)
    return x + block.norm2(hidden)


def _with_bias(layer: nn.Linear | nn.Conv2d) -> Tensor:
    """(out, in + 1): the bias as one more column, for inputs that end with 1.

    Bias and product in one pass: run-times write the bias first and then add to it.
    """
    assert layer.bias is not None
    return torch.cat((layer.weight.flatten(1), layer.bias[:, None]), dim=1)


def _attend(attention: WindowAttentionV2, tokens: Tokens) -> Tensor:
    """Cosine attention inside windows: tokens (N, C) -> (N, C)."""
    dim, heads, layout = attention.dim, attention.heads, attention.windows.layout(*tokens.size)
    split = _split_one_head if heads == 1 else _split_heads
    q, k, v = (x.view(-1, heads, layout.window**2, dim // heads) for x in split(attention, tokens, layout))
    position_bias = masked_bias(attention.position_bias(), layout, FIRMLY_MASKED)
    attended = torch.softmax(q @ k.transpose(-1, -2) + position_bias, dim=-1) @ v
    run = _run(tokens.size, layout) if heads == 1 else 1
    back = _pick_heads(tokens.size, layout, heads).back[::run] // run
    joined = attended.view(-1, run * dim // heads).index_select(0, back).view(-1, dim)
    proj = cast(nn.Linear, attention.proj)
    # Shares of attention add up to 1: what would be added to all values can be added to the result.
    return F.linear(joined, proj.weight, proj.bias + proj.weight @ attention.qkv_bias()[2 * dim :])


def _split_heads(attention: WindowAttentionV2, tokens: Tokens, layout: WindowLayout) -> Iterable[Tensor]:
    """Queries, keys and values, a head of a token being a row: (windows * heads * N, C / heads) each."""
    dim, heads = attention.dim, attention.heads
    picks = _pick_heads(tokens.size, layout, heads)
    x = tokens.rows
    if layout.size != tokens.size:
        x = F.pad(x, (0, 0, 0, 1))  # one token of zeros stands for all padding
    weight, bias = attention.qkv.weight, attention.qkv_bias()
    both = F.linear(x, weight[: 2 * dim], bias[: 2 * dim]).view(-1, dim // heads)
    values = F.linear(x, weight[2 * dim :]).view(-1, dim // heads)
    scale = attention.scale().view(heads, 1)
    # As large as what it is multiplied with: narrow rows that are repeated are slow.
    both = unit_vectors(both, length=torch.cat((scale, torch.ones_like(scale))).repeat(len(x), 1))
    pairs = (both, picks.queries), (both, picks.keys), (values, picks.values)
    return (rows.index_select(0, index) for rows, index in pairs)


def _split_one_head(attention: WindowAttentionV2, tokens: Tokens, layout: WindowLayout) -> Iterable[Tensor]:
    """The same for a single head: its tokens are brought into the order of windows before the products."""
    dim, run = attention.dim, _run(tokens.size, layout)
    x = tokens.rows
    if layout.size != tokens.size:
        x = F.pad(x, (0, 0, 0, run))
    runs = _pick_heads(tokens.size, layout, 1).values[::run] // run
    x = x.view(-1, run * dim).index_select(0, runs).view(-1, dim)
    to_query, to_key, to_value = attention.qkv.weight.chunk(3)
    query = F.linear(x, to_query, attention.qkv.bias[:dim])
    length = attention.scale().view(1, 1).repeat(len(x), 1)
    return unit_vectors(query, length=length), unit_vectors(F.linear(x, to_key)), F.linear(x, to_value)


def _run(size: Size, layout: WindowLayout) -> int:
    """How many tokens lie side by side both in the map and in windows, everywhere."""
    return math.gcd(size[1], layout.window, layout.shifts[1])


def _merge(merging: PatchMergingV2, tokens: Tokens) -> Tokens:
    height, width = tokens.size
    x = tokens.rows
    if height % 2 or width % 2:
        x = F.pad(x, (0, 0, 0, 1))
    phases = x.index_select(0, _pick_phases(tokens.size)).view(-1, 4 * x.shape[1])
    return Tokens(merging.norm(merging.reduction(phases)), (-(-height // 2), -(-width // 2)))


class HeadPicks(NamedTuple):
    """Rows to pick, a row being one head of one token.

    queries, keys  (windows * heads * N,) rows of (tokens, 2, heads), window by window and head by head
    values         the same of (tokens, heads)
    back           (tokens * heads,) rows of (windows, heads, N), token by token
    """

    queries: Tensor
    keys: Tensor
    values: Tensor
    back: Tensor


@lru_cache(maxsize=64)
def _pick_heads(size: Size, layout: WindowLayout, heads: int) -> HeadPicks:
    height, width = size
    order, inverse = window_order(layout)
    row, column = order // layout.size[1], order % layout.size[1]
    # What is padded is the token behind the last one.
    token = torch.where((row < height) & (column < width), row * width + column, height * width)
    token = token.view(-1, 1, layout.window**2)
    head = torch.arange(heads)
    queries = 2 * heads * token + head[:, None]
    place = inverse.view(layout.size)[:height, :width].reshape(-1, 1)
    window, inside = place // layout.window**2, place % layout.window**2
    back = (window * heads + head) * layout.window**2 + inside
    values = heads * token + head[:, None]
    return HeadPicks(queries.flatten(), (queries + heads).flatten(), values.flatten(), back.flatten())


@lru_cache(maxsize=64)
def _pick_phases(size: Size) -> Tensor:
    """Four tokens for each of the merged ones, in the order of ``windows.merge_phases``."""
    height, width = size
    raster = F.pad(
        torch.arange(height * width).view(height, width), (0, width % 2, 0, height % 2), value=height * width
    )
    phases = (raster[0::2, 0::2], raster[1::2, 0::2], raster[0::2, 1::2], raster[1::2, 1::2])
    return torch.stack(phases, dim=-1).flatten()


def _decode(decoder: MlpDecoder, maps: Sequence[Tokens]) -> Tensor:
    """Context and skips, the coarsest first -> (N, fused) at the resolution of the last."""
    fuse, norm = decoder.fuse, decoder.fuse.norm
    assert norm.running_mean is not None and norm.running_var is not None
    factor = norm.weight / torch.sqrt(norm.running_var + norm.eps)
    shares = (factor[:, None] * fuse.conv.weight.flatten(1)).split(fuse.branches, dim=1)
    convs: list[Any] = [branch.embedding.conv for branch in (decoder.main_branch, *decoder.skip_branches)]
    norms = [nn.Identity(), *decoder.skip_fusions]
    matrices = [share @ conv.weight.flatten(1) for share, conv in zip(shares, convs, strict=True)]
    bias = norm.bias - factor * norm.running_mean
    for share, conv in zip(shares, convs, strict=True):
        bias = bias + share @ conv.bias
    finest = maps[-1]
    matrices = [F.pad(matrix, (0, 0, 0, 1)) for matrix in matrices]
    biases = [F.pad(bias, (0, 1), value=1.0)] + [None] * (len(maps) - 1)
    fused = [
        Tokens(F.linear(normed(each.rows), matrix, constant), each.size)
        for each, normed, matrix, constant in zip(maps[:-1], norms, matrices, biases, strict=False)
    ]
    # Three axes: as rows they would become a product that copies what is added to it, and is slower.
    last = F.linear(norms[-1](finest.rows).view(*finest.size, -1), matrices[-1])
    return F.relu(last + _upsample(fused, finest.size)).flatten(0, 1)


def _upsample(maps: Sequence[Tokens], size: Size) -> Tensor:
    """The sum of all maps, interpolated bilinearly to ``size``: (h, w, C)."""
    channels = maps[0].rows.shape[1]
    tall = [
        (_interpolation(each.size[0], size[0]) @ each.rows.view(each.size[0], -1)).view(size[0], -1, channels)
        for each in maps
    ]
    across = torch.cat([_interpolation(each.size[1], size[1]) for each in maps], dim=1)
    return across @ torch.cat(tall, dim=1)


@lru_cache(maxsize=64)
def _interpolation(side: int, larger: int) -> Tensor:
    """(larger, side): the weights of bilinear interpolation along one axis."""
    unit = torch.eye(side).view(1, side, side, 1)
    return F.interpolate(unit, size=(larger, 1), mode="bilinear", align_corners=False).view(side, larger).T


def _to_maps(tokens: Tokens) -> Tensor:
    """(1, C, h, w)."""
    return tokens.rows.view(1, *tokens.size, -1).permute(0, 3, 1, 2)


def _to_tokens(maps: Tensor) -> Tokens:
    """Of (1, C, h, w)."""
    return Tokens(maps.permute(0, 2, 3, 1).flatten(0, 2), (maps.shape[2], maps.shape[3]))


CACHES = (_pick_heads, _pick_phases, _interpolation)
"""What keeps tensors made of shapes alone: a trace must start and end with none (``inference.export``)."""
