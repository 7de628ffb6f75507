"""The voxels that fit a text as ranked groups, found in the contents of blocks."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rgbd_perception.mapping.block_contents import Blocks
from rgbd_perception.mapping.block_lists import HALVES, WORDS, Lists
from rgbd_perception.mapping.block_parts import connected
from rgbd_perception.mapping.blocks import SIDE, corner_of, key_in_block
from rgbd_perception.mapping.bricks import count_bits, lowest_bit, place_in_brick
from rgbd_perception.mapping.jit import kernel
from rgbd_perception.mapping.ranking import best_groups, robust_best_of
from rgbd_perception.mapping.threads import Runner

MOST_TEXTS = 64
"""A word of 64 bits says which texts an embedding fits."""
_BLOCKS_FOR_TWO = 2048
"""Fewer blocks are looked at by one thread."""
_ZERO, _ONE = np.uint64(0), np.uint64(1)


class PlacedGroup(NamedTuple):
    """Connected voxels: their common score, their ``keys`` (m,), the usual class slot (0: none is known), and
    when the blocks that they lie in were last seen."""

    score: float
    keys: NDArray[np.int64]
    class_slot: int
    last_seen: int


class Scored(NamedTuple):
    """For every embedding in the lists of the blocks its place in the ``table`` (k, T) of scores; place 0
    scores 0."""

    places: NDArray[np.int32]
    table: NDArray[np.float32]


def ranked_in_blocks(
    blocks: Blocks,
    scored: Scored,
    run: Runner,
    *,
    gap: int,
    least: float,
    least_voxels: int,
    least_score: float,
    most: int,
) -> list[list[PlacedGroup]]:
    """For each of at most MOST_TEXTS texts the best groups of the voxels that score at least ``least`` > 0,
    as ``ranked_groups`` has them."""
    texts = scored.table.shape[1]
    fitting = np.zeros(scored.table.shape[0], np.uint64)
    _mark_fitting(scored.table, np.float32(least), fitting)
    of_blocks = np.zeros(blocks.keys.size, np.uint64)

    def look(first: int, last: int) -> None:
        _look_into_lists(first, last, blocks.lists, scored.places, fitting, of_blocks)

    run(look, of_blocks.size, _BLOCKS_FOR_TWO)
    starts = np.zeros(texts + 1, np.int64)
    numbers = _list_by_text(of_blocks, starts)
    groups: list[list[PlacedGroup]] = [[] for _ in range(texts)]

    longest_first = np.argsort(starts[:-1] - starts[1:], kind="stable")

    def rank(first: int, last: int) -> None:
        for text in longest_first[first:last].tolist():
            found = _Found(blocks, scored, text, numbers[starts[text] : starts[text + 1]], fitting, gap + 1)
            groups[text] = found.best(least_voxels, least_score, most)

    run(rank, texts, 2)
    return groups


class _Found:
    """The voxels that fit one ``text``, in the blocks ``numbers``, by connected groups."""

    def __init__(
        self,
        blocks: Blocks,
        scored: Scored,
        text: int,
        numbers: NDArray[np.int32],
        fitting: NDArray[np.uint64],
        radius: int,
    ) -> None:
        self._blocks, self._scored, self._text, self._numbers = blocks, scored, text, numbers
        masks = np.zeros((numbers.size, SIDE), np.uint64)
        _mask(numbers, blocks.bits, blocks.lists, scored.places, fitting, text, masks)
        self._parts, self._first, self._group = connected(blocks.keys[numbers], masks, radius)

    def best(self, least_voxels: int, least_score: float, most: int) -> list[PlacedGroup]:
        """The best groups of enough voxels."""
        blocks, scored = self._blocks, self._scored
        counted = _count_scores(
            self._numbers, blocks.bits, blocks.lists, scored.places, scored.table, self._text, self._parts,
            self._first, self._group,
        )  # fmt: skip
        sizes, best = np.zeros(self._group.size, np.int64), np.full(self._group.size, -1.0)
        _score_groups(*counted, least_voxels, sizes, best)
        chosen = best_groups(best, sizes, least_voxels, least_score, most)
        return [self._placed(int(group), float(best[group]), int(sizes[group])) for group in chosen]

    def _placed(self, group: int, score: float, size: int) -> PlacedGroup:
        blocks = self._blocks
        keys = np.empty(size, np.int64)
        votes = np.zeros(int(blocks.lists.classes.max()) + 1, np.int64)
        latest = _collect(
            self._numbers, blocks.keys, blocks.bits, blocks.lists, self._parts, self._first, self._group,
            group, keys, votes,
        )  # fmt: skip
        votes[0] = 0
        return PlacedGroup(score, keys, int(votes.argmax()), int(latest))


@kernel
def _mark_fitting(table: NDArray[np.float32], least: float, fitting: NDArray[np.uint64]) -> None:
    """Bit t of ``fitting`` (k,): whether the score (k, T) for text t is at least ``least``."""
    for i in range(table.shape[0]):
        for text in range(table.shape[1]):
            if table[i, text] >= least:
                fitting[i] |= _ONE << np.uint64(text)


@kernel
def _look_into_lists(
    first: int,
    last: int,
    lists: Lists,
    places: NDArray[np.int32],
    fitting: NDArray[np.uint64],
    of_blocks: NDArray[np.uint64],
) -> None:
    """Write which texts some embedding of each of the blocks ``first`` to ``last`` fits."""
    for number in range(first, last):
        texts = _ZERO
        for half in range(HALVES * number, HALVES * (number + 1)):
            start = lists.list_at[half]
            for i in range(start, start + lists.list_size[half]):
                texts |= fitting[places[i]]
        of_blocks[number] = texts


@kernel
def _list_by_text(of_blocks: NDArray[np.uint64], starts: NDArray[np.int64]) -> NDArray[np.int32]:
    """Numbers of the blocks for each text, those of text t from ``starts[t]`` on (T + 1,)."""
    for texts in of_blocks:
        while texts != _ZERO:
            starts[lowest_bit(texts) + 1] += 1
            texts &= texts - _ONE
    for text in range(starts.size - 1):
        starts[text + 1] += starts[text]
    numbers, place = np.empty(starts[-1], np.int32), starts.copy()
    for number in range(of_blocks.size):
        texts = of_blocks[number]
        while texts != _ZERO:
            text = lowest_bit(texts)
            numbers[place[text]] = number
            place[text] += 1
            texts &= texts - _ONE
    return numbers


@kernel
def _mask(
    numbers: NDArray[np.int32],
    bits: NDArray[np.uint64],
    lists: Lists,
    places: NDArray[np.int32],
    fitting: NDArray[np.uint64],
    text: int,
    masks: NDArray[np.uint64],
) -> None:
    """Write the voxels of the blocks ``numbers`` (n,) that fit the ``text``, as masks (n, 8)."""
    fits = np.empty(WORDS * SIDE * SIDE, np.uint64)
    for i in range(numbers.size):
        for half in range(HALVES):
            number = HALVES * numbers[i] + half
            entries = lists.list_at[number]
            any_fits, all_fit = _ZERO, _ONE
            for j in range(lists.list_size[number]):
                fits[j] = (fitting[places[entries + j]] >> np.uint64(text)) & _ONE
                any_fits |= fits[j]
                all_fit &= fits[j]
            if any_fits == _ZERO:
                continue
            if all_fit != _ZERO:  # as within most things
                for word in range(WORDS * half, WORDS * (half + 1)):
                    masks[i, word] = bits[numbers[i], word]
                continue
            code = lists.code_at[number]
            for word in range(WORDS * half, WORDS * (half + 1)):
                left, mask = bits[numbers[i], word], _ZERO
                while left != _ZERO:
                    mask |= fits[lists.codes[code]] << np.uint64(lowest_bit(left))
                    code += 1
                    left &= left - _ONE
                masks[i, word] = mask


@kernel
def _count_scores(
    numbers: NDArray[np.int32],
    bits: NDArray[np.uint64],
    lists: Lists,
    places: NDArray[np.int32],
    table: NDArray[np.float32],
    text: int,
    parts: NDArray[np.uint64],
    first: NDArray[np.int32],
    group: NDArray[np.int32],
) -> tuple[NDArray[np.int32], NDArray[np.float32], NDArray[np.int32]]:
    """Groups (k,), scores (k,) and how many voxels (k,) of a group have that score: one for each embedding in
    a part of half a block."""
    most = 0
    for i in range(numbers.size):
        for half in range(HALVES * numbers[i], HALVES * (numbers[i] + 1)):
            most += (first[i + 1] - first[i]) * lists.list_size[half]
    of_group, scores, counts = np.empty(most, np.int32), np.empty(most, np.float32), np.empty(most, np.int32)
    of_code = np.zeros(WORDS * SIDE * SIDE, np.int32)
    found = 0
    for i in range(numbers.size):
        for half in range(HALVES):
            number = HALVES * numbers[i] + half
            entries = lists.list_at[number]
            for part in range(first[i], first[i + 1]):
                code, is_here = lists.code_at[number], False
                for word in range(WORDS * half, WORDS * (half + 1)):
                    here, left = bits[numbers[i], word], parts[part, word]
                    is_here |= left != _ZERO
                    while left != _ZERO:
                        before = place_in_brick(here, lowest_bit(left))
                        of_code[lists.codes[code + before]] += 1
                        left &= left - _ONE
                    code += count_bits(here)
                for entry in range(lists.list_size[number] if is_here else 0):
                    if of_code[entry] > 0:
                        of_group[found], counts[found] = group[part], of_code[entry]
                        scores[found] = table[places[entries + entry], text]
                        of_code[entry] = 0
                        found += 1
    return of_group[:found], scores[:found], counts[:found]


@kernel
def _score_groups(
    of_group: NDArray[np.int32],
    scores: NDArray[np.float32],
    counts: NDArray[np.int32],
    least_voxels: int,
    sizes: NDArray[np.int64],
    best: NDArray[np.float64],
) -> None:
    """Write how many voxels each group has and, where they are enough, their common score."""
    ends = np.zeros(sizes.size + 1, np.int64)
    for i in range(of_group.size):
        sizes[of_group[i]] += counts[i]
        ends[of_group[i] + 1] += 1
    for i in range(sizes.size):
        ends[i + 1] += ends[i]
    place, sorted_scores, sorted_counts = ends.copy(), np.empty_like(scores), np.empty_like(counts)
    for i in range(of_group.size):
        at = place[of_group[i]]
        sorted_scores[at], sorted_counts[at] = scores[i], counts[i]
        place[of_group[i]] += 1
    for i in range(sizes.size):
        if sizes[i] >= max(least_voxels, 1):
            first, last = ends[i], ends[i + 1]
            best[i] = robust_best_of(sorted_scores[first:last], sorted_counts[first:last], least_voxels)


@kernel
def _collect(
    numbers: NDArray[np.int32],
    block_keys: NDArray[np.int64],
    bits: NDArray[np.uint64],
    lists: Lists,
    parts: NDArray[np.uint64],
    first: NDArray[np.int32],
    group: NDArray[np.int32],
    chosen: int,
    keys: NDArray[np.int64],
    votes: NDArray[np.int64],
) -> int:
    """Write the keys of the voxels of one group, count their class slots, return when they were seen last."""
    count, latest = 0, np.uint32(0)
    for i in range(numbers.size):
        is_here = False
        for part in range(first[i], first[i + 1]):
            is_here |= group[part] == chosen
        if not is_here:
            continue
        corner = corner_of(block_keys[numbers[i]])
        for half in range(HALVES):
            number = HALVES * numbers[i] + half
            entries, code, before = lists.list_at[number], lists.code_at[number], count
            for word in range(WORDS * half, WORDS * (half + 1)):
                here, left = bits[numbers[i], word], _ZERO
                for part in range(first[i], first[i + 1]):
                    if group[part] == chosen:
                        left |= parts[part, word]
                while left != _ZERO:
                    at = lowest_bit(left)
                    keys[count] = key_in_block(corner, word, at)
                    votes[lists.classes[entries + lists.codes[code + place_in_brick(here, at)]]] += 1
                    count += 1
                    left &= left - _ONE
                code += count_bits(here)
            if count > before:
                latest = max(latest, lists.last_seen[number])
    return latest
