"""The linear probe as published for DVEFormer (arXiv:2601.00359): one matrix on a frozen network.

``probe.fit_probe`` is the quick one for our own rendered views; this one takes any labelled data set.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from rgbd_perception.errors import UserError
from rgbd_perception.inference.embedding_classes import class_logits
from rgbd_perception.models.network import Network
from rgbd_perception.training.datasets.views import LabelledView, LabelledViews
from rgbd_perception.training.labelled_outputs import DepthStatistics, embed_views
from rgbd_perception.training.losses import cross_entropy_loss
from rgbd_perception.training.losses.class_weights import ClassPixels
from rgbd_perception.training.rates import Moment, OneCycle
from rgbd_perception.training.view_augmentation import DveformerAugmentation

BaseMode = Literal["eval", "train"]


class Batch(NamedTuple):
    """Numbers of views, and of the epoch that sees them."""

    epoch: int
    views: list[int]


Progress = Callable[[Iterable[Batch], int], Iterable[Batch]]
"""Passes batches on and may show how many of all are done."""


@dataclass(frozen=True)
class ProbeConfig:
    """The published protocol, but for ``base``.

    rate    of AdamW for a batch of 8: it is multiplied by batch / 8
    base    "train" as published: there dropout, stochastic depth and batch statistics disturb the frozen
            network, because only its gradients were switched off; "eval" is what was meant
    """

    epochs: int = 50
    batch: int = 4
    rate: float = 1e-2
    weight_decay: float = 1e-4
    base: BaseMode = "eval"
    seed: int = 0

    def __post_init__(self) -> None:
        if self.epochs < 1 or self.batch < 1:
            raise UserError(f"expected epochs and a batch of 1 or more, got {self.epochs} and {self.batch}")


def train_probe(
    model: Network,
    views: LabelledViews,
    rows: Tensor,
    config: ProbeConfig,
    depth: DepthStatistics,
    progress: Progress = lambda batches, total: batches,
) -> list[Tensor]:
    """Rows (C, D) of the probe after every epoch, started at ``rows`` (C, D): visual means or texts.

    Median-frequency weights, void ignored, one learning rate for an epoch (one cycle). The authors keep the
    epoch that is best on the test split. Raises UserError for views that cannot be read.
    """
    device = next(model.parameters()).device
    weights = _class_weights(views).to(device)
    rng = np.random.default_rng(config.seed)
    torch.manual_seed(config.seed)
    augment = DveformerAugmentation(size=model.config.input_size)
    probe = nn.Parameter(rows.detach().clone().float().to(device))
    peak = config.rate * config.batch / 8
    cycle = OneCycle()
    optimizer = torch.optim.AdamW([probe], lr=peak, weight_decay=config.weight_decay)
    order = _batches(rng, len(views), config)
    epochs: list[Tensor] = []
    with base_mode(model, config.base):
        for epoch, batch in progress(order, len(order)):
            if epoch > len(epochs):
                epochs.append(probe.detach().cpu().clone())
            for group in optimizer.param_groups:
                group["lr"] = peak * cycle.factor(Moment(epoch, config.epochs, epoch / config.epochs, 1))
            seen = [augment(views.view(index), rng) for index in batch]
            labels = _grid_labels(seen, model.config.stride).to(device)
            with torch.no_grad():
                embedding = embed_views(model, seen, depth)
            loss = cross_entropy_loss(class_logits(embedding, probe), labels, weights)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return [*epochs, probe.detach().cpu()]


def _batches(rng: np.random.Generator, views: int, config: ProbeConfig) -> list[Batch]:
    """All views once in each epoch."""
    batches = []
    for epoch in range(config.epochs):
        order = rng.permutation(views).tolist()
        batches += [
            Batch(epoch, order[start : start + config.batch]) for start in range(0, views, config.batch)
        ]
    return batches


def _class_weights(views: LabelledViews) -> Tensor:
    pixels = ClassPixels(len(views.info.classes))
    for index in range(len(views)):
        pixels.add(views.view(index).semantic)
    return torch.from_numpy(pixels.median_frequency_weights())


def _grid_labels(views: Sequence[LabelledView], stride: int) -> Tensor:
    """(B, h, w): the nearest label of each cell of the network's output, as the authors resize them."""
    return torch.from_numpy(np.stack([view.semantic[::stride, ::stride] for view in views]).astype(np.int64))


@contextmanager
def base_mode(model: nn.Module, mode: BaseMode) -> Iterator[None]:
    """Within this the network is in ``mode``, without gradients; batch norms keep their statistics."""
    norms = [module for module in model.modules() if isinstance(module, nn.modules.batchnorm._BatchNorm)]
    statistics = [(buffer, buffer.clone()) for norm in norms for buffer in norm.buffers(recurse=False)]
    training, needed = model.training, [parameter.requires_grad for parameter in model.parameters()]
    model.train(mode == "train").requires_grad_(False)
    try:
        yield
    finally:
        model.train(training)
        for parameter, need in zip(model.parameters(), needed, strict=True):
            parameter.requires_grad_(need)
        for buffer, value in statistics:
            buffer.copy_(value)
