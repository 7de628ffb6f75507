"""Dot products of many vectors with a few, by tiles that stay in vector registers.

A compiler turns a loop of dot products into sums along the vectors, and most of the time goes into adding up
the parts of each sum. Here the others lie side by side: one number of a vector meets one number of 8 or 16
others at once, and nothing is left to add up.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic
from numpy.typing import NDArray

from rgbd_perception.mapping.jit import kernel
from rgbd_perception.mapping.register_tiles import (
    array_data,
    constant,
    grow_in_registers,
    repeated,
    vector_at,
)

ROWS = 8
"""Vectors of a tile: each number of the others that is loaded serves all of them."""
DEPTH = 64
"""Numbers of a vector that one tile takes; a constant, so that every address is one register and a number."""
LANES, _WIDE = 8, 16
"""Others of a tile: there are whole eights of them."""
FAST = ("fast",)
"""Sums may be reordered, products and sums joined."""


def side_by_side(others: NDArray[np.float32]) -> NDArray[np.float32]:
    """(m, D) vectors -> (D', m') for ``multiply``, filled up with zeros to whole tiles."""
    count, depth = others.shape
    across = np.zeros((depth + -depth % DEPTH, count + -count % LANES), np.float32)
    across[:depth, :count] = others.T
    return across


def _tile(lanes: int) -> Any:
    """Compiled in place: add the products of a piece of ROWS vectors with ``lanes`` of the others."""
    vector = ir.VectorType(ir.FloatType(), lanes)

    def add_tile(typing_context: Any, piece: Any, others: Any, first: Any, lane: Any, products: Any) -> Any:
        """piece (ROWS, DEPTH); others (D', m') from row ``first`` and column ``lane`` on; products
        (ROWS, m')."""
        arrays = (piece, others, products)
        if any(array.layout != "C" or array.dtype != types.float32 for array in arrays):
            return None

        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            made = [array_data(context, builder, signature, arguments, i) for i in (0, 1, 4)]
            rows, columns, sums = (array.data for array in made)
            width = builder.extract_value(made[1].shape, 1)

            def across(data: Any, row: Any) -> Any:
                return vector_at(builder, data, builder.add(builder.mul(row, width), arguments[3]), vector)

            def grow(step: Any, totals: Sequence[Any]) -> list[Any]:
                other = builder.load(across(columns, builder.add(arguments[2], step)), align=4)
                numbers = [
                    builder.load(builder.gep(rows, [builder.add(constant(k * DEPTH), step)]))
                    for k in range(ROWS)
                ]
                products = [
                    builder.fmul(repeated(builder, number, lanes), other, flags=FAST) for number in numbers
                ]
                return [builder.fadd(*pair, flags=FAST) for pair in zip(products, totals, strict=True)]

            grow_in_registers(builder, [across(sums, constant(k)) for k in range(ROWS)], DEPTH, grow)
            return context.get_dummy_value()

        return types.void(piece, others, types.int64, types.int64, products), generate

    return intrinsic(add_tile)


_add_narrow_tile, _add_wide_tile = _tile(LANES), _tile(_WIDE)


@kernel(fastmath=True)
def multiply(pieces: NDArray[np.float32], others: NDArray[np.float32], products: NDArray[np.float32]) -> None:
    """Write the dot products (ROWS, m') of ``pieces`` (D' / DEPTH, ROWS, DEPTH) with ``others`` (D', m')."""
    lanes = others.shape[1]
    products[:] = 0
    for piece in range(pieces.shape[0]):
        for lane in range(0, lanes - _WIDE + 1, _WIDE):
            _add_wide_tile(pieces[piece], others, piece * DEPTH, lane, products)
        if lanes % _WIDE:
            _add_narrow_tile(pieces[piece], others, piece * DEPTH, lanes - LANES, products)


@kernel(fastmath=True, forceinline=True)
def put(vectors: NDArray[np.number], row: int, pieces: NDArray[np.float32], k: int) -> float:
    """Write a vector (D,), widened, as the ``k``-th of the ``pieces``; return the square of its length.

    Beyond D the pieces must be 0 already.
    """
    square = np.float32(0)
    whole = vectors.shape[1] // DEPTH
    for piece in range(whole):
        for j in range(DEPTH):
            # Unsigned, so that no index can count from the end: that check would cost more than the rest.
            value = np.float32(vectors[row, np.uint64(piece) * np.uint64(DEPTH) + np.uint64(j)])
            pieces[np.uint64(piece), k, j] = value
            square += value * value
    for j in range(vectors.shape[1] - whole * DEPTH):
        value = np.float32(vectors[row, whole * DEPTH + j])
        pieces[whole, k, j] = value
        square += value * value
    return square
