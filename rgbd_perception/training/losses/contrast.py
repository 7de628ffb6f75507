"""A contrastive term of our own beside the distillation."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F

from rgbd_perception.training.cells import Cells


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
