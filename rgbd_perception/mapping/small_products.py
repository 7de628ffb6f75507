"""Dot products of 8-bit vectors with a few others in whole numbers: a fraction of the work of those in
``products``.

The vectors are turned, so that each has a lane of its own; the others are rounded to 16 bits. Two numbers of
each vector meet two of another one at once and are added up in 32 bits: one instruction for all of them where
a processor has it (x86: vpmaddwd, vpdpwssd), which LLVM finds. Nothing overflows, and the error of the
others' rounding is known.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic
from numpy.typing import NDArray

from rgbd_perception.mapping.jit import kernel
from rgbd_perception.mapping.pair_products import WORD, added_pairs, halves, words
from rgbd_perception.mapping.products import DEPTH, LANES
from rgbd_perception.mapping.register_tiles import (
    array_data,
    constant,
    grow_in_registers,
    repeated,
    vector_at,
)

TILE = 16
"""Vectors that are compared at once, a lane each."""
_MOST, _MOST_SUM = (1 << 15) - 1, ((1 << 31) - 1) / 128
"""The largest whole number, and what the numbers of one vector may add up to, signs left out."""
_PAIRS = DEPTH // 2


class RoundedOthers(NamedTuple):
    """Others (m, D) in whole numbers: ``pairs`` (D' / 2, m', 2) int16 in the order of a turned tile;
    ``units`` (m',), what a product of 1 stands for; ``errors`` (m',), the most by which the product with a
    unit vector is wrong."""

    pairs: NDArray[np.int16]
    units: NDArray[np.float32]
    errors: NDArray[np.float32]


def rounded_side_by_side(others: NDArray[np.float32]) -> RoundedOthers:
    """Round (m, D) vectors, each with a unit of its own, and fill up with zeros to whole tiles."""
    count, depth = others.shape
    wide = np.zeros((count + -count % LANES, depth + -depth % DEPTH))
    wide[:count, :depth] = others
    largest, total = np.abs(wide).max(axis=1, initial=0.0), np.abs(wide).sum(axis=1)
    # Rounding adds up to a half for each number.
    units = np.maximum(largest / _MOST, total / (_MOST_SUM - wide.shape[1] / 2))
    units[units == 0] = 1.0
    whole = np.rint(wide / units[:, None])
    errors = np.linalg.norm(whole * units[:, None] - wide, axis=1)
    turned = whole.astype(np.int16).reshape(wide.shape[0], wide.shape[1] // 4, 2, 2).transpose(1, 3, 0, 2)
    pairs = np.ascontiguousarray(turned).reshape(wide.shape[1] // 2, wide.shape[0], 2)
    return RoundedOthers(pairs, units.astype(np.float32), errors.astype(np.float32))


def _turned(builder: Any, rows: list[Any]) -> list[Any]:
    """Columns of a square of TILE rows with TILE words each: halves, quarters, ... change places."""
    far = TILE // 2
    while far:
        for i in range(TILE):
            if i & far:
                continue
            upper, lower = rows[i], rows[i + far]
            left = [TILE + j - far if j & far else j for j in range(TILE)]
            right = [TILE + j if j & far else j + far for j in range(TILE)]
            rows[i], rows[i + far] = (
                builder.shuffle_vector(upper, lower, ir.Constant(words(TILE), places))
                for places in (left, right)
            )
        far //= 2
    return rows


def _turn(typing_context: Any, vectors: Any, row: Any, first: Any, tile: Any) -> Any:
    """Write DEPTH numbers from ``first`` on of TILE ``vectors`` (n, D) int8 from ``row`` on, turned, as a
    ``tile`` (DEPTH / 2, TILE, 2) int16: of four numbers of a vector the first and third, then the others."""
    if (vectors.dtype, tile.dtype) != (types.int8, types.int16):
        return None

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        source, target = (array_data(context, builder, signature, arguments, i) for i in (0, 3))
        width = builder.extract_value(source.shape, 1)
        each_row = words(TILE)
        start = builder.add(builder.mul(arguments[1], width), arguments[2])
        places = [builder.add(start, builder.mul(width, constant(k))) for k in range(TILE)]
        rows = [builder.load(vector_at(builder, source.data, place, each_row), align=1) for place in places]
        byte = ir.Constant(halves(2 * TILE), [8] * (2 * TILE))
        for step, column in enumerate(_turned(builder, rows)):
            numbers = builder.bitcast(column, halves(2 * TILE))
            even, odd = builder.ashr(builder.shl(numbers, byte), byte), builder.ashr(numbers, byte)
            for place, pair in ((2 * step, even), (2 * step + 1, odd)):
                at = vector_at(builder, target.data, constant(2 * TILE * place), pair.type)
                builder.store(pair, at, align=2)
        return context.get_dummy_value()

    return types.void(vectors, types.int64, types.int64, tile), generate


def _pair_at(builder: Any, tile: Any, step: Any) -> Any:
    """Two numbers of each vector of a tile, given as words."""
    pair = builder.load(vector_at(builder, tile, builder.mul(step, constant(TILE)), words(TILE)), align=4)
    return builder.bitcast(pair, halves(2 * TILE))


def _add_products(typing_context: Any, tile: Any, pairs: Any, first: Any, other: Any, sums: Any) -> Any:
    """Add the products of a tile with LANES others, from row ``first`` and column ``other`` of ``pairs`` on,
    to ``sums`` (m', TILE)."""
    if (tile.dtype, pairs.dtype, sums.dtype) != (types.int16, types.int16, types.int32):
        return None

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        made = [array_data(context, builder, signature, arguments, i) for i in (0, 1, 4)]
        width = builder.extract_value(made[1].shape, 1)
        own, others, totals = (builder.bitcast(array.data, WORD.as_pointer()) for array in made)

        def grow(step: Any, before: Sequence[Any]) -> list[Any]:
            pair = _pair_at(builder, own, step)
            at = builder.add(builder.mul(builder.add(arguments[2], step), width), arguments[3])
            grown = []
            for k, total in enumerate(before):
                word = builder.load(builder.gep(others, [builder.add(at, constant(k))]))
                other = builder.bitcast(repeated(builder, word, TILE), halves(2 * TILE))
                grown.append(builder.add(total, added_pairs(builder, pair, other, TILE)))
            return grown

        rows = [builder.mul(builder.add(arguments[3], constant(k)), constant(TILE)) for k in range(LANES)]
        places = [vector_at(builder, totals, row, words(TILE)) for row in rows]
        grow_in_registers(builder, places, _PAIRS, grow)
        return context.get_dummy_value()

    return types.void(tile, pairs, types.int64, types.int64, sums), generate


def _add_squares(typing_context: Any, tile: Any, squares: Any) -> Any:
    """Add the squares of the numbers in a tile to ``squares`` (TILE,)."""
    if (tile.dtype, squares.dtype) != (types.int16, types.int32):
        return None

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        made = [array_data(context, builder, signature, arguments, i) for i in (0, 1)]
        own, totals = (builder.bitcast(array.data, WORD.as_pointer()) for array in made)

        def grow(step: Any, before: Sequence[Any]) -> list[Any]:
            pair = _pair_at(builder, own, step)
            return [builder.add(before[0], added_pairs(builder, pair, pair, TILE))]

        grow_in_registers(builder, [vector_at(builder, totals, constant(0), words(TILE))], _PAIRS, grow)
        return context.get_dummy_value()

    return types.void(tile, squares), generate


turn: Any = intrinsic(_turn)
add_products: Any = intrinsic(_add_products)
add_squares: Any = intrinsic(_add_squares)


class SmallTile(NamedTuple):
    """Scratch for TILE vectors: ``padded`` (TILE, D') int8 zeros, for vectors that do not fill a tile;
    ``turned`` (DEPTH / 2, TILE, 2) int16; ``products`` (m', TILE) and ``squares`` (TILE,) int32."""

    padded: NDArray[np.int8]
    turned: NDArray[np.int16]
    products: NDArray[np.int32]
    squares: NDArray[np.int32]


def small_tile(pairs: NDArray[np.number]) -> SmallTile:
    """For products with these others."""
    return SmallTile(
        np.zeros((TILE, 2 * pairs.shape[0]), np.int8),
        np.empty((_PAIRS, TILE, 2), np.int16),
        np.empty((pairs.shape[1], TILE), np.int32),
        np.empty(TILE, np.int32),
    )


@kernel(forceinline=True)
def multiply_small(
    vectors: NDArray[np.int8],
    first: int,
    pairs: NDArray[np.int16],
    padded: NDArray[np.int8],
    turned: NDArray[np.int16],
    products: NDArray[np.int32],
    squares: NDArray[np.int32],
) -> None:
    """Write the products and squares of up to TILE of the vectors (n, D), from the ``first`` on, into the
    arrays of a SmallTile; 0 for those beyond n."""
    products[:] = 0
    squares[:] = 0
    count = min(TILE, vectors.shape[0] - first)
    is_whole = count == TILE and vectors.shape[1] == padded.shape[1]
    if not is_whole:
        padded[count:] = 0
        for k in range(count):
            for j in range(vectors.shape[1]):
                padded[k, j] = vectors[first + k, j]
    for piece in range(pairs.shape[0] // _PAIRS):
        if is_whole:
            turn(vectors, first, piece * DEPTH, turned)
        else:
            turn(padded, 0, piece * DEPTH, turned)
        add_squares(turned, squares)
        for other in range(0, pairs.shape[1], LANES):
            add_products(turned, pairs, piece * _PAIRS, other, products)
