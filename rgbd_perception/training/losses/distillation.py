"""Distillation onto the targets of segments: the published cosine loss, and its alternatives mse and l1.

A prediction has D numbers for every pixel, 944 MB for one image of the full resolution network; a target of
the same size and the copies that autograd would keep are avoided: targets are gathered from their table for a
few lines at a time, and the gradient is written down instead of recorded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn.utils.rnn import pad_sequence

from rgbd_perception.training.cells import Cells
from rgbd_perception.training.losses.terms import Terms

Array = Tensor | NDArray[Any]
Distance = Literal["cosine", "mse", "l1"]

CHUNK = 1 << 21
"""Numbers of a prediction that are worked on at once: 8 MB, which stay in a processor's cache."""

EPSILON = 1e-12
"""Added to squared lengths, as in torch's CosineEmbeddingLoss."""


def cosine_distillation_loss(
    pred: Tensor | Cells, tables: Sequence[Array], indices: Sequence[Array] | Tensor
) -> Tensor:
    """Mean of ``1 - cos(pred, target)`` over all pixels of the batch that have a target (DVEFormer).

    ``pred`` (B, D, H, W) of any float type and length, or cells of B images; ``tables[b]`` (N_b, D) and
    ``indices[b]`` (H, W) as ``segment_targets`` returns them. Every pixel counts equally, whichever image it
    is in; a batch without targets gives 0. Raises ValueError for shapes that do not fit.
    """
    return distillation_terms(pred, tables, indices).mean()


def distillation_loss(
    pred: Tensor, tables: Sequence[Array], indices: Sequence[Array] | Tensor, distance: Distance = "cosine"
) -> Tensor:
    """As ``cosine_distillation_loss`` with another distance; mse and l1 are means over the D numbers."""
    return distillation_terms(pred, tables, indices, distance).mean()


def distillation_terms(
    pred: Tensor | Cells,
    tables: Sequence[Array],
    indices: Sequence[Array] | Tensor,
    distance: Distance = "cosine",
) -> Terms:
    """Sum of the distances, at least in float32, and the number of pixels. Cells take cosine only."""
    like = pred if isinstance(pred, Tensor) else pred.lengths
    kind = torch.promote_types(like.dtype, torch.float32)
    rows = [torch.as_tensor(table).to(like.device, kind) for table in tables]
    pixels = [torch.as_tensor(index).to(like.device, torch.int64) for index in indices]
    count = torch.stack([(index > 0).sum() for index in pixels]).sum()
    if not isinstance(pred, Tensor):
        if distance != "cosine":
            raise ValueError(f"expected the distance cosine for cells, got {distance}")
        return Terms(_cell_distances(pred, rows, torch.stack(pixels)), count)
    _check(pred, rows, pixels)
    return Terms(_Distances.apply(pred, rows, pixels, _DISTANCES[distance]), count)


def _cell_distances(cells: Cells, tables: list[Tensor], indices: Tensor) -> Tensor:
    """Products with the few rows of a table: all that is needed of embeddings that are never made."""
    rows = pad_sequence(tables, batch_first=True)
    if not rows.shape[1]:
        return cells.lengths.sum() * 0.0
    pixels = indices.flatten(1)
    own = cells.products(rows).gather(2, pixels.clamp_min(1)[..., None] - 1)[..., 0]
    return torch.where(pixels > 0, 1.0 - own / cells.lengths, 0.0).sum()


def _check(pred: Tensor, tables: list[Tensor], indices: list[Tensor]) -> None:
    if pred.ndim != 4 or not len(pred) == len(tables) == len(indices):
        raise ValueError(
            f"expected a prediction (B, D, H, W) with B tables and B index images, got {tuple(pred.shape)}, "
            f"{len(tables)} and {len(indices)}"
        )
    for table, index in zip(tables, indices, strict=True):
        if index.shape != pred.shape[2:] or (len(table) and table.shape[1] != pred.shape[1]):
            raise ValueError(
                f"expected targets for a prediction {tuple(pred.shape)}, got a table {tuple(table.shape)} "
                f"and an index image {tuple(index.shape)}"
            )


class _Formula(NamedTuple):
    """A distance of predictions (D, n, W) from targets (D, n, W): values (n, W), and their gradient."""

    value: Callable[[Tensor, Tensor], Tensor]
    gradient: Callable[[Tensor, Tensor], Tensor]


class _Distances(torch.autograd.Function):
    """Sum of the distances of all pixels with a target, in the precision of the tables."""

    @staticmethod
    def forward(
        ctx: Any, pred: Tensor, tables: list[Tensor], indices: list[Tensor], formula: _Formula
    ) -> Tensor:
        ctx.save_for_backward(pred)
        ctx.targets = tables, indices, formula
        total = torch.zeros((), dtype=torch.promote_types(pred.dtype, torch.float32), device=pred.device)
        for chunk in _chunks(pred, tables, indices):
            values = formula.value(chunk.part(pred).to(chunk.columns), chunk.targets())
            total += torch.where(chunk.index > 0, values, 0.0).sum()
        return total

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, scale: Tensor) -> tuple[Tensor, None, None, None]:
        (pred,) = ctx.saved_tensors
        tables, indices, formula = ctx.targets
        gradient = torch.zeros_like(pred)
        for chunk in _chunks(pred, tables, indices):
            slopes = formula.gradient(chunk.part(pred).to(chunk.columns), chunk.targets())
            chunk.part(gradient).copy_(torch.where(chunk.index > 0, scale * slopes, 0.0))
        return gradient, None, None, None


@dataclass(frozen=True)
class _Chunk:
    """Some lines of one image, and its table as columns (D, N)."""

    image: int
    lines: slice
    columns: Tensor
    index: Tensor

    def part(self, maps: Tensor) -> Tensor:
        """The view (D, n, W) of ``maps`` (B, D, H, W)."""
        return maps[self.image, :, self.lines]

    def targets(self) -> Tensor:
        """(D, n, W); the first row of the table where there is none."""
        rows = self.index.clamp_min(1).flatten() - 1
        return self.columns.index_select(1, rows).unflatten(1, self.index.shape)


def _chunks(pred: Tensor, tables: list[Tensor], indices: list[Tensor]) -> Iterator[_Chunk]:
    """All lines with a target."""
    lines = max(1, CHUNK // max(1, pred.shape[1] * pred.shape[3]))
    for image, (table, index) in enumerate(zip(tables, indices, strict=True)):
        columns = table.T.contiguous()
        for start in range(0, pred.shape[2] if len(table) else 0, lines):
            part = slice(start, start + lines)
            if bool((index[part] > 0).any()):
                yield _Chunk(image, part, columns, index[part])


def _cosine(pred: Tensor, target: Tensor) -> Tensor:
    return 1.0 - (pred * target).sum(dim=0) * _inverse_length(pred) * _inverse_length(target)


def _cosine_gradient(pred: Tensor, target: Tensor) -> Tensor:
    shorter, other = _inverse_length(pred), _inverse_length(target)
    cosine = (pred * target).sum(dim=0) * shorter * other
    return (pred * (cosine * shorter * shorter)).sub_(target * (shorter * other))


def _inverse_length(vectors: Tensor) -> Tensor:
    return (vectors.square().sum(dim=0) + EPSILON).rsqrt()


_DISTANCES: dict[str, _Formula] = {
    "cosine": _Formula(_cosine, _cosine_gradient),
    "mse": _Formula(
        lambda pred, target: (pred - target).square().mean(dim=0),
        lambda pred, target: (pred - target) * (2.0 / len(pred)),
    ),
    "l1": _Formula(
        lambda pred, target: (pred - target).abs().mean(dim=0),
        lambda pred, target: (pred - target).sign() / len(pred),
    ),
}
