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
from rgbd_perception.mapping.config import MapConfig
from rgbd_perception.mapping.evidence import labels_of, posterior
from rgbd_perception.mapping.feature_readers import Scorer
from rgbd_perception.mapping.header import MapHeader
from rgbd_perception.mapping.keys import NO_KEY, centers
from rgbd_perception.mapping.scoring import (
    QueryVectors,
    ScoreCalibration,
    calibration_for,
    query_vectors,
    score_vectors,
)
from rgbd_perception.mapping.snapshot import Columns, Snapshot
from rgbd_perception.mapping.threads import Runner, run_in_turn
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

    ``score`` in 0..1, ``voxels`` their number, ``label`` the most frequent class there ("" where unknown).
    """

    score: float
    position: tuple[float, float, float]
    size: tuple[float, float, float]
    yaw: float
    frame_id: str
    voxels: int
    label: str = ""
    last_seen_ns: int = field(default=0, compare=False)


@dataclass(frozen=True)
class QueryResult:
    """Answers to one text, best first; ``message`` says why there are none (empty where there are)."""

    text: str
    message: str
    answers: tuple[Answer, ...]


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
    """Score all voxels for all texts at once, group those that pass, box and rank the groups."""
    texts, negatives = _checked_texts(texts), [text for text in negatives if text.strip()]
    if top_k < 1:
        raise UserError(f"top_k must be at least 1, got {top_k}")
    _check_text_space(header, encoder)
    if snapshot.voxels == 0:
        return [QueryResult(text, "nothing found: the map is empty", ()) for text in texts]
    calibration = calibration or calibration_for(encoder.text_space)
    least = calibration.threshold if threshold is None else threshold
    query = _encode(header, texts, negatives, encoder, calibration)
    candidates, best = _scan(
        snapshot, header, config, query, calibration, least * calibration.extent, region, run
    )
    results = []
    for index, text in enumerate(texts):
        groups = _ranked_groups(candidates, index, config, least, least * calibration.extent)[:top_k]
        answers = tuple(_answer(candidates, part, score, header) for score, part in groups)
        message = "" if answers else _why_nothing(float(best[index]), least, region, config)
        results.append(QueryResult(text, message, answers))
    return results


def score_voxels(
    snapshot: Snapshot,
    header: MapHeader,
    texts: Sequence[str],
    *,
    encoder: TextEncoderLike,
    calibration: ScoreCalibration | None,
    run: Runner = run_in_turn,
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Keys (n,) of all voxels and their scores (n, T), well observed or not."""
    texts = _checked_texts(texts)
    _check_text_space(header, encoder)
    calibration = calibration or calibration_for(encoder.text_space)
    query = _encode(header, texts, [], encoder, calibration)
    class_scores = score_vectors(query.classes, query, calibration)
    scorer = snapshot.features.scorer(query, calibration, run) if snapshot.features else None

    def read(block: Columns) -> tuple[NDArray[np.generic], ...]:
        return block["key"].copy(), _block_scores(block, header, class_scores, scorer)

    keys, scores = np.empty(snapshot.rows, np.int64), np.empty((snapshot.rows, len(texts)), np.float32)
    for first, (key, score) in snapshot.blocks(read):
        keys[first : first + key.size], scores[first : first + key.size] = key, score
    live = keys != NO_KEY
    return (keys, scores) if live.all() else (keys[live], scores[live])


def _check_text_space(header: MapHeader, encoder: TextEncoderLike) -> None:
    if len(header.text_space) and encoder.text_space != header.text_space:
        raise UserError(
            f"the map was made in text space '{header.text_space}', "
            f"the text encoder is '{encoder.text_space}': query with the encoder of the map"
        )


def _checked_texts(texts: Sequence[str]) -> list[str]:
    if not texts:
        raise UserError("a query needs at least one text; none was given")
    empty = [index for index, text in enumerate(texts) if not text.strip()]
    if empty:
        raise UserError(f"query text {empty[0] + 1} is empty: say what to look for")
    return list(texts)


def _encode(
    header: MapHeader,
    texts: Sequence[str],
    negatives: Sequence[str],
    encoder: TextEncoderLike,
    calibration: ScoreCalibration,
) -> QueryVectors:
    names = header.vocabulary.names if header.vocabulary else ()
    encoded = encoder.encode([*texts, *negatives])
    classes = header.class_embeddings
    if classes is None:
        classes = encoder.encode(list(names)) if names else np.empty((0, encoded.shape[1]), np.float32)
    return query_vectors(encoded[: len(texts)], encoded[len(texts) :], classes, calibration)


def _scan(
    snapshot: Snapshot,
    header: MapHeader,
    config: MapConfig,
    query: QueryVectors,
    calibration: ScoreCalibration,
    least: float,
    region: Region | None,
    run: Runner,
) -> tuple[_Candidates, NDArray[np.float32]]:
    """Voxels that score at least ``least`` for some text, and the (T,) best scores of all voxels."""
    class_scores = score_vectors(query.classes, query, calibration)
    scorer = snapshot.features.scorer(query, calibration, run) if snapshot.features else None

    def read(block: Columns) -> tuple[NDArray[np.generic], ...]:
        scores = _block_scores(block, header, class_scores, scorer)
        unobserved = (block["key"] == NO_KEY) | (snapshot.weights(block) < config.min_weight)
        scores[unobserved] = -1.0
        label = (
            labels_of(block["class_slot"])
            if "class_slot" in block
            else np.full(scores.shape[0], UNKNOWN_LABEL, np.uint16)
        )
        return block["key"].copy(), label, block["last_seen"].copy(), scores

    best = np.full(query.texts.shape[0], -1.0, np.float32)
    kept: list[tuple[NDArray[np.generic], ...]] = []
    for _, (key, label, last_seen, scores) in snapshot.blocks(read):
        if region is not None:
            scores[~region.contains(centers(key, header.voxel_size))] = -1.0
        best = np.maximum(best, scores.max(axis=0))
        chosen = np.unique(np.flatnonzero(scores >= max(least, 0.0)) // scores.shape[1])
        kept.append((key[chosen], label[chosen], last_seen[chosen], scores[chosen]))
    return _Candidates(*(np.concatenate(column) for column in zip(*kept, strict=True))), best


def _block_scores(
    block: Columns, header: MapHeader, class_scores: NDArray[np.float32], scorer: Scorer | None
) -> NDArray[np.float32]:
    """(n, T) scores from the embeddings; voxels without one are scored through their likely classes."""
    count = block["key"].size
    if scorer is not None:
        scores, known = scorer(block)
        plain = np.flatnonzero(~known)
    else:
        scores = np.zeros((count, class_scores.shape[1]), np.float32)
        plain = np.arange(count)
    if plain.size and "class_slot" in block and header.vocabulary is not None:
        slots = block["class_slot"][plain]
        probability = posterior(slots, block["evidence"][plain], len(header.vocabulary))
        scores[plain] = np.einsum("nk,nkt->nt", probability, class_scores[np.maximum(slots, 1) - 1])
    return scores


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
    return sorted(ranked, key=lambda entry: (-entry[0], -entry[1].size))


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
        score=round(score, 4),
        position=box.position,
        size=box.extent,
        yaw=round(box.yaw, 4),
        frame_id=header.frame_id,
        voxels=int(part.size),
        label=label,
        last_seen_ns=int(header.stamps_ns(candidates.last_seen[part]).max()),
    )


def _why_nothing(best: float, threshold: float, region: Region | None, config: MapConfig) -> str:
    where = " in the region" if region is not None else ""
    if best < 0:
        return f"nothing found: no well observed voxel{where}"
    if best < threshold:
        return f"nothing found{where}: best score {best:.2f} is below the threshold {threshold:.2f}"
    return (
        f"nothing found{where}: best score {best:.2f}, "
        f"but no group of {config.min_object_voxels} voxels reaches the threshold {threshold:.2f}"
    )
