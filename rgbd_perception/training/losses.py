"""Distillation onto text-aligned targets: the published loss, and a contrastive term of our own."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F
from torch.nn.utils.rnn import pad_sequence

from rgbd_perception.training.cells import Cells


def segment_targets(
    panoptic: NDArray[np.integer],
    ids: Sequence[int] | NDArray[np.integer],
    embeddings: NDArray[np.floating],
    image_embedding: NDArray[np.floating],
    diff_factor: float,
) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
    """Target table and index image of one view (DVEFormer, arXiv:2601.00359).

    panoptic (H, W) holds segment ids; ``embeddings`` (S, D) are those of the segments ``ids`` (S,). From each
    of them ``diff_factor`` times the embedding of the whole image (D,) is taken away, which leaves what sets
    the segment apart; 0 leaves the direction as it is.
    Returns the table (S, D) of unit rows in the order of ``ids`` and the index image (H, W): 0 where the
    segment has no embedding, otherwise 1 + its row. Segments without a pixel keep their row.
    """
    ids = np.asarray(ids, dtype=np.int64)
    segments = _unit_rows(np.asarray(embeddings, dtype=np.float32))
    if diff_factor:
        image = _unit_rows(np.asarray(image_embedding, dtype=np.float32)[None])
        segments = _unit_rows(segments - np.float32(diff_factor) * image)
    order = np.argsort(ids, kind="stable")
    pixels = np.asarray(panoptic, dtype=np.int64)
    if not len(ids):
        return segments, np.zeros(pixels.shape, np.int32)
    place = np.minimum(np.searchsorted(ids[order], pixels), len(ids) - 1)
    found = ids[order][place] == pixels
    return segments, np.where(found, order[place] + 1, 0).astype(np.int32)


def cosine_distillation_loss(cells: Cells, tables: Sequence[Tensor], indices: Tensor) -> Tensor:
    """Mean of ``1 - cos(pred, target)`` over all pixels of the batch that have a target.

    ``cells`` of B images with h * w cells each; ``tables[b]`` (S_b, D) and indices (B, h, w) as
    ``segment_targets`` returns them. Every pixel counts equally, whichever image it is in; a batch without
    targets gives 0.
    """
    rows = pad_sequence(list(tables), batch_first=True)
    pixels = indices.flatten(1).long()
    if not rows.shape[1]:
        return cells.lengths.sum() * 0.0
    # All products with the few rows of a table cost less than gathering a target for every pixel.
    own = cells.products(rows).gather(2, pixels.clamp_min(1)[..., None] - 1)[..., 0]
    distances = torch.where(pixels > 0, 1.0 - own / cells.lengths, 0.0)
    return distances.sum() / (pixels > 0).sum().clamp_min(1)


def class_contrast_loss(
    cells: Cells, class_embeddings: Tensor, labels: Tensor, class_weights: Tensor, temperature: float
) -> Tensor:
    """Our own auxiliary term, not part of DVEFormer: tell the classes apart, not only approach the target.

    Cosines between near classes (wardrobe, cabinet) reach 0.8 in the text space, so the distillation loss
    hardly changes when a pixel turns to the wrong one of the two. This is the cross-entropy of the softmax
    over ``cos(pred, class mean) / temperature``, weighted by class so that small things count.

    ``cells`` of B images; class_embeddings (C, D) unit rows; labels (B, h, w), -1 where there is none;
    class_weights (C,). Returns the weighted mean over labelled pixels, 0 where there are none.
    """
    logits = cells.products(class_embeddings) / (temperature * cells.lengths[..., None])
    labels = labels.long().flatten()
    losses = F.cross_entropy(
        logits.flatten(0, 1), labels, weight=class_weights, ignore_index=-1, reduction="sum"
    )
    return losses / class_weights[labels[labels >= 0]].sum().clamp_min(1e-6)


def _unit_rows(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    return rows / np.maximum(np.linalg.norm(rows, axis=-1, keepdims=True), 1e-12)
