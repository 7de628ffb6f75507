"""Which vectors are near enough to some text to be scored exactly: most are near to none.

Vectors of 8 bits are compared in whole numbers, with a margin for the rounding of the texts, so that none is
missed; others as they are.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rgbd_perception.mapping.bits import lowest_bit
from rgbd_perception.mapping.jit import kernel
from rgbd_perception.mapping.lane_bits import lanes_above, roots, tile_above
from rgbd_perception.mapping.products import DEPTH, LANES, ROWS, multiply, put, side_by_side
from rgbd_perception.mapping.score_rule import NEVER, NO_COSINE, ScoreRule
from rgbd_perception.mapping.small_products import (
    TILE,
    SmallTile,
    multiply_small,
    rounded_side_by_side,
    small_tile,
)

_ROUNDING = 1e-6
"""Of cosines in single precision."""


class Texts(NamedTuple):
    """Texts, then negatives, as tiles take them.

    ``across`` from side_by_side or rounded_side_by_side, with m' columns; ``units`` (m',): what a product
    of 1 stands for; ``floor`` (m',): what a cosine must exceed to be near; ``generic`` (T + N,).
    """

    across: NDArray[np.number]
    units: NDArray[np.float32]
    floor: NDArray[np.float32]
    generic: NDArray[np.float32]


def texts_for(
    kind: np.dtype[np.number],
    positive_and_negative: NDArray[np.float32],
    generic: NDArray[np.float32],
    texts: int,
    near: float,
) -> Texts:
    """For vectors of a ``kind``, and ``near`` as centred cosine; of the (T + N, D) only the first ``texts``
    can be near."""
    across: NDArray[np.number]
    if kind == np.int8:
        across, units, errors = rounded_side_by_side(positive_and_negative)
    else:
        across = side_by_side(positive_and_negative)
        units, errors = np.ones(across.shape[1], np.float32), np.zeros(across.shape[1], np.float32)
    floor = np.full(units.size, NO_COSINE, np.float32)
    floor[:texts] = generic[:texts] + near - errors[:texts] - _ROUNDING
    return Texts(across, units, floor, generic)


class Near(NamedTuple):
    """``numbers`` (k,) of vectors, and to which ``texts`` (k, m' / LANES) each may be near, as bits."""

    numbers: NDArray[np.int32]
    texts: NDArray[np.uint8]


def near_vectors(
    vectors: NDArray[np.number],
    in_use: NDArray[np.bool_],
    texts: Texts,
    rule: ScoreRule,
    far: NDArray[np.float32],
) -> Near:
    """Those of the (n, D) vectors ``in_use`` (n,) that are near some text.

    ``far`` (n, T): the logits of the absolute test of the others are written here; (0, T) where they are
    nobody's concern.
    """
    lanes = texts.units.size
    near = Near(np.empty(vectors.shape[0], np.int32), np.empty((vectors.shape[0], lanes // LANES), np.uint8))
    if vectors.dtype == np.int8:
        found = _find_near_small(vectors, in_use, texts, rule, small_tile(texts.across), far, near)
    else:
        pieces = np.zeros((-(-vectors.shape[1] // DEPTH), ROWS, DEPTH), np.float32)
        found = _find_near(
            vectors, in_use, texts, rule, pieces, np.empty((ROWS, lanes), np.float32), far, near
        )
    return Near(near.numbers[:found], near.texts[:found])


@kernel(fastmath=True, forceinline=True)
def _note_near(
    products: NDArray[np.float32], k: int, texts: Texts, length: float, near: NDArray[np.uint8]
) -> bool:
    """Note to which texts vector ``k`` of this length is ``near`` (m' / LANES,), as bits; whether to any."""
    some = np.uint8(0)
    for group in range(near.size):
        lane = group * LANES
        bits = lanes_above(products, k * texts.units.size + lane, texts.units, texts.floor, lane, length)
        near[group] = bits
        some |= bits
    return some != 0 and length > 0


@kernel
def _write_far(
    products: NDArray[np.number],
    texts: Texts,
    length: float,
    rule: ScoreRule,
    logits: NDArray[np.float32],
) -> None:
    """Logits (T,) of the absolute test of a vector with the ``products`` (m',); NEVER for a length of 0."""
    inverse = np.float32(1) / length if length > 0 else np.float32(0)
    barrier = np.float32(-NO_COSINE if length > 0 else NO_COSINE)
    for text in range(logits.size, texts.generic.size):
        cosine = np.float32(products[text]) * texts.units[text] * inverse
        barrier = max(barrier, cosine - texts.generic[text])
    for text in range(logits.size):
        cosine = np.float32(products[text]) * texts.units[text] * inverse - texts.generic[text]
        logits[text] = rule.scale * (cosine - rule.offset) if cosine > barrier else NEVER


@kernel
def _find_near_small(
    vectors: NDArray[np.int8],
    in_use: NDArray[np.bool_],
    texts: Texts,
    rule: ScoreRule,
    tile: SmallTile,
    far: NDArray[np.float32],
    near: Near,
) -> int:
    across, units, floor, _ = texts  # taken out of the loop: there they would be counted
    padded, turned, products, squares = tile
    numbers, of_texts = near
    found = 0
    lengths, near_texts = np.empty(TILE, np.float32), np.empty(units.size, np.uint16)
    for first in range(0, vectors.shape[0], TILE):
        multiply_small(vectors, first, across, padded, turned, products, squares)
        roots(squares, lengths)
        some = np.uint64(0)
        for text in range(units.size):
            near_texts[text] = tile_above(products, text, units[text], floor[text], lengths)
            some |= np.uint64(near_texts[text])
        left = some
        while left != np.uint64(0):
            k = lowest_bit(left)
            left &= left - np.uint64(1)
            if first + k < vectors.shape[0] and in_use[first + k] and squares[k] > 0:
                numbers[found] = first + k
                _turn_bits(near_texts, k, of_texts[found])
                found += 1
            else:
                some ^= np.uint64(1) << np.uint64(k)
        if far.shape[0]:
            for row in range(first, min(first + TILE, vectors.shape[0])):
                k = row - first
                if (some >> np.uint64(k)) & np.uint64(1) == np.uint64(0):
                    length = lengths[k] if in_use[row] else np.float32(0)
                    _write_far(products[:, k], texts, length, rule, far[row])
    return found


@kernel(forceinline=True)
def _turn_bits(of_vectors: NDArray[np.uint16], k: int, of_texts: NDArray[np.uint8]) -> None:
    """From bits of vectors for each text (m',) to those of the texts for vector ``k``."""
    for group in range(of_texts.size):
        bits = np.uint32(0)
        for lane in range(LANES):
            is_near = (np.uint32(of_vectors[group * LANES + lane]) >> np.uint32(k)) & np.uint32(1)
            bits |= is_near << np.uint32(lane)
        of_texts[group] = np.uint8(bits)


@kernel
def _find_near(
    vectors: NDArray[np.float32],
    in_use: NDArray[np.bool_],
    texts: Texts,
    rule: ScoreRule,
    pieces: NDArray[np.float32],
    products: NDArray[np.float32],
    far: NDArray[np.float32],
    near: Near,
) -> int:
    found = 0
    lengths = np.zeros(ROWS, np.float32)
    for first in range(0, vectors.shape[0], ROWS):
        last = min(first + ROWS, vectors.shape[0])
        for row in range(first, last):
            lengths[row - first] = np.sqrt(put(vectors, row, pieces, row - first))
        multiply(pieces, texts.across, products)
        for row in range(first, last):
            k = row - first
            length = lengths[k] if in_use[row] else np.float32(0)
            if _note_near(products, k, texts, length, near.texts[found]):
                near.numbers[found] = row
                found += 1
            elif far.shape[0]:
                _write_far(products[k], texts, length, rule, far[row])
    return found
