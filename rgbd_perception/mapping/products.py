"""Dot products of many vectors with a few, by tiles that stay in vector registers.

A compiler turns a loop of dot products into sums along the vectors, and most of the time goes into adding up
the parts of each sum. Here the others lie side by side: one number of a vector meets one number of 8 or 16
others at once, and nothing is left to add up. The loop is written in the vectors of LLVM, which every
processor knows.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic
from numpy.typing import NDArray

from rgbd_perception.mapping.jit import kernel

ROWS = 8
"""Vectors of a tile: each number of the others that is loaded serves all of them."""
DEPTH = 64
"""Numbers of a vector that one tile takes; a constant, so that every address is one register and a number."""
LANES, _WIDE = 8, 16
"""Others of a tile: there are whole eights of them."""


def side_by_side(others: NDArray[np.float32]) -> NDArray[np.float32]:
    """(m, D) vectors -> (D', m') for ``multiply``, filled up with zeros to whole tiles."""
    count, depth = others.shape
    return np.ascontiguousarray(np.pad(others, ((0, -count % LANES), (0, -depth % DEPTH))).T)


def _tile(lanes: int) -> Any:
    """Compiled in place: add the products of a piece of ROWS vectors with ``lanes`` of the others."""
    number, index = ir.FloatType(), ir.IntType(64)
    vector = ir.VectorType(number, lanes)
    fast = ("fast",)

    def constant(value: int) -> ir.Constant:
        return ir.Constant(index, value)

    def repeated(builder: Any, value: Any) -> Any:
        nothing = ir.Constant(vector, ir.Undefined)
        first = builder.insert_element(nothing, value, ir.Constant(ir.IntType(32), 0))
        return builder.shuffle_vector(
            first, nothing, ir.Constant(ir.VectorType(ir.IntType(32), lanes), [0] * lanes)
        )

    def add_tile(typing_context: Any, piece: Any, others: Any, first: Any, lane: Any, products: Any) -> Any:
        """piece (ROWS, DEPTH); others (D', m') from row ``first`` and column ``lane`` on; products
        (ROWS, m')."""
        arrays = (piece, others, products)
        if any(array.layout != "C" or array.dtype != types.float32 for array in arrays):
            return None

        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            made = [context.make_array(signature.args[i])(context, builder, arguments[i]) for i in (0, 1, 4)]
            rows, columns, sums = (array.data for array in made)
            width = builder.extract_value(made[1].shape, 1)

            def vector_at(data: Any, place: Any) -> Any:
                return builder.bitcast(builder.gep(data, [place]), vector.as_pointer())

            places = [
                vector_at(sums, builder.add(builder.mul(constant(k), width), arguments[3]))
                for k in range(ROWS)
            ]
            start = [builder.load(place, align=4) for place in places]
            before, loop = builder.basic_block, builder.append_basic_block("tile")
            builder.branch(loop)
            builder.position_at_end(loop)
            step = builder.phi(index)
            step.add_incoming(constant(0), before)
            totals = [builder.phi(vector) for _ in range(ROWS)]
            row = builder.mul(builder.add(arguments[2], step), width)
            across = builder.load(vector_at(columns, builder.add(row, arguments[3])), align=4)
            following = builder.add(step, constant(1))
            step.add_incoming(following, loop)
            grown = []
            for k in range(ROWS):
                value = builder.load(builder.gep(rows, [builder.add(constant(k * DEPTH), step)]))
                product = builder.fmul(repeated(builder, value), across, flags=fast)
                grown.append(builder.fadd(product, totals[k], flags=fast))
                totals[k].add_incoming(start[k], before)
                totals[k].add_incoming(grown[k], loop)
            after = builder.append_basic_block("tile.end")
            builder.cbranch(builder.icmp_unsigned("<", following, constant(DEPTH)), loop, after)
            builder.position_at_end(after)
            for total, place in zip(grown, places, strict=True):
                builder.store(total, place, align=4)
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


@kernel(fastmath=True)
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
