"""Whether the map answers as one would that keeps every embedding as it came.

Two maps get the same frames and predictions: one with the configuration that users have, one exact. Compared
are the best of 40 texts for each voxel, and the first answer to each of 100 texts.
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
from rgbd_perception.mapping.evaluate import TrueObject, is_right
from rgbd_perception.mapping.query import Answer, TextEncoderLike

FIRST_HELD_OUT_SEED = 1_000_000
"""Apartments from here on were kept from training."""
VOXEL_TEXTS = 40
"""So many of the fixed texts compete for a voxel."""
_COSINE = ScoreCalibration(scale=4.0, offset=0.0, kinship=4.0)
"""Scores that rise with the plain cosine alone: no class competes, nothing is centred."""


@dataclass(frozen=True)
class Agreement:
    """Voxels and answers compared, and how many of them were equal."""

    voxels: int = 0
    voxels_equal: int = 0
    answers: int = 0
    answers_equal: int = 0

    def __add__(self, other: Agreement) -> Agreement:
        return Agreement(
            self.voxels + other.voxels,
            self.voxels_equal + other.voxels_equal,
            self.answers + other.answers,
            self.answers_equal + other.answers_equal,
        )

    @property
    def voxels_percent(self) -> float | None:
        """Of voxels with the same best text; None where there was none to compare."""
        return round(100 * self.voxels_equal / self.voxels, 3) if self.voxels else None

    @property
    def answers_percent(self) -> float | None:
        """Of texts with the same first answer; None where none was asked."""
        return round(100 * self.answers_equal / self.answers, 3) if self.answers else None


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
    for maps in apartment_maps((exact_config(MapConfig()), MapConfig()), seeds, views, model):
        encoder = create_text_encoder(maps[0].text_space)
        yield compare(*maps, texts[:VOXEL_TEXTS], texts, encoder)


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
    """Best text of every voxel of ``exact``, first answer to every query text. A voxel that ``other`` lacks
    is not equal."""
    keys, best = _best_texts(exact, voxel_texts, encoder)
    other_keys, other_best = _best_texts(other, voxel_texts, encoder)
    _, place, other_place = np.intersect1d(keys, other_keys, assume_unique=True, return_indices=True)
    pairs = zip(
        *(_first_answers(voxel_map, query_texts, encoder) for voxel_map in (exact, other)), strict=True
    )
    same = [_is_same(*pair) for pair in pairs]
    return Agreement(keys.size, int((best[place] == other_best[other_place]).sum()), len(same), sum(same))


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


def _first_answers(
    voxel_map: VoxelMap, texts: Sequence[str], encoder: TextEncoderLike
) -> list[Answer | None]:
    results = voxel_map.query(texts, encoder=encoder, top_k=1)
    return [result.answers[0] if result.answers else None for result in results]


def _is_same(first: Answer | None, second: Answer | None) -> bool:
    """Whether both are the same thing, or nothing was found both times."""
    if first is None or second is None:
        return first is second
    box = OrientedBox(np.array(first.position), np.array(first.size), first.yaw)
    return is_right(second, [TrueObject("", box)])
