"""Time of answers: ranked answers, all scores, and answers while a camera maps at 30 Hz."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from rgbd_perception.bench.embeddings import CLASS_NAMES, MadeUpTexts
from rgbd_perception.bench.timings import Timings, milliseconds_of, repeat
from rgbd_perception.frame import Prediction, RgbdFrame
from rgbd_perception.mapping import VoxelMap

TEXTS = CLASS_NAMES[:8]
RATE_HZ = 30.0


class _Encoded:
    """An encoder that has encoded already: the time of a query is that of the map alone."""

    def __init__(self, dim: int) -> None:
        encoder = MadeUpTexts(dim)
        self.text_space = encoder.text_space
        self._rows = dict(zip(CLASS_NAMES, encoder.encode(CLASS_NAMES), strict=True))

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        return np.stack([self._rows[text] for text in texts])


@dataclass(frozen=True)
class WhileMapping:
    """Answers and updates of the same seconds. late: updates that began a period or more after their time."""

    answers: Timings
    updates: Timings
    late: int


def time_answers(voxel_map: VoxelMap, dim: int, repeats: int) -> Timings:
    """From the embeddings of TEXTS to ranked, localised answers."""
    encoder = _Encoded(dim)
    return repeat(lambda: voxel_map.query(TEXTS, encoder=encoder), repeats)


def time_scores(voxel_map: VoxelMap, dim: int, repeats: int) -> Timings:
    """Scores of all voxels for TEXTS."""
    encoder = _Encoded(dim)
    return repeat(lambda: voxel_map.scores(TEXTS, encoder=encoder), repeats)


def time_while_mapping(
    voxel_map: VoxelMap, dim: int, frames: Sequence[tuple[RgbdFrame, Prediction]], seconds: float
) -> WhileMapping:
    """One thread maps ``frames`` (to and fro) at 30 Hz, this one asks again and again."""
    encoder = _Encoded(dim)
    stop = threading.Event()
    answers: list[float] = []
    with ThreadPoolExecutor(1, "bench_mapping") as pool:
        mapping = pool.submit(_map_at_rate, voxel_map, frames, stop)
        end = time.perf_counter() + seconds
        try:
            while not answers or (time.perf_counter() < end and not mapping.done()):
                answers.append(milliseconds_of(lambda: voxel_map.query(TEXTS, encoder=encoder)))
        finally:
            stop.set()
        updates, late = mapping.result()
    return WhileMapping(Timings(tuple(answers)), Timings(tuple(updates)), late)


def _map_at_rate(
    voxel_map: VoxelMap, frames: Sequence[tuple[RgbdFrame, Prediction]], stop: threading.Event
) -> tuple[list[float], int]:
    """Milliseconds of the updates, and how many came late; a late frame moves the times of the next ones."""
    to_and_fro = [*frames, *reversed(frames)]
    updates: list[float] = []
    late, due = 0, time.perf_counter()
    while not updates or not stop.wait(max(0.0, due - time.perf_counter())):
        behind = time.perf_counter() - due
        if behind * RATE_HZ >= 1:
            late, due = late + 1, due + behind
        frame, prediction = to_and_fro[len(updates) % len(to_and_fro)]
        frame = replace(frame, stamp_ns=frames[-1][0].stamp_ns + round((len(updates) + 1) * 1e9 / RATE_HZ))
        updates.append(milliseconds_of(partial(voxel_map.integrate, frame, prediction)))
        due += 1 / RATE_HZ
    return updates, late
