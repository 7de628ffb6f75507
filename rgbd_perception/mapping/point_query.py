"""What is at a point of the map: classes, color, time, and how well texts fit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from rgbd_perception.errors import UserError
from rgbd_perception.mapping.confidence import score_scale
from rgbd_perception.mapping.evidence import posterior
from rgbd_perception.mapping.header import MapHeader
from rgbd_perception.mapping.keys import NO_KEY
from rgbd_perception.mapping.query import TextEncoderLike, scores_in
from rgbd_perception.mapping.query_inputs import check_text_space, checked_texts, encoded
from rgbd_perception.mapping.scoring import ScoreCalibration
from rgbd_perception.mapping.snapshot import Columns, Snapshot
from rgbd_perception.mapping.view import MapView

_RADIUS_VOXELS = 2.0
"""How far around a point a question looks where it does not say."""
_LEAST_WEIGHT = 1e-9
"""Of a voxel exactly at the radius, so that it counts where it is the only one."""
_LEAST_PROBABILITY = 0.001
"""Classes that are less likely are left out."""


@dataclass(frozen=True)
class PointAnswer:
    """What the map knows within ``radius`` metres of ``position`` (3) in ``frame_id``.

    classes  (name, probability), most likely first; what is missing to 1 belongs to no remembered class
    texts    (text, score) in the order asked; the score of all voxels there together, as in answers
    color    red, green, blue 0..255, or None
    nearest_distance  metres from ``position`` to the nearest voxel centre of the map; inf for an empty map
    message  empty, or that nothing is known there: a map holds what it saw, not what it saw to be free
    """

    position: tuple[float, float, float]
    radius: float
    frame_id: str
    voxels: int
    classes: tuple[tuple[str, float], ...] = ()
    texts: tuple[tuple[str, float], ...] = ()
    color: tuple[int, int, int] | None = None
    nearest_distance: float = float("inf")
    message: str = ""
    last_seen_ns: int = field(default=0, compare=False)

    @property
    def label(self) -> str:
        """The most likely class, empty where unknown."""
        return self.classes[0][0] if self.classes else ""


@dataclass(frozen=True)
class Ball:
    """All points within ``radius`` metres of ``center`` (3,) in the map frame."""

    center: NDArray[np.float64]
    radius: float

    def contains(self, points: NDArray[np.floating]) -> NDArray[np.bool_]:
        """(n, 3) points in the map frame -> (n,) whether they lie inside."""
        return self.distances(points) <= self.radius

    def distances(self, points: NDArray[np.floating]) -> NDArray[np.float64]:
        """(n,) metres from the centre."""
        return np.linalg.norm(points - self.center, axis=1)


def _ball(position: Sequence[float], radius: float | None, voxel_size: float) -> Ball:
    """Where to look; radius None: two voxels. Raises UserError for anything but three finite numbers and a
    positive radius."""
    center = np.array([float(value) for value in position])
    if center.shape != (3,) or not np.all(np.isfinite(center)):
        raise UserError(f"expected a position of three finite numbers in metres, got {tuple(position)}")
    radius = _RADIUS_VOXELS * voxel_size if radius is None else float(radius)
    if not (np.isfinite(radius) and radius > 0):
        raise UserError(f"expected a positive radius in metres, got {radius}")
    return Ball(center, radius)


def answer_point(
    view: MapView,
    position: Sequence[float],
    radius: float | None,
    texts: Sequence[str],
    encoder: TextEncoderLike | None,
    calibration: ScoreCalibration | None,
) -> PointAnswer:
    """What is within ``radius`` metres (None: two voxels) of ``position``, and how well ``texts`` fit there.

    Raises UserError for a position that is none, and for texts without an encoder of the map's text space.
    """
    ball = _ball(position, radius, view.header.voxel_size)
    answer = _look(view, ball)
    if not texts:
        return answer
    if encoder is None:
        raise UserError("texts at a point need a text encoder: at(position, texts=..., encoder=...)")
    check_text_space(view.header, encoder.text_space, "the text encoder is")
    scale = score_scale(encoder.text_space, calibration, None)
    query = encoded(view.header, checked_texts(texts), (), encoder, scale.rule)
    scores = scores_in(view, query, scale, ball) if answer.voxels else []
    return replace(answer, texts=tuple(zip(texts, scores, strict=False)))


def _look(view: MapView, ball: Ball) -> PointAnswer:
    """What the voxels say whose centres lie in ``ball``, without texts.

    A voxel counts by its observations, and the less the farther off: not at all at the radius.
    """
    snapshot, header = view.snapshot, view.header
    rows, distances, nearest = _inside(view, ball)
    x, y, z = (float(value) for value in ball.center)
    answer = PointAnswer((x, y, z), ball.radius, header.frame_id, int(rows.size), nearest_distance=nearest)
    if rows.size == 0:
        beyond = "the map is empty" if np.isinf(nearest) else f"the nearest voxel is {nearest:.2f} m away"
        return replace(answer, message=f"nothing is known within {ball.radius:.2f} m: {beyond}")
    columns = _read(snapshot, rows)
    weights = snapshot.weights(columns).astype(np.float64) * (1 - distances / ball.radius) + _LEAST_WEIGHT
    weights /= weights.sum()
    red, green, blue = np.clip(np.rint(weights @ columns["color"].astype(np.float64)), 0, 255).astype(int)
    return replace(
        answer,
        classes=_classes(columns, weights, header),
        color=(int(red), int(green), int(blue)),
        last_seen_ns=int(header.stamps_ns(columns["last_seen"]).max()),
    )


def _inside(view: MapView, ball: Ball) -> tuple[NDArray[np.int64], NDArray[np.float64], float]:
    """Rows in the ball, their distances, and the distance of the nearest voxel of all."""
    rows, distances = [np.empty(0, np.int64)], [np.empty(0)]
    nearest = np.inf
    for first, (key,) in view.snapshot.blocks(lambda block: (block["key"].copy(),)):
        live = np.flatnonzero(key != NO_KEY)
        away = ball.distances(view.centers(key[live]))
        nearest = min(nearest, float(away.min(initial=np.inf)))
        inside = away <= ball.radius
        rows.append(live[inside] + first)
        distances.append(away[inside])
    return np.concatenate(rows), np.concatenate(distances), nearest


def _read(snapshot: Snapshot, rows: NDArray[np.int64]) -> Columns:
    """weight, color (r, g, b), last_seen; class_slot and evidence where the map has them."""
    names = ["weight", "color", "last_seen"]
    if snapshot.column("class_slot") is not None:
        names += ["class_slot", "evidence"]
    return snapshot.gather(rows, tuple(names))


def _classes(
    columns: Columns, weights: NDArray[np.float64], header: MapHeader
) -> tuple[tuple[str, float], ...]:
    """Weighted mean of the voxels' class probabilities; a voxel without a class adds to none."""
    if "class_slot" not in columns or header.vocabulary is None:
        return ()
    slots = columns["class_slot"]
    probability = posterior(slots, columns["evidence"], len(header.vocabulary)) * weights[:, None]
    probability[slots[:, 0] == 0] = 0
    total = np.bincount(slots.ravel(), probability.ravel(), len(header.vocabulary) + 1)[1:]
    likely = [index for index in np.argsort(-total, kind="stable") if total[index] >= _LEAST_PROBABILITY]
    return tuple((header.vocabulary.names[index], round(float(total[index]), 4)) for index in likely)
