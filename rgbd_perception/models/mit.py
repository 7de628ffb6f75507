"""Mix Transformer of SegFormer (Xie et al. 2021, arXiv:2105.15203) for streams that share their weights.

Only the layer norms exist once per stream. Streams are stacked along the batch axis, see ``parallel``.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn
from torch.nn import functional as F

from rgbd_perception.models.drop_path import DropPath, drop_path_rates
from rgbd_perception.models.fusion import Fusion, fold_fusion
from rgbd_perception.models.parallel import STREAMS, ParallelNorm, Shared, SharedMlp, initialise
from rgbd_perception.models.window_attention import fit_stages

MLP_RATIO = 4
PATCH_STRIDES = (4, 2, 2, 2)


@dataclass(frozen=True)
class MitConfig:
    """Sizes of the backbone, one number per stage (strides 4, 8, 16, 32).

    ``reductions`` are the strides of the convolution that shrinks the keys and values.
    """

    widths: tuple[int, ...] = (64, 128, 320, 512)
    depths: tuple[int, ...] = (2, 2, 2, 2)
    heads: tuple[int, ...] = (1, 2, 5, 8)
    reductions: tuple[int, ...] = (8, 4, 2, 1)

    @property
    def min_size(self) -> int:
        """Least height and width of an image: no map may be smaller than its reduction."""
        strides = [math.prod(PATCH_STRIDES[: stage + 1]) for stage in range(len(PATCH_STRIDES))]
        sides = zip(strides, self.reductions, strict=True)
        return max(stride * (reduction - 1) + 1 for stride, reduction in sides)


MIT_CONFIGS: dict[str, MitConfig] = {
    "mit_b0": MitConfig(widths=(32, 64, 160, 256)),
    "mit_b1": MitConfig(),
    "mit_b2": MitConfig(depths=(3, 4, 6, 3)),
    "mit_b3": MitConfig(depths=(3, 4, 18, 3)),
    "mit_b4": MitConfig(depths=(3, 8, 27, 3)),
    "mit_b5": MitConfig(depths=(3, 6, 40, 3)),
}


@dataclass(frozen=True)
class BlockNames:
    """Where published names differ: prefix of the norms, and a wrapper around the depth-wise convolution."""

    norm: str = "ln"
    wrapped_convolution: bool = False


class MitAttention(nn.Module):
    """Self-attention with reduced keys and values; ``fusion`` sits before the output projection."""

    def __init__(
        self, dim: int, heads: int, reduction: int, fusion: Fusion | None, names: BlockNames
    ) -> None:
        super().__init__()
        self.heads, self.fusion = heads, fusion
        self.q = Shared(nn.Linear(dim, dim))
        self.kv = Shared(nn.Linear(dim, 2 * dim))
        self.proj = Shared(nn.Linear(dim, dim))
        self.sr: Shared | None = None
        if reduction > 1:
            self.sr = Shared(nn.Conv2d(dim, dim, reduction, stride=reduction))
            self.norm = ParallelNorm(dim, prefix=names.norm)
        if fusion is not None:
            fusion.equip(self, dim)

    def forward(self, x: Tensor) -> Tensor:
        """(2B, H, W, C) -> the same shape."""
        attended = self.attend(x)
        if self.fusion is not None:
            attended = self.fusion.fuse(self, attended)
        return self.proj(attended)

    def attend(self, x: Tensor) -> Tensor:
        """Attention-weighted values, heads joined: (2B, H, W, C) -> the same shape."""
        q = self.q(x).flatten(1, 2).unflatten(-1, (self.heads, -1)).transpose(1, 2)
        kv = self.kv(self._reduce(x)).flatten(1, 2).chunk(2, dim=-1)
        k, v = (part.unflatten(-1, (self.heads, -1)).transpose(1, 2) for part in kv)
        return F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(x.shape)

    def deployed(self) -> MitAttention:
        """With its fusion in closed form."""
        fold_fusion(self)
        return self

    def _reduce(self, x: Tensor) -> Tensor:
        if self.sr is None:
            return x
        return self.norm(self.sr(x.permute(0, 3, 1, 2)).permute(0, 2, 3, 1))


class MixFfn(SharedMlp):
    """Two linears with a depth-wise 3x3 convolution between them, which tells the tokens where they are."""

    def __init__(self, dim: int, names: BlockNames) -> None:
        super().__init__(dim, MLP_RATIO * dim)
        hidden = MLP_RATIO * dim
        convolution: nn.Module = nn.Conv2d(hidden, hidden, 3, padding=1, groups=hidden)
        if names.wrapped_convolution:
            convolution = Shared(convolution)
        self.dwconv = nn.Sequential(OrderedDict(dwconv=convolution))

    def forward(self, x: Tensor) -> Tensor:
        """(B, H, W, C) -> the same shape."""
        mixed = self.dwconv(self.fc1(x).permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
        return self.fc2(F.gelu(mixed))


class MitBlock(nn.Module):
    """Residual block with pre-norm: attention, then the MLP."""

    def __init__(
        self,
        dim: int,
        heads: int,
        reduction: int,
        drop_path: float,
        fusion: Fusion | None = None,
        names: BlockNames | None = None,
    ) -> None:
        super().__init__()
        names = names or BlockNames()
        self.norm1 = ParallelNorm(dim, prefix=names.norm)
        self.attn = MitAttention(dim, heads, reduction, fusion, names)
        self.drop_path = DropPath(drop_path)
        self.norm2 = ParallelNorm(dim, prefix=names.norm)
        self.mlp = MixFfn(dim, names)

    def forward(self, x: Tensor) -> Tensor:
        """(2B, H, W, C) -> the same shape."""
        x = x + self.drop_path(self.attn(self.norm1(x)))
        return x + self.drop_path(self.mlp(self.norm2(x)))


class PatchEmbedding(nn.Module):
    """Shared overlapping convolution, one norm per stream: (M * B, C, H, W) -> tokens (M * B, h, w, D)."""

    def __init__(
        self, channels: int, dim: int, kernel: int, stride: int, streams: int = STREAMS, prefix: str = "ln"
    ) -> None:
        super().__init__()
        self.proj = Shared(nn.Conv2d(channels, dim, kernel, stride=stride, padding=kernel // 2))
        self.norm = ParallelNorm(dim, streams, prefix)

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(self.proj(x).permute(0, 2, 3, 1))


class Mit(nn.Module):
    """Four stages, each an embedding of patches, blocks and a norm."""

    def __init__(
        self, config: MitConfig, fusion: Fusion | None, drop_path: float, embedded_streams: int = STREAMS
    ) -> None:
        """``embedded_streams``: how many streams the patch embeddings norm; the blocks work on two."""
        super().__init__()
        rates = iter(drop_path_rates(drop_path, sum(config.depths)))
        channels = (3, *config.widths)
        for stage, dim in enumerate(config.widths):
            kernel = 7 if stage == 0 else 3
            embedding = PatchEmbedding(channels[stage], dim, kernel, PATCH_STRIDES[stage], embedded_streams)
            blocks = [
                MitBlock(dim, config.heads[stage], config.reductions[stage], next(rates), fusion)
                for _ in range(config.depths[stage])
            ]
            self.add_module(f"patch_embed{stage + 1}", embedding)
            self.add_module(f"block{stage + 1}", nn.ModuleList(blocks))
            self.add_module(f"norm{stage + 1}", ParallelNorm(dim))
        self.apply(initialise)

    def stages(self) -> Iterator[tuple[Any, Any, Any]]:
        """Patch embedding, blocks and norm of each stage."""
        for stage in range(1, len(PATCH_STRIDES) + 1):
            yield tuple(getattr(self, f"{part}{stage}") for part in ("patch_embed", "block", "norm"))

    def forward(self, x: Tensor) -> Sequence[Tensor]:
        """Images (2B, 3, H, W) -> features (2B, C, h, w) at strides 4, 8, 16, 32."""
        features = []
        for embed, blocks, norm in self.stages():
            tokens = embed(x)
            for block in blocks:
                tokens = block(tokens)
            x = norm(tokens).permute(0, 3, 1, 2)
            features.append(x)
        return features

    def prepare(self, height: int, width: int) -> None:
        """Work out the constants of frozen fusions for images of this size."""
        patch = PATCH_STRIDES[0]
        fit_stages((blocks for _, blocks, _ in self.stages()), -(-height // patch), -(-width // patch))
