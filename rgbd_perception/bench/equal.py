"""Whether the map answers as one would that keeps every embedding as it came.

Two maps get the same frames and predictions: one with the configuration that users have, one exact. Compared
are the best of 40 texts for each voxel, and the first answer to each of 100 texts. Of two answers that score
the same up to TIE either may come first, and one that reaches the threshold up to TIE may be missing: such
answers are equal, and counted as tied.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain, islice, zip_longest

import numpy as np
from numpy.typing import NDArray

from rgbd_perception.bench.embeddings import CLASS_NAMES, Embeddings, MadeUpTexts
from rgbd_perception.bench.scenes import Scene, bench_map
from rgbd_perception.errors import FrameDropped
from rgbd_perception.frame import Prediction, RgbdFrame
from rgbd_perception.mapping import MapConfig, ScoreCalibration, VoxelMap
from rgbd_perception.mapping.boxes import OrientedBox
from rgbd_perception.mapping.confidence import score_scale
from rgbd_perception.mapping.evaluate import TrueObject, is_right
from rgbd_perception.mapping.query import Answer, TextEncoderLike

FIRST_HELD_OUT_SEED = 1_000_000
"""Apartments from here on were kept from training."""
VOXEL_TEXTS = 40
"""So many of the fixed texts compete for a voxel."""
_COSINE = ScoreCalibration(scale=4.0, offset=0.0, kinship=4.0)
"""Scores that rise with the plain cosine alone: no class competes, nothing is centred."""
TIE = 0.01
"""Scores (probabilities) are shown with two decimals: what differs by less looks the same."""
_RANKED = 5
"""Answers of the exact map that may be tied with its first."""


@dataclass(frozen=True)
class Agreement:
    """Voxels and answers compared, and how many of them were equal; answers_tied: those that are no more than
    a tie."""

    voxels: int = 0
    voxels_equal: int = 0
    answers: int = 0
    answers_equal: int = 0
    answers_tied: int = 0

    def __add__(self, other: Agreement) -> Agreement:
        return Agreement(
            self.voxels + other.voxels,
            self.voxels_equal + other.voxels_equal,
            self.answers + other.answers,
            self.answers_equal + other.answers_equal,
            self.answers_tied + other.answers_tied,
        )

    @property
    def voxels_percent(self) -> float | None:
        """Of voxels with the same best text; None where there was none to compare."""
        return round(100 * self.voxels_equal / self.voxels, 3) if self.voxels else None

    @property
    def answers_percent(self) -> float | None:
        """Of texts with the same first answer; None where none was asked."""
        return round(100 * self.answers_equal / self.answers, 3) if self.answers else None

    @property
    def tied_percent(self) -> float | None:
        """Of texts whose first answers are equal as a tie only; None where none was asked."""
        return round(100 * self.answers_tied / self.answers, 3) if self.answers else None


def exact_config(config: MapConfig) -> MapConfig:
    """``config`` but for the storage: everything in float32."""
    return replace(config, storage="exact")


def fixed_texts(count: int = 100) -> tuple[str, ...]:
    """Texts of the generator's classes: all names, then paraphrases, synonyms, phrases."""
    from rgbd_perception.sources.synthetic.concepts import CONCEPTS

    ways = ((entry.name, *entry.heldout, *entry.synonyms, *entry.phrases) for entry in CONCEPTS)
    in_turn = chain.from_iterable(zip_longest(*ways))
    return tuple(islice((text for text in dict.fromkeys(in_turn) if text is not None), count))


def apartment_maps(
    configs: Sequence[MapConfig], seeds: Sequence[int], views: int, model: str
) -> Iterator[tuple[VoxelMap, ...]]:
    """For each of the apartments ``seeds`` yield a map for each of ``configs``, of the same ``views`` frames
    with the predictions of ``model``; they are closed when the next one is asked for.

    Raises UserError where the network cannot be had.
    """
    if not seeds:
        return
    from rgbd_perception.inference import Predictor
    from rgbd_perception.sources.synthetic import SyntheticSource

    predictor = Predictor(model)
    for seed in seeds:
        maps = tuple(VoxelMap(config) for config in configs)
        for voxel_map in maps:
            voxel_map.set_vocabulary(predictor.vocabulary, predictor.class_embeddings)
        for frame in SyntheticSource(seed, frames=views):
            _integrate(maps, frame, predictor(frame, masks=False))
        yield maps
        for voxel_map in maps:
            voxel_map.close()


def apartment_agreement(count: int, views: int, model: str) -> Iterator[Agreement]:
    """Yield what each of ``count`` held-out apartments says, with the predictions of ``model`` for ``views``
    frames.

    Raises UserError where the network or the text encoder cannot be had.
    """
    from rgbd_perception.text import create_text_encoder

    seeds = range(FIRST_HELD_OUT_SEED, FIRST_HELD_OUT_SEED + count)
    texts = fixed_texts()
    for exact, usual in apartment_maps((exact_config(MapConfig()), MapConfig()), seeds, views, model):
        encoder = create_text_encoder(exact.text_space)
        yield compare(exact, usual, texts[:VOXEL_TEXTS], texts, encoder)


def scene_agreement(embeddings: Embeddings, dim: int, voxels: int) -> Agreement:
    """The same for rooms of the benchmark with made-up embeddings, until there are ``voxels``."""
    maps = (bench_map(dim, exact_config(MapConfig())), bench_map(dim))
    scene, place = Scene(embeddings), 0
    while len(maps[0]) < voxels:
        for frame, prediction in scene.survey(place):
            _integrate(maps, frame, prediction)
        place += 1
    agreement = compare(*maps, CLASS_NAMES, CLASS_NAMES, MadeUpTexts(dim))
    for voxel_map in maps:
        voxel_map.close()
    return agreement


def compare(
    exact: VoxelMap,
    other: VoxelMap,
    voxel_texts: Sequence[str],
    query_texts: Sequence[str],
    encoder: TextEncoderLike,
) -> Agreement:
    """Best text of every voxel of ``exact``, first answer to every query text.

    A voxel that ``other`` lacks is not equal. Two first answers are the same thing when the centre of the
    second lies in the box of the first grown by 10 cm or the boxes overlap (``evaluate.is_right``).
    """
    keys, best = _best_texts(exact, voxel_texts, encoder)
    other_keys, other_best = _best_texts(other, voxel_texts, encoder)
    _, place, other_place = np.intersect1d(keys, other_keys, assume_unique=True, return_indices=True)
    ranked = [result.answers for result in exact.query(query_texts, encoder=encoder, top_k=_RANKED)]
    firsts = [result.answers[:1] for result in other.query(query_texts, encoder=encoder, top_k=1)]
    same = [_is_same(answers[:1], first) for answers, first in zip(ranked, firsts, strict=True)]
    scale = score_scale(encoder.text_space, None, None)
    threshold = scale.shown(scale.least)
    tied = [_is_tie(answers, first, threshold) for answers, first in zip(ranked, firsts, strict=True)]
    only_tied = sum(tie and not equal for tie, equal in zip(tied, same, strict=True))
    return Agreement(
        voxels=keys.size,
        voxels_equal=int((best[place] == other_best[other_place]).sum()),
        answers=len(same),
        answers_equal=sum(same) + only_tied,
        answers_tied=only_tied,
    )


def _integrate(maps: Sequence[VoxelMap], frame: RgbdFrame, prediction: Prediction) -> None:
    """Put one frame into all maps, or into none."""
    for voxel_map in maps:
        with contextlib.suppress(FrameDropped):  # all of them refuse the same frames
            voxel_map.integrate(frame, prediction)


def _best_texts(
    voxel_map: VoxelMap, texts: Sequence[str], encoder: TextEncoderLike
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Keys (n,) of the voxels and the index (n,) of the text with the largest cosine."""
    keys, scores = voxel_map.scores(texts, encoder=encoder, calibration=_COSINE)
    return keys, scores.argmax(axis=1)


def _is_same(exact: Sequence[Answer], other: Sequence[Answer]) -> bool:
    """Whether two first answers are the same thing, or nothing was found both times."""
    if not exact or not other:
        return len(exact) == len(other)
    box = OrientedBox(np.array(exact[0].position), np.array(exact[0].size), exact[0].yaw)
    return is_right(other[0], [TrueObject("", box)])


def _is_tie(ranked: Sequence[Answer], other: Sequence[Answer], threshold: float) -> bool:
    """Whether the first answer ``other`` is one of ``ranked`` that scores like their first, or one of the two
    found nothing and the other's answer scores like the threshold."""
    if not ranked or not other:
        return all(answer.score - threshold <= TIE for answer in (*ranked[:1], *other))
    best = ranked[0].score
    return any(_is_same([answer], other) for answer in ranked if best - answer.score <= TIE)
