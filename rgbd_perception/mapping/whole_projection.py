"""Coordinates of many vectors on a basis, as in ``projection``, by products of whole numbers.

Vectors and axes are rounded to 16 bits, each vector with a unit of its own. A coordinate is off by at most
sqrt(D) / 32,700 of the vector's length: 0.0007 for D = 512, less than twice what halves may be off by. No sum
overflows, because none is larger than the product of the lengths.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import types
from numba.extending import intrinsic
from numpy.typing import NDArray

from rgbd_perception.mapping.jit import kernel
from rgbd_perception.mapping.pair_products import WORD, added_pairs, halves, words
from rgbd_perception.mapping.products import DEPTH
from rgbd_perception.mapping.projection import LANES, REGISTER, VECTORS, grow_tile
from rgbd_perception.mapping.register_tiles import array_data

_LENGTH = np.float32((1 << 15) - 64)
"""Of every vector and every axis. Rounding adds up to a half for each of the numbers."""
_LEAST = np.float32(1e-30)
_PAIRS = DEPTH // 2


class Tile(NamedTuple):
    """Scratch for VECTORS vectors: ``pieces`` (D' / DEPTH, VECTORS, DEPTH) int16, their ``units`` (VECTORS,),
    ``sums`` (VECTORS, d') int32."""

    pieces: NDArray[np.int16]
    units: NDArray[np.float32]
    sums: NDArray[np.int32]


def as_axes(basis: NDArray[np.float32]) -> NDArray[np.int16]:
    """(d, D) basis, no row longer than 1 -> (D' / 2, d', 2) axes, filled up with zeros to whole tiles."""
    count, depth = basis.shape
    whole = np.zeros((count + -count % LANES, depth + -depth % DEPTH), np.int16)
    whole[:count, :depth] = np.rint(basis * _LENGTH)
    pairs = np.ascontiguousarray(whole.view(np.int32).T)
    return pairs.view(np.int16).reshape(*pairs.shape, 2)


@kernel
def tile_for(axes: NDArray[np.int16]) -> Tile:
    """For vectors that are projected on these axes."""
    pairs, width, _ = axes.shape
    return Tile(
        np.zeros((pairs // _PAIRS, VECTORS, DEPTH), np.int16),
        np.zeros(VECTORS, np.float32),
        np.empty((VECTORS, width), np.int32),
    )


@kernel(fastmath=True)
def put(vector: NDArray[np.float32], square: float, tile: Tile, k: int) -> None:
    """Write a ``vector`` (D,), whose length has this ``square``, as the ``k``-th of the tile."""
    pieces, units, _ = tile
    length, whole = np.sqrt(np.float32(square)), vector.size // DEPTH
    scale = _LENGTH / length if length > _LEAST else np.float32(0)
    units[k] = length / (_LENGTH * _LENGTH)
    for piece in range(whole):
        for j in range(DEPTH):
            # Unsigned, so that no index can count from the end: that check would cost more than the rest.
            value = vector[np.uint64(piece) * np.uint64(DEPTH) + np.uint64(j)]
            # By way of 32 bits: for these there is an instruction.
            pieces[np.uint64(piece), k, j] = np.int16(np.int32(np.rint(value * scale)))
    for j in range(vector.size - whole * DEPTH):
        pieces[whole, k, j] = np.int16(np.int32(np.rint(vector[whole * DEPTH + j] * scale)))


def _add_tile(typing_context: Any, piece: Any, axes: Any, first: Any, lane: Any, sums: Any) -> Any:
    """Compiled in place: add to ``sums`` (VECTORS, d') from column ``lane`` on the products of ``piece``
    (VECTORS, DEPTH) with LANES columns of ``axes`` (D' / 2, d', 2) from row ``first`` on."""
    if (piece.dtype, axes.dtype, sums.dtype) != (types.int16, types.int16, types.int32):
        return None
    return types.void(piece, axes, types.int64, types.int64, sums), _generate_tile


def _generate_tile(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    made = [array_data(context, builder, signature, arguments, i) for i in (0, 1, 4)]
    arrays = [builder.bitcast(array.data, WORD.as_pointer()) for array in made]

    def pairs(word: Any) -> Any:
        return builder.bitcast(word, halves(2 * REGISTER))

    def add_product(total: Any, number: Any, part: Any) -> Any:
        return builder.add(total, added_pairs(builder, pairs(number), pairs(part), REGISTER))

    width = builder.extract_value(made[1].shape, 1)
    grow_tile(builder, arguments, arrays, width, _PAIRS, words(REGISTER), add_product)
    return context.get_dummy_value()


_add_products: Any = intrinsic(_add_tile)


@kernel(fastmath=True)
def project(tile: Tile, axes: NDArray[np.int16], coordinates: NDArray[np.float32]) -> None:
    """Write the ``coordinates`` (n, d) of the first n vectors of the tile on the axes (D' / 2, d', 2)."""
    pieces, units, sums = tile
    sums[:] = 0
    for piece in range(pieces.shape[0]):
        for lane in range(0, axes.shape[1], LANES):
            _add_products(pieces[piece], axes, piece * _PAIRS, lane, sums)
    for k in range(coordinates.shape[0]):
        for axis in range(coordinates.shape[1]):
            coordinates[k, axis] = np.float32(sums[k, axis]) * units[k]
