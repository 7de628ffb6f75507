"""Ranked, localised answers to texts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from rgbd_perception.errors import UserError
from rgbd_perception.mapping.block_contents import Blocks
from rgbd_perception.mapping.block_ranking import Wanted, ranked_in_blocks
from rgbd_perception.mapping.boxes import oriented_boxes
from rgbd_perception.mapping.confidence import ScoreScale, score_scale
from rgbd_perception.mapping.config import MapConfig
from rgbd_perception.mapping.header import MapHeader
from rgbd_perception.mapping.query_inputs import check_text_space, checked_texts, encoded
from rgbd_perception.mapping.ranking import NO_GROUPS, RankedGroups, ranked_groups, robust_best, split_by_text
from rgbd_perception.mapping.scoring import QueryVectors, ScoreCalibration
from rgbd_perception.mapping.view import MapView
from rgbd_perception.mapping.voxel_scores import Place, VoxelScores


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
class Search:
    """What is to be found: at most ``top_k`` answers to each text, with a score of ``threshold`` or more
    (None: that of the text space), within ``region``.

    ``calibration`` is used in place of that of the text space. Raises UserError for less than one answer and
    for a threshold that is no probability.
    """

    top_k: int = 5
    threshold: float | None = None
    region: Region | None = None
    calibration: ScoreCalibration | None = None

    def __post_init__(self) -> None:
        if self.top_k < 1:
            raise UserError(f"top_k must be at least 1, got {self.top_k}")
        if self.threshold is not None and not 0 <= self.threshold <= 1:
            raise UserError(f"threshold must be a probability from 0 to 1, got {self.threshold}")

    def scale(self, text_space: str) -> ScoreScale:
        """How scores become answers."""
        return score_scale(text_space, self.calibration, self.threshold)

    def is_of_blocks(self, text_space: str) -> bool:
        """Whether what the blocks of a map hold is enough for its answers."""
        return self.region is None and self.scale(text_space).extent > 0


@dataclass(frozen=True)
class Answer:
    """One place: box centre ``position`` (3) and ``size`` (3) in metres, ``yaw`` in radians, in ``frame_id``.

    ``score`` is the probability that the answer is right (docs/queries.md), ``voxels`` their number,
    ``label`` the most frequent class there ("" where unknown), ``last_seen_ns`` when the half blocks (4 x 8 x
    8 voxels) that it lies in were last measured. In the answer to a question with a relation ``relation``
    names it ("on") and ``anchor`` is the thing that this one was placed by.
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
    """Voxels of a whole map that may belong to an answer: rows and keys (n,), ``scores`` (n, T)."""

    rows: NDArray[np.int64]
    key: NDArray[np.int64]
    scores: NDArray[np.float32]


def answer_texts(
    view: MapView,
    texts: Sequence[str],
    negatives: Sequence[str],
    encoder: TextEncoderLike,
    search: Search,
) -> list[QueryResult]:
    """Answers to texts as they are, none taken apart; see answer_vectors for how."""
    texts, negatives = checked_texts(texts), [text for text in negatives if text.strip()]
    check_text_space(view.header, encoder.text_space, "the text encoder is")
    rule = search.scale(encoder.text_space).rule
    query = encoded(view.header, texts, negatives, encoder, rule) if view.snapshot.voxels else None
    return answer_vectors(view, texts, query, encoder.text_space, search)


def answer_vectors(
    view: MapView,
    names: Sequence[str],
    query: QueryVectors | None,
    text_space: str,
    search: Search,
) -> list[QueryResult]:
    """Score all voxels for all vectors at once, group those that pass, box and rank the groups.

    ``names`` are the texts of the results; ``query`` is only None for an empty map.
    """
    if query is None:
        return [QueryResult(name, "nothing found: the map is empty", ()) for name in names]
    scale = search.scale(text_space)
    voxel_scores = VoxelScores(view, query, scale.rule, max(scale.extent, 0.0))
    ranked = None
    if view.blocks is not None and search.is_of_blocks(text_space):
        ranked = _ranked_in_blocks(view, view.blocks, voxel_scores, scale, search.top_k)
    if ranked is None:
        ranked = _ranked(view, _candidates(view, voxel_scores, search.region), scale, search.top_k)
    found = [_answers(of_text, scale, view.header) for of_text in ranked]
    best = None if all(found) else voxel_scores.best(search.region)
    return [
        QueryResult(
            name,
            ""
            if best is None or found[text]
            else _why_nothing(float(best[text]), scale, search.region, view.config),
            found[text],
        )
        for text, name in enumerate(names)
    ]


def scores_in(view: MapView, query: QueryVectors, scale: ScoreScale, place: Place) -> list[float]:
    """For each text the score that the well observed voxels of ``place`` have together, 0 without any."""
    scores = _candidates(view, VoxelScores(view, query, scale.rule), place).scores
    if scores.shape[0] == 0:
        return [0.0] * query.texts.shape[0]
    return [scale.shown(robust_best(column, 1)) for column in np.ascontiguousarray(scores.T)]


def _candidates(view: MapView, scores: VoxelScores, place: Place | None) -> _Candidates:
    """The well observed voxels (of ``place``) whose score for some text is not too low."""
    rows, keys = scores.of_at_least()
    if place is not None:
        inside = place.contains(view.centers(keys))
        rows, keys = rows[inside], keys[inside]
    return _Candidates(rows, keys, scores.of_rows(rows))


def _ranked_in_blocks(
    view: MapView, blocks: Blocks, scores: VoxelScores, scale: ScoreScale, top_k: int
) -> list[RankedGroups] | None:
    """For each text the best groups, from what the ``blocks`` hold; None where that does not tell."""
    scored = scores.of_blocks(blocks)
    if scored is None:
        return None
    config = view.config
    # Numbers of these very types: for others the kernels would be compiled anew.
    wanted = Wanted(
        float(scale.extent), int(config.gap_voxels), int(config.min_object_voxels), float(scale.least),
        int(top_k),
    )  # fmt: skip
    return ranked_in_blocks(blocks, scored, wanted, float(view.header.voxel_size), view.run)


def _ranked(view: MapView, candidates: _Candidates, scale: ScoreScale, top_k: int) -> list[RankedGroups]:
    """For each text the best groups, from all voxels."""
    ranked = [NO_GROUPS] * candidates.scores.shape[1]
    passing = split_by_text(candidates.key, candidates.scores, max(scale.extent, 0.0))

    def rank(first: int, last: int) -> None:
        for text in range(first, last):
            numbers, keys, scores = passing.of(text)
            groups = ranked_groups(
                keys,
                scores,
                gap=view.config.gap_voxels,
                least_voxels=view.config.min_object_voxels,
                least_score=scale.least,
                most=top_k,
            )
            if groups:
                members = [numbers[group.members].astype(np.int64) for group in groups]
                ranked[text] = _described(view, candidates, [group.score for group in groups], members)

    view.run(rank, len(ranked), 2)
    return ranked


def _described(
    view: MapView, candidates: _Candidates, scores: list[float], members: list[NDArray[np.int64]]
) -> RankedGroups:
    """Groups with these ``members`` among the candidates, at least one."""
    ends = np.cumsum([group.size for group in members])
    starts, everything = ends - np.diff(ends, prepend=0), np.concatenate(members)
    boxes = oriented_boxes(candidates.key[everything], starts, ends, view.header.voxel_size)
    names = ("last_seen", *(("class_slot",) if view.snapshot.column("class_slot") is not None else ()))
    columns = view.snapshot.gather(candidates.rows[everything], names)
    slots = columns["class_slot"][:, 0] if "class_slot" in columns else np.zeros(everything.size, np.uint8)
    usual = [_most_frequent(slots[first:last]) for first, last in zip(starts, ends, strict=True)]
    last_seen = np.maximum.reduceat(columns["last_seen"], starts)
    return RankedGroups(np.array(scores), ends - starts, np.array(usual), last_seen, boxes)


def _most_frequent(slots: NDArray[np.unsignedinteger]) -> int:
    known = slots[slots > 0]
    return int(np.bincount(known).argmax()) if known.size else 0


def _answers(ranked: RankedGroups, scale: ScoreScale, header: MapHeader) -> tuple[Answer, ...]:
    """An answer for each group."""
    boxes, latest = ranked.boxes, header.stamps_ns(ranked.last_seen)
    columns = (
        ranked.scores.tolist(), np.round(boxes.centers, 4).tolist(), np.round(boxes.sizes, 4).tolist(),
        np.round(boxes.yaws, 4).tolist(), ranked.voxels.tolist(), ranked.slots.tolist(), latest.tolist(),
    )  # fmt: skip
    return tuple(
        Answer(
            scale.shown(score), (x, y, z), (length, width, height), yaw, header.frame_id, voxels,
            _label(slot, header), seen,
        )
        for score, (x, y, z), (length, width, height), yaw, voxels, slot, seen in zip(*columns, strict=True)
    )  # fmt: skip


def _label(slot: int, header: MapHeader) -> str:
    """Name of the class in an evidence slot, "" where none is known."""
    return header.vocabulary.names[slot - 1] if slot and header.vocabulary else ""


def _why_nothing(best: float, scale: ScoreScale, region: Region | None, config: MapConfig) -> str:
    where = " in the region" if region is not None else ""
    if best < 0:
        return f"nothing found: no well observed voxel{where}"
    shown, threshold = scale.shown(best), scale.shown(scale.least)
    if best < scale.extent:
        extent = scale.shown(scale.extent)
        return f"nothing found{where}: the best score is below {extent:.2f}, the threshold is {threshold:.2f}"
    if best < scale.least:
        return f"nothing found{where}: best score {shown:.2f} is below the threshold {threshold:.2f}"
    return (
        f"nothing found{where}: best score {shown:.2f}, "
        f"but no group of {config.min_object_voxels} voxels reaches the threshold {threshold:.2f}"
    )
