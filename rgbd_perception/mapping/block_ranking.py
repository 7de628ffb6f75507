"""The voxels that fit a text as ranked groups with boxes, found in the contents of blocks."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rgbd_perception.mapping.bits import lowest_bit
from rgbd_perception.mapping.block_contents import Blocks
from rgbd_perception.mapping.block_lists import HALVES, WORDS, Lists
from rgbd_perception.mapping.block_parts import Parts, connected
from rgbd_perception.mapping.blocks import SIDE, corner_of
from rgbd_perception.mapping.box_pictures import pictures_of_masks
from rgbd_perception.mapping.boxes import BoxArrays, fit_box
from rgbd_perception.mapping.jit import kernel
from rgbd_perception.mapping.ranking import NO_GROUPS, RankedGroups, best_groups, robust_best_of
from rgbd_perception.mapping.threads import Runner

_TEXTS_AT_ONCE = 64
"""A word of 64 bits says which texts an embedding fits."""
_BLOCKS_FOR_TWO = 2048
"""Fewer blocks are looked at by one thread."""
_ZERO, _ONE = np.uint64(0), np.uint64(1)


class Scored(NamedTuple):
    """For every embedding in the lists of the blocks its place in the ``table`` (k, T) of scores; place 0
    scores 0."""

    places: NDArray[np.int32]
    table: NDArray[np.float32]


class Wanted(NamedTuple):
    """Which groups: of voxels that score at least ``least`` > 0, connected over at most ``gap`` empty ones,
    at least ``least_voxels`` of them with a common score of ``least_score``; the best ``most``."""

    least: float
    gap: int
    least_voxels: int
    least_score: float
    most: int


def ranked_in_blocks(
    blocks: Blocks, scored: Scored, wanted: Wanted, voxel_size: float, run: Runner
) -> list[RankedGroups]:
    """For each text the best groups, as ``ranked_groups`` has them."""
    ranked = []
    for first in range(0, scored.table.shape[1], _TEXTS_AT_ONCE):
        table = np.ascontiguousarray(scored.table[:, first : first + _TEXTS_AT_ONCE])
        ranked += _ranked_together(blocks, Scored(scored.places, table), wanted, voxel_size, run)
    return ranked


def _ranked_together(
    blocks: Blocks, scored: Scored, wanted: Wanted, voxel_size: float, run: Runner
) -> list[RankedGroups]:
    """Of at most _TEXTS_AT_ONCE texts."""
    fitting = np.zeros(scored.table.shape[0], np.uint64)
    _mark_fitting(scored.table, np.float32(wanted.least), fitting)
    of_blocks = np.zeros(blocks.keys.size, np.uint64)

    def look(first: int, last: int) -> None:
        _look_into_lists(first, last, blocks.lists, scored.places, fitting, of_blocks)

    run(look, of_blocks.size, _BLOCKS_FOR_TWO)
    starts = np.zeros(scored.table.shape[1] + 1, np.int64)
    numbers = _list_by_text(of_blocks, starts)
    ranked = [NO_GROUPS] * scored.table.shape[1]
    longest_first = np.argsort(starts[:-1] - starts[1:], kind="stable")

    def rank(first: int, last: int) -> None:
        for text in longest_first[first:last].tolist():
            own = numbers[starts[text] : starts[text + 1]]
            if own.size:
                ranked[text] = _rank(own, blocks, scored, fitting, text, wanted, voxel_size)

    run(rank, len(ranked), 2)
    return ranked


@kernel
def _rank(
    numbers: NDArray[np.int32],
    blocks: Blocks,
    scored: Scored,
    fitting: NDArray[np.uint64],
    text: int,
    wanted: Wanted,
    voxel_size: float,
) -> RankedGroups:
    """The best groups of one text, which some embeddings in the n > 0 blocks ``numbers`` (n,) fit."""
    masks = np.zeros((numbers.size, SIDE), np.uint64)
    of_blocks = _look_closely(numbers, blocks, scored, fitting, text, masks)
    parts = connected(blocks.keys[numbers], masks, wanted.gap + 1)
    shares = _by_group(of_blocks, numbers, blocks, parts)
    voxels, scores = np.zeros(parts.group.size, np.int64), np.full(parts.group.size, -1.0)
    _score_groups(shares, scored, text, wanted.least_voxels, voxels, scores)
    chosen = best_groups(scores, voxels, wanted.least_voxels, wanted.least_score, wanted.most)
    slots, last_seen = _described(shares, blocks, chosen, voxels.size)
    centers, sizes, yaws = np.empty((chosen.size, 3)), np.empty((chosen.size, 3)), np.empty(chosen.size)
    for place in range(chosen.size):
        corners, own = _masks_of(chosen[place], numbers, blocks.keys, parts)
        yaws[place] = fit_box(pictures_of_masks(corners, own), voxel_size, centers[place], sizes[place])
    return RankedGroups(scores[chosen], voxels[chosen], slots, last_seen, BoxArrays(centers, sizes, yaws))


@kernel
def _mark_fitting(table: NDArray[np.float32], least: float, fitting: NDArray[np.uint64]) -> None:
    """Bit t of ``fitting`` (k,): whether the score (k, T) for text t is at least ``least``."""
    for i in range(table.shape[0]):
        for text in range(table.shape[1]):
            fitting[i] |= np.uint64(table[i, text] >= least) << np.uint64(text)


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
    halves = lists.halves
    for number in range(first, last):
        texts = _ZERO
        for half in range(HALVES * number, HALVES * (number + 1)):
            start = halves[half].list_at
            for i in range(start, start + halves[half].list_size):
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


class _Shares(NamedTuple):
    """For each embedding that fits in half a block, or in one group there: the number of the ``group`` (at
    first that of the block among those that were looked at), how many ``voxels`` have it, and where it
    (``entry``) and they (``half``) are in the lists; all (k,)."""

    group: NDArray[np.int32]
    voxels: NDArray[np.int32]
    entry: NDArray[np.int32]
    half: NDArray[np.int32]


@kernel
def _no_shares(most: int) -> _Shares:
    return _Shares(
        np.empty(most, np.int32), np.empty(most, np.int32), np.empty(most, np.int32), np.empty(most, np.int32)
    )


@kernel
def _look_closely(
    numbers: NDArray[np.int32],
    blocks: Blocks,
    scored: Scored,
    fitting: NDArray[np.uint64],
    text: int,
    masks: NDArray[np.uint64],
) -> _Shares:
    """Write the voxels of the blocks ``numbers`` (n,) that fit the ``text``, as masks (n, 8)."""
    # Taken out of the loops: arrays of a tuple would be counted.
    _, bits, (halves, _, _, codes), _, _ = blocks
    places, most = scored.places, 0
    for number in numbers:
        most += halves[HALVES * number].list_size + halves[HALVES * number + 1].list_size
    shares = _no_shares(most)
    of_block, voxels, of_entry, of_half = shares
    fits, counts = np.empty(WORDS * SIDE * SIDE, np.uint64), np.zeros(WORDS * SIDE * SIDE, np.int32)
    found = 0
    for i in range(numbers.size):
        for number in range(HALVES * numbers[i], HALVES * (numbers[i] + 1)):
            half, word = halves[number], WORDS * (number % HALVES)
            any_fits, all_fit = _ZERO, _ONE
            for j in range(half.list_size):
                fits[j] = (fitting[places[half.list_at + j]] >> np.uint64(text)) & _ONE
                any_fits |= fits[j]
                all_fit &= fits[j]
            if any_fits == _ZERO:
                continue
            if all_fit != _ZERO:  # as within most things
                for layer in range(word, word + WORDS):
                    masks[i, layer] = bits[numbers[i], layer]
                for place in range(half.code_at, half.code_at + half.code_size):
                    counts[codes[place]] += 1
            else:
                place = half.code_at
                for layer in range(word, word + WORDS):
                    left, mask = bits[numbers[i], layer], _ZERO
                    while left != _ZERO:
                        mask |= fits[codes[place]] << np.uint64(lowest_bit(left))
                        counts[codes[place]] += 1
                        place += 1
                        left &= left - _ONE
                    masks[i, layer] = mask
            for j in range(half.list_size):
                of_block[found], of_entry[found], of_half[found] = i, half.list_at + j, number
                voxels[found] = counts[j]
                counts[j] = 0
                found += fits[j] != _ZERO
    return _Shares(of_block[:found], voxels[:found], of_entry[:found], of_half[:found])


@kernel
def _by_group(shares: _Shares, numbers: NDArray[np.int32], blocks: Blocks, parts: Parts) -> _Shares:
    """The shares of the groups instead of those of the blocks ``numbers``."""
    of_block, of_voxels, of_entry, of_half = shares
    _, bits, (halves, _, _, codes), _, _ = blocks
    masks, first, of_part = parts
    most = 0
    for block in of_block:
        most += first[block + 1] - first[block]
    found_shares = _no_shares(most)
    group, voxels, entry, half = found_shares
    counts = np.zeros(WORDS * SIDE * SIDE, np.int32)
    found, last = 0, -1
    for i in range(of_block.size):
        block = of_block[i]
        if first[block + 1] - first[block] == 1:
            group[found], voxels[found] = of_part[first[block]], of_voxels[i]
            entry[found], half[found] = of_entry[i], of_half[i]
            found += 1
        elif of_half[i] != last:  # voxels of one embedding may be in several parts
            last = of_half[i]
            for part in range(first[block], first[block + 1]):
                _count_codes(last, bits[numbers[block]], masks[part], halves[last].code_at, codes, counts)
                for other in range(i, of_block.size):
                    if of_half[other] != last:
                        break
                    code = of_entry[other] - halves[last].list_at
                    if counts[code] > 0:
                        group[found], voxels[found] = of_part[part], counts[code]
                        entry[found], half[found] = of_entry[other], last
                        found += 1
                        counts[code] = 0
    return _Shares(group[:found], voxels[:found], entry[:found], half[:found])


@kernel
def _count_codes(
    half: int,
    bits: NDArray[np.uint64],
    mask: NDArray[np.uint64],
    place: int,
    codes: NDArray[np.uint8],
    counts: NDArray[np.int32],
) -> None:
    """Count the codes, from ``place`` on, of those voxels of half a block that are in the ``mask`` (8,)."""
    word = WORDS * (half % HALVES)
    for layer in range(word, word + WORDS):
        left = bits[layer]
        while left != _ZERO:
            counts[codes[place]] += np.int32((mask[layer] >> np.uint64(lowest_bit(left))) & _ONE)
            place += 1
            left &= left - _ONE


@kernel
def _score_groups(
    shares: _Shares,
    scored: Scored,
    text: int,
    least_voxels: int,
    sizes: NDArray[np.int64],
    scores: NDArray[np.float64],
) -> None:
    """Write how many voxels each group has and, where they are enough, their common score."""
    group, voxels, entry, _ = shares
    places, table = scored
    ends = np.zeros(sizes.size + 1, np.int64)
    for i in range(group.size):
        sizes[group[i]] += voxels[i]
        ends[group[i] + 1] += 1
    for i in range(sizes.size):
        ends[i + 1] += ends[i]
    place, sorted_scores, counts = ends.copy(), np.empty(group.size, np.float32), np.empty_like(voxels)
    for i in range(group.size):
        at = place[group[i]]
        sorted_scores[at], counts[at] = table[places[entry[i]], text], voxels[i]
        place[group[i]] += 1
    for i in range(sizes.size):
        if sizes[i] >= max(least_voxels, 1):
            first, last = ends[i], ends[i + 1]
            scores[i] = robust_best_of(sorted_scores[first:last], counts[first:last], least_voxels)


@kernel
def _described(
    shares: _Shares, blocks: Blocks, chosen: NDArray[np.int64], groups: int
) -> tuple[NDArray[np.int64], NDArray[np.uint32]]:
    """The usual class slot of each ``chosen`` (m,) of the groups, and when it was last seen."""
    place = np.full(groups, -1, np.int64)
    for i in range(chosen.size):
        place[chosen[i]] = i
    group, voxels, entry, half = shares
    _, _, (_, _, classes, _), seen, _ = blocks
    most = np.int64(0)
    for i in entry:
        most = max(most, np.int64(classes[i]))
    votes = np.zeros((chosen.size, most + 1), np.int64)
    slots, last_seen = np.empty(chosen.size, np.int64), np.zeros(chosen.size, np.uint32)
    for i in range(group.size):
        at = place[group[i]]
        if at >= 0:
            votes[at, classes[entry[i]]] += voxels[i]
            last_seen[at] = max(last_seen[at], seen[half[i]])
    votes[:, 0] = 0  # not known
    for i in range(chosen.size):
        slots[i] = votes[i].argmax()
    return slots, last_seen


@kernel
def _masks_of(
    group: int, numbers: NDArray[np.int32], block_keys: NDArray[np.int64], parts: Parts
) -> tuple[NDArray[np.int64], NDArray[np.uint64]]:
    """Corners (m,) of the blocks that a group lies in and its voxels there (m, 8)."""
    of_parts, first, of_part = parts
    count = 0
    for other in of_part:
        count += other == group
    corners, masks = np.empty(count, np.int64), np.empty((count, SIDE), np.uint64)
    found = 0
    for i in range(numbers.size):
        for part in range(first[i], first[i + 1]):
            if of_part[part] == group:
                corners[found] = corner_of(block_keys[numbers[i]])
                for word in range(SIDE):
                    masks[found, word] = of_parts[part, word]
                found += 1
    return corners, masks
