"""Dot products of 8-bit vectors with a few others in whole numbers: half the work of those in ``products``.

The others are rounded to 16 bits. Two numbers of a vector meet two of each other at once and are added up in
32 bits: one instruction for each eight or sixteen others where a processor has it (x86: vpmaddwd, vpdpwssd),
which LLVM finds. Nothing overflows, and the error of the others' rounding is known.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic
from numpy.typing import NDArray

from rgbd_perception.mapping.jit import kernel
from rgbd_perception.mapping.products import DEPTH, LANES, ROWS
from rgbd_perception.mapping.register_tiles import (
    INDEX,
    array_data,
    constant,
    grow_in_registers,
    repeated,
    vector_at,
)

_WIDE = 2 * LANES
_MOST, _MOST_SUM = (1 << 15) - 1, ((1 << 31) - 1) / 128
"""The largest whole number, and what the numbers of one vector may add up to, signs left out."""
_PAIRS = DEPTH // 2


class RoundedOthers(NamedTuple):
    """Others (m, D) in whole numbers: ``pairs`` (D' / 2, m', 2) int16 for ``multiply_small``; ``units``
    (m',), what a product of 1 stands for; ``errors`` (m',), the most by which the product with a unit vector
    is wrong."""

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
    pairs = whole.astype(np.int16).reshape(wide.shape[0], wide.shape[1] // 2, 2).transpose(1, 0, 2)
    return RoundedOthers(np.ascontiguousarray(pairs), units.astype(np.float32), errors.astype(np.float32))


_WORD = ir.IntType(32)


def _words(count: int) -> ir.VectorType:
    return ir.VectorType(_WORD, count)


def _halves(count: int) -> ir.VectorType:
    return ir.VectorType(ir.IntType(16), count)


def _every_other(builder: Any, values: Any, first: int, count: int) -> Any:
    places = ir.Constant(_words(count), [first + 2 * place for place in range(count)])
    return builder.shuffle_vector(values, ir.Constant(values.type, ir.Undefined), places)


def _added_pairs(builder: Any, left: Any, right: Any, count: int) -> Any:
    """(2 * count) int16 each -> (count) int32, the products of neighbours added up."""
    products = builder.mul(
        builder.sext(left, _words(2 * count)), builder.sext(right, _words(2 * count)), flags=("nsw",)
    )
    return builder.add(_every_other(builder, products, 0, count), _every_other(builder, products, 1, count))


def _tile(lanes: int) -> Any:
    """Compiled in place: add the products of a piece of ROWS vectors with ``lanes`` of the others."""

    def add_tile(typing_context: Any, piece: Any, pairs: Any, first: Any, lane: Any, products: Any) -> Any:
        """piece (ROWS, DEPTH); pairs (D' / 2, m', 2) from row ``first`` and column ``lane`` on; products
        (ROWS, m')."""
        if (piece.dtype, pairs.dtype, products.dtype) != (types.int16, types.int16, types.int32):
            return None

        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            made = [array_data(context, builder, signature, arguments, i) for i in (0, 1, 4)]
            width = builder.extract_value(made[1].shape, 1)
            # As words of two numbers each.
            rows, columns, sums = (builder.bitcast(array.data, _WORD.as_pointer()) for array in made)

            def across(data: Any, row: Any) -> Any:
                at = builder.add(builder.mul(row, width), arguments[3])
                return vector_at(builder, data, at, _words(lanes))

            def as_pairs(words: Any) -> Any:
                return builder.bitcast(words, _halves(2 * lanes))

            def grow(step: Any, totals: Sequence[Any]) -> list[Any]:
                other = as_pairs(builder.load(across(columns, builder.add(arguments[2], step)), align=4))
                grown = []
                for k, total in enumerate(totals):
                    word = builder.load(builder.gep(rows, [builder.add(constant(k * _PAIRS), step)]))
                    pair = as_pairs(repeated(builder, word, lanes))
                    grown.append(builder.add(total, _added_pairs(builder, pair, other, lanes)))
                return grown

            grow_in_registers(builder, [across(sums, constant(k)) for k in range(ROWS)], _PAIRS, grow)
            return context.get_dummy_value()

        return types.void(piece, pairs, types.int64, types.int64, products), generate

    return intrinsic(add_tile)


def _put_piece(typing_context: Any, vectors: Any, row: Any, first: Any, pieces: Any, place: Any) -> Any:
    """Widen DEPTH numbers of ``vectors`` (n, D) int8 to the int16 from ``place`` on; sum of their squares."""
    if (vectors.dtype, pieces.dtype) != (types.int8, types.int16):
        return None

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        source, target = (array_data(context, builder, signature, arguments, i) for i in (0, 3))
        width = builder.extract_value(source.shape, 1)
        at = builder.add(builder.mul(arguments[1], width), arguments[2])
        kind = ir.VectorType(ir.IntType(8), DEPTH)
        narrow = builder.load(builder.bitcast(builder.gep(source.data, [at]), kind.as_pointer()), align=1)
        wide = builder.sext(narrow, _halves(DEPTH))
        to = builder.bitcast(builder.gep(target.data, [arguments[4]]), _halves(DEPTH).as_pointer())
        builder.store(wide, to, align=2)
        squares = _added_pairs(builder, wide, wide, _PAIRS)
        add_up = cgutils.get_or_insert_function(
            builder.module, ir.FunctionType(_WORD, [squares.type]), f"llvm.vector.reduce.add.v{_PAIRS}i32"
        )
        return builder.sext(builder.call(add_up, [squares]), INDEX)

    return types.int64(vectors, types.int64, types.int64, pieces, types.int64), generate


_add_narrow_tile, _add_wide_tile = _tile(LANES), _tile(_WIDE)
_put_whole_piece: Any = intrinsic(_put_piece)


@kernel(forceinline=True)
def multiply_small(pieces: NDArray[np.int16], pairs: NDArray[np.int16], products: NDArray[np.int32]) -> None:
    """Write the dot products (ROWS, m') of ``pieces`` (D' / DEPTH, ROWS, DEPTH) with ``pairs``
    (D' / 2, m', 2)."""
    lanes = pairs.shape[1]
    products[:] = 0
    for piece in range(pieces.shape[0]):
        for lane in range(0, lanes - _WIDE + 1, _WIDE):
            _add_wide_tile(pieces[piece], pairs, piece * _PAIRS, lane, products)
        if lanes % _WIDE:
            _add_narrow_tile(pieces[piece], pairs, piece * _PAIRS, lanes - LANES, products)


@kernel(forceinline=True)
def put_small(
    vectors: NDArray[np.int8], first: int, count: int, pieces: NDArray[np.int16], squares: NDArray[np.int64]
) -> None:
    """Write ``count`` vectors (n, D) from the ``first`` on as ``pieces``, and the ``squares`` (ROWS,) of
    their lengths.

    Beyond D the pieces must be 0 already.
    """
    whole = vectors.shape[1] // DEPTH
    for k in range(count):
        square = 0
        for piece in range(whole):
            square += _put_whole_piece(vectors, first + k, piece * DEPTH, pieces, (piece * ROWS + k) * DEPTH)
        squares[k] = square
    for j in range(whole * DEPTH, vectors.shape[1]):
        for k in range(count):
            value = np.int16(vectors[first + k, j])
            pieces[whole, k, j - whole * DEPTH] = value
            squares[k] += value * value
