"""Ranked, localised answers to texts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from rgbd_perception.errors import UserError
from rgbd_perception.mapping.boxes import oriented_box
from rgbd_perception.mapping.components import connected_components
from rgbd_perception.mapping.confidence import ScoreScale, score_scale
from rgbd_perception.mapping.config import MapConfig
from rgbd_perception.mapping.evidence import labels_of
from rgbd_perception.mapping.header import MapHeader
from rgbd_perception.mapping.keys import centers
from rgbd_perception.mapping.query_inputs import check_text_space, checked_texts, encoded
from rgbd_perception.mapping.scoring import QueryVectors, ScoreCalibration
from rgbd_perception.mapping.snapshot import Snapshot
from rgbd_perception.mapping.threads import Runner, run_in_turn
from rgbd_perception.mapping.voxel_scores import Place, VoxelScores
from rgbd_perception.vocabulary import UNKNOWN_LABEL

_BEST_SHARE = 0.25
"""The score of an answer is the mean over this share of its voxels, the best ones (a handful at least)."""


class TextEncoderLike(Protocol):
    """What a query needs of a text encoder."""

    @property
    def text_space(self) -> str: ...

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """(n, D) float32 unit rows."""
        ...


@dataclass(frozen=True)
class Region:
    """A box to search in: ``pose`` (4, 4) of its centre in the map frame, ``size`` (3,) metres."""

    pose: NDArray[np.float64]
    size: NDArray[np.float64]

    def contains(self, points: NDArray[np.floating]) -> NDArray[np.bool_]:
        """(n, 3) points in the map frame -> (n,) whether they lie inside."""
        local = (points - self.pose[:3, 3]) @ self.pose[:3, :3]
        return np.all(np.abs(local) <= np.asarray(self.size) / 2, axis=1)


@dataclass(frozen=True)
class Answer:
    """One place: box centre ``position`` (3) and ``size`` (3) in metres, ``yaw`` in radians, in ``frame_id``.

    ``score`` is the probability that the answer is right (docs/queries.md), ``voxels`` their number,
    ``label`` the most frequent class there ("" where unknown). In the answer to a question with a relation
    ``relation`` names it ("on") and ``anchor`` is the thing that this one was placed by.
    """

    score: float
    position: tuple[float, float, float]
    size: tuple[float, float, float]
    yaw: float
    frame_id: str
    voxels: int
    label: str = ""
    last_seen_ns: int = field(default=0, compare=False)
    relation: str = ""
    anchor: Answer | None = None


@dataclass(frozen=True)
class QueryResult:
    """Answers to one text, best first; ``message`` says why there are none (empty where there are).

    ``note`` is for the reader of answers: how the text was understood, where that is not obvious.
    """

    text: str
    message: str
    answers: tuple[Answer, ...]
    note: str = ""


@dataclass(frozen=True)
class _Candidates:
    """Voxels of a whole map that may belong to an answer; ``scores`` (n, T)."""

    key: NDArray[np.int64]
    label: NDArray[np.uint16]
    last_seen: NDArray[np.uint32]
    scores: NDArray[np.float32]


def answer_texts(
    snapshot: Snapshot,
    header: MapHeader,
    config: MapConfig,
    texts: Sequence[str],
    negatives: Sequence[str],
    *,
    encoder: TextEncoderLike,
    top_k: int,
    threshold: float | None,
    region: Region | None,
    calibration: ScoreCalibration | None,
    run: Runner = run_in_turn,
) -> list[QueryResult]:
    """Answers to texts as they are, none taken apart; see answer_vectors for how."""
    texts, negatives = checked_texts(texts), [text for text in negatives if text.strip()]
    check_text_space(header, encoder.text_space, "the text encoder is")
    scale = score_scale(encoder.text_space, calibration, threshold)
    if snapshot.voxels == 0:
        return answer_vectors(snapshot, header, config, texts, None, scale, top_k=top_k)
    query = encoded(header, texts, negatives, encoder, scale.rule)
    return answer_vectors(snapshot, header, config, texts, query, scale, top_k=top_k, region=region, run=run)


def answer_vectors(
    snapshot: Snapshot,
    header: MapHeader,
    config: MapConfig,
    names: Sequence[str],
    query: QueryVectors | None,
    scale: ScoreScale,
    *,
    top_k: int,
    region: Region | None = None,
    run: Runner = run_in_turn,
) -> list[QueryResult]:
    """Score all voxels for all vectors at once, group those that pass, box and rank the groups.

    ``names`` are the texts of the results; ``query`` is only None for an empty map.
    """
    if top_k < 1:
        raise UserError(f"top_k must be at least 1, got {top_k}")
    if query is None or snapshot.voxels == 0:
        return [QueryResult(name, "nothing found: the map is empty", ()) for name in names]
    candidates, best = _scan(snapshot, header, config, query, scale.rule, scale.extent, region, run)
    results = []
    for index, name in enumerate(names):
        groups = _ranked_groups(candidates, index, config, scale.least, scale.extent)[:top_k]
        answers = tuple(_answer(candidates, part, scale.shown(raw), header) for raw, part in groups)
        message = "" if answers else _why_nothing(float(best[index]), scale, region, config)
        results.append(QueryResult(name, message, answers))
    return results


def scores_in(
    snapshot: Snapshot,
    header: MapHeader,
    config: MapConfig,
    query: QueryVectors,
    scale: ScoreScale,
    place: Place,
    run: Runner = run_in_turn,
) -> list[float]:
    """For each text the score that the well observed voxels of ``place`` have together, 0 without any."""
    candidates, _ = _scan(snapshot, header, config, query, scale.rule, 0.0, place, run)
    if candidates.scores.shape[0] == 0:
        return [0.0] * query.texts.shape[0]
    return [scale.shown(_robust_best(column, 1)) for column in candidates.scores.T]


def _scan(
    snapshot: Snapshot,
    header: MapHeader,
    config: MapConfig,
    query: QueryVectors,
    calibration: ScoreCalibration,
    least: float,
    region: Place | None,
    run: Runner,
) -> tuple[_Candidates, NDArray[np.float32]]:
    """Voxels that score at least ``least`` for some text, and the (T,) best scores of all voxels."""
    scores = VoxelScores(snapshot, header, query, calibration, run)
    rows = scores.rows_of_at_least(max(least, 0.0), config.min_weight)
    names = ("key", "last_seen", *scores.columns)
    columns = snapshot.gather(rows, names)
    if region is not None:
        inside = region.contains(centers(columns["key"], header.voxel_size))
        columns = {name: column[inside] for name, column in columns.items()}
    of_texts = scores.of(columns)
    label = (
        labels_of(columns["class_slot"])
        if "class_slot" in columns
        else np.full(of_texts.shape[0], UNKNOWN_LABEL, np.uint16)
    )
    candidates = _Candidates(columns["key"], label, columns["last_seen"], of_texts)
    return candidates, scores.best(config.min_weight, region)


def _ranked_groups(
    candidates: _Candidates, index: int, config: MapConfig, threshold: float, extent: float
) -> list[tuple[float, NDArray[np.int64]]]:
    """(score, candidates) of the connected groups that answer text ``index``, best first."""
    chosen = np.flatnonzero(candidates.scores[:, index] >= max(extent, 0.0))
    if chosen.size == 0:
        return []
    groups = connected_components(candidates.key[chosen], config.gap_voxels)
    order = np.argsort(groups, kind="stable")
    parts = np.split(chosen[order], np.flatnonzero(np.diff(groups[order])) + 1)
    ranked = []
    for part in parts:
        if part.size >= config.min_object_voxels:
            score = _robust_best(candidates.scores[part, index], config.min_object_voxels)
            if score >= threshold:
                ranked.append((score, part))
    # Scores that look the same are the same: then the larger group goes first.
    return sorted(ranked, key=lambda entry: (-round(entry[0], 4), -entry[1].size))


def _robust_best(scores: NDArray[np.float32], least_voxels: int) -> float:
    """Mean of the best quarter of the scores, of at least ``least_voxels`` of them."""
    count = min(scores.size, max(least_voxels, int(np.ceil(_BEST_SHARE * scores.size))))
    return float(np.partition(scores, scores.size - count)[scores.size - count :].mean())


def _answer(candidates: _Candidates, part: NDArray[np.int64], score: float, header: MapHeader) -> Answer:
    box = oriented_box(centers(candidates.key[part], header.voxel_size), header.voxel_size)
    known = candidates.label[part][candidates.label[part] != UNKNOWN_LABEL]
    label = (
        header.vocabulary.names[int(np.bincount(known).argmax())] if known.size and header.vocabulary else ""
    )
    return Answer(
        score=score,
        position=box.position,
        size=box.extent,
        yaw=round(box.yaw, 4),
        frame_id=header.frame_id,
        voxels=int(part.size),
        label=label,
        last_seen_ns=int(header.stamps_ns(candidates.last_seen[part]).max()),
    )


def _why_nothing(best: float, scale: ScoreScale, region: Region | None, config: MapConfig) -> str:
    where = " in the region" if region is not None else ""
    if best < 0:
        return f"nothing found: no well observed voxel{where}"
    shown, threshold = scale.shown(best), scale.shown(scale.least)
    if best < scale.least:
        return f"nothing found{where}: best score {shown:.2f} is below the threshold {threshold:.2f}"
    return (
        f"nothing found{where}: best score {shown:.2f}, "
        f"but no group of {config.min_object_voxels} voxels reaches the threshold {threshold:.2f}"
    )
