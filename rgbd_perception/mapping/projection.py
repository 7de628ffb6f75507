"""Coordinates of many vectors on a basis: like ``products``, for a basis as wide as two vector registers.

Here a tile is a block of sums two registers wide: each number of a vector serves two instructions, and the
sums wait for each other half as often. How many vectors fit is up to the registers of the processor.
``whole_projection`` has the same functions in whole numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from llvmlite import binding, ir
from numba import types
from numba.extending import intrinsic
from numpy.typing import NDArray

from rgbd_perception.mapping.jit import kernel
from rgbd_perception.mapping.products import DEPTH, FAST
from rgbd_perception.mapping.products import put as put_in_pieces
from rgbd_perception.mapping.register_tiles import (
    array_data,
    constant,
    grow_in_registers,
    repeated,
    vector_at,
)

_HAS_WIDE_REGISTERS = bool(binding.get_host_cpu_features().get("avx512f"))
REGISTER = 16 if _HAS_WIDE_REGISTERS else 8
"""Numbers of a vector instruction; NEON takes two instructions for 8."""
ACROSS = 2
VECTORS = 12 if _HAS_WIDE_REGISTERS else 6
"""Vectors of a tile: 24 of 32 registers hold sums, or 12 of 16."""
LANES = ACROSS * REGISTER
"""Axes of a tile: of the basis there are whole tiles."""


class Tile(NamedTuple):
    """Scratch for VECTORS vectors: ``pieces`` (D' / DEPTH, VECTORS, DEPTH), ``sums`` (VECTORS, d')."""

    pieces: NDArray[np.float32]
    sums: NDArray[np.float32]


def as_axes(basis: NDArray[np.float32]) -> NDArray[np.float32]:
    """(d, D) basis -> (D', d') axes, filled up with zeros to whole tiles."""
    count, depth = basis.shape
    return np.ascontiguousarray(np.pad(basis, ((0, -count % LANES), (0, -depth % DEPTH))).T)


@kernel
def tile_for(axes: NDArray[np.float32]) -> Tile:
    """For vectors that are projected on these axes."""
    depth, width = axes.shape
    return Tile(
        np.zeros((depth // DEPTH, VECTORS, DEPTH), np.float32), np.empty((VECTORS, width), np.float32)
    )


@kernel
def put(vector: NDArray[np.float32], square: float, tile: Tile, k: int) -> None:
    """Write a ``vector`` (D,) as the ``k``-th of the tile; ``square``, of its length, is of no use here."""
    put_in_pieces(vector.reshape(1, vector.size), 0, tile.pieces, k)


def _add_tile(typing_context: Any, piece: Any, axes: Any, first: Any, lane: Any, sums: Any) -> Any:
    """Compiled in place: add to ``sums`` (VECTORS, d') from column ``lane`` on the products of ``piece``
    (VECTORS, DEPTH) with LANES columns of ``axes`` (D', d') from row ``first`` on."""
    if any(array.layout != "C" or array.dtype != types.float32 for array in (piece, axes, sums)):
        return None
    return types.void(piece, axes, types.int64, types.int64, sums), _generate_tile


def _generate_tile(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    made = [array_data(context, builder, signature, arguments, i) for i in (0, 1, 4)]

    def add_product(total: Any, number: Any, part: Any) -> Any:
        return builder.fadd(builder.fmul(number, part, flags=FAST), total, flags=FAST)

    width = builder.extract_value(made[1].shape, 1)
    grow_tile(
        builder, arguments, [array.data for array in made], width, DEPTH,
        ir.VectorType(ir.FloatType(), REGISTER), add_product,
    )  # fmt: skip
    return context.get_dummy_value()


def grow_tile(
    builder: Any,
    arguments: Sequence[Any],
    arrays: Sequence[Any],
    width: Any,
    steps: int,
    vector: ir.VectorType,
    add_product: Callable[[Any, Any, Any], Any],
) -> None:
    """The loop of an intrinsic with the ``arguments`` of ``_add_tile``: ``arrays`` are where the numbers of
    the piece, the axes and the sums begin, the last two with rows of ``width`` elements;
    add_product(total, number, part) adds a repeated number times a register of axes."""
    numbers, columns, sums = arrays

    def register_at(data: Any, row: Any, part: int) -> Any:
        column = builder.add(arguments[3], constant(part * REGISTER))
        return vector_at(builder, data, builder.add(builder.mul(row, width), column), vector)

    def grow(step: Any, totals: Sequence[Any]) -> list[Any]:
        row = builder.add(arguments[2], step)
        across = [builder.load(register_at(columns, row, part), align=4) for part in range(ACROSS)]
        each = [
            builder.load(builder.gep(numbers, [builder.add(constant(k * steps), step)]))
            for k in range(VECTORS)
        ]
        spread = [repeated(builder, number, REGISTER) for number in each]
        factors = [(number, part) for number in spread for part in across]
        return [add_product(total, *pair) for total, pair in zip(totals, factors, strict=True)]

    places = [register_at(sums, constant(k), part) for k in range(VECTORS) for part in range(ACROSS)]
    grow_in_registers(builder, places, steps, grow)


_add_products: Any = intrinsic(_add_tile)


@kernel(fastmath=True)
def project(tile: Tile, axes: NDArray[np.float32], coordinates: NDArray[np.float32]) -> None:
    """Write the ``coordinates`` (n, d) of the first n vectors of the tile on the axes (D', d')."""
    pieces, sums = tile
    sums[:] = 0
    for piece in range(pieces.shape[0]):
        for lane in range(0, axes.shape[1], LANES):
            _add_products(pieces[piece], axes, piece * DEPTH, lane, sums)
    for k in range(coordinates.shape[0]):
        for axis in range(coordinates.shape[1]):
            coordinates[k, axis] = sums[k, axis]
