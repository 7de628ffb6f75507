"""Is an engine as good as the network in fp32? Two ways from the same frames to predictions, compared."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rgbd_perception.errors import FrameDropped, UserError
from rgbd_perception.frame import Prediction, RgbdFrame

Predict = Callable[[RgbdFrame], Prediction]
"""Raises FrameDropped for a frame that cannot be used, ``prediction_not_finite`` where the result is NaN."""

NOT_FINITE = "prediction_not_finite"


@dataclass(frozen=True)
class Limits:
    """What an engine must reach.

    cosine          mean over all cells between the embeddings of both ways
    cosine_lowest   that 99 % of the cells reach at least
    labels          share of cells with the same label
    """

    cosine: float = 0.999
    cosine_lowest: float = 0.99
    labels: float = 0.99


@dataclass(frozen=True)
class Agreement:
    """How alike two ways were.

    frames, cells     that both gave a prediction for
    not_finite        frames for which the candidate gave NaN or infinite values
    label_agreement   share of cells with the same label
    cosine            mean; None without embeddings
    cosine_lowest     that 99 % of the cells reach at least
    confidence        largest difference of a cell's confidence
    """

    frames: int
    cells: int
    not_finite: int
    label_agreement: float
    cosine: float | None
    cosine_lowest: float | None
    confidence: float


def compare(frames: Iterable[RgbdFrame], reference: Predict, candidate: Predict) -> Agreement:
    """Predict every frame both ways. Frames that the reference cannot use are left out.

    Raises UserError where no frame is left.
    """
    same: list[NDArray[np.bool_]] = []
    cosines: list[NDArray[np.float32]] = []
    confidence, not_finite = 0.0, 0
    for frame in frames:
        try:
            truth = reference(frame)
        except FrameDropped:
            continue
        try:
            other = candidate(frame)
        except FrameDropped as dropped:
            if dropped.reason != NOT_FINITE:
                raise
            not_finite += 1
            continue
        same.append((truth.cell_labels == other.cell_labels).ravel())
        confidence = max(confidence, float(np.abs(truth.cell_confidence - other.cell_confidence).max()))
        if truth.embedding is not None and other.embedding is not None:
            cosines.append(_cosines(truth.embedding, other.embedding))
    if not same and not not_finite:
        raise UserError("none of the frames can be predicted in fp32: give other frames")
    return Agreement(
        frames=len(same),
        cells=sum(len(part) for part in same),
        not_finite=not_finite,
        label_agreement=float(np.concatenate(same).mean()) if same else 0.0,
        cosine=float(np.concatenate(cosines).mean()) if cosines else None,
        cosine_lowest=float(np.percentile(np.concatenate(cosines), 1.0)) if cosines else None,
        confidence=confidence,
    )


def shortfalls(agreement: Agreement, limits: Limits | None = None) -> list[str]:
    """In words, where it falls short of ``limits``; empty: the engine is good."""
    limits = limits or Limits()
    found = []
    if agreement.not_finite:
        found.append(f"NaN or infinite values in {agreement.not_finite} frames")
    if agreement.label_agreement < limits.labels:
        found.append(f"same label in {agreement.label_agreement:.2%} of the cells, not {limits.labels:.0%}")
    for value, limit, what in (
        (agreement.cosine, limits.cosine, "mean cosine of the embeddings"),
        (agreement.cosine_lowest, limits.cosine_lowest, "cosine that 99 % of the cells reach"),
    ):
        if value is not None and not value >= limit:
            found.append(f"{what} {value:.5f}, not {limit}")
    return found


def _cosines(first: NDArray[np.floating], second: NDArray[np.floating]) -> NDArray[np.float32]:
    """Of the vectors (h, w, D) of the cells, which are unit vectors only up to their rounding."""
    one, other = first.astype(np.float32), second.astype(np.float32)
    lengths = np.linalg.norm(one, axis=-1) * np.linalg.norm(other, axis=-1)
    return ((one * other).sum(axis=-1) / np.maximum(lengths, 1e-6)).astype(np.float32).ravel()
