"""Coordinates of many vectors on a basis: like ``products``, for a basis as wide as two vector registers.

Here a tile is a block of sums two registers wide: each number of a vector serves two instructions, and the
sums wait for each other half as often. How many vectors fit is up to the registers of the processor.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import binding, ir
from numba import types
from numba.extending import intrinsic
from numpy.typing import NDArray

from rgbd_perception.mapping.jit import kernel
from rgbd_perception.mapping.products import DEPTH

_HAS_WIDE_REGISTERS = bool(binding.get_host_cpu_features().get("avx512f"))
_REGISTER = 16 if _HAS_WIDE_REGISTERS else 8
"""Numbers of a vector instruction; NEON takes two instructions for 8."""
_ACROSS = 2
VECTORS = 12 if _HAS_WIDE_REGISTERS else 6
"""Vectors of a tile: 24 of 32 registers hold sums, or 12 of 16."""
LANES = _ACROSS * _REGISTER
"""Axes of a tile: of the basis there are whole tiles."""


def as_axes(basis: NDArray[np.float32]) -> NDArray[np.float32]:
    """(d, D) basis -> (D', d') for ``project``, filled up with zeros to whole tiles."""
    count, depth = basis.shape
    return np.ascontiguousarray(np.pad(basis, ((0, -count % LANES), (0, -depth % DEPTH))).T)


def _add_tile(typing_context: Any, piece: Any, axes: Any, first: Any, lane: Any, sums: Any) -> Any:
    """Compiled in place: add to ``sums`` (VECTORS, d') from column ``lane`` on the products of ``piece``
    (VECTORS, DEPTH) with LANES columns of ``axes`` (D', d') from row ``first`` on."""
    if any(array.layout != "C" or array.dtype != types.float32 for array in (piece, axes, sums)):
        return None
    return types.void(piece, axes, types.int64, types.int64, sums), _generate_tile


def _generate_tile(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    vector, index = ir.VectorType(ir.FloatType(), _REGISTER), ir.IntType(64)
    made = [context.make_array(signature.args[i])(context, builder, arguments[i]) for i in (0, 1, 4)]
    numbers, columns, sums = (array.data for array in made)
    width = builder.extract_value(made[1].shape, 1)
    tile = [(k, part) for k in range(VECTORS) for part in range(_ACROSS)]

    def constant(value: int) -> ir.Constant:
        return ir.Constant(index, value)

    def register_at(data: Any, row: Any, part: int) -> Any:
        place = builder.add(builder.mul(row, width), builder.add(arguments[3], constant(part * _REGISTER)))
        return builder.bitcast(builder.gep(data, [place]), vector.as_pointer())

    places = [register_at(sums, constant(k), part) for k, part in tile]
    start = [builder.load(place, align=4) for place in places]
    before, loop = builder.basic_block, builder.append_basic_block("tile")
    builder.branch(loop)
    builder.position_at_end(loop)
    step = builder.phi(index)
    totals = [builder.phi(vector) for _ in tile]
    row = builder.add(arguments[2], step)
    across = [builder.load(register_at(columns, row, part), align=4) for part in range(_ACROSS)]
    spread = [
        _repeated(builder, builder.load(builder.gep(numbers, [builder.add(constant(k * DEPTH), step)])))
        for k in range(VECTORS)
    ]
    grown = [
        builder.fadd(builder.fmul(spread[k], across[part], flags=("fast",)), total, flags=("fast",))
        for (k, part), total in zip(tile, totals, strict=True)
    ]
    following = builder.add(step, constant(1))
    step.add_incoming(constant(0), before)
    step.add_incoming(following, loop)
    for total, first, last in zip(totals, start, grown, strict=True):
        total.add_incoming(first, before)
        total.add_incoming(last, loop)
    after = builder.append_basic_block("tile.end")
    builder.cbranch(builder.icmp_unsigned("<", following, constant(DEPTH)), loop, after)
    builder.position_at_end(after)
    for total, place in zip(grown, places, strict=True):
        builder.store(total, place, align=4)
    return context.get_dummy_value()


def _repeated(builder: Any, number: Any) -> Any:
    """A register full of one number."""
    nothing = ir.Constant(ir.VectorType(ir.FloatType(), _REGISTER), ir.Undefined)
    first = builder.insert_element(nothing, number, ir.Constant(ir.IntType(32), 0))
    lanes = ir.Constant(ir.VectorType(ir.IntType(32), _REGISTER), [0] * _REGISTER)
    return builder.shuffle_vector(first, nothing, lanes)


_add_products: Any = intrinsic(_add_tile)


@kernel(fastmath=True)
def project(pieces: NDArray[np.float32], axes: NDArray[np.float32], coordinates: NDArray[np.float32]) -> None:
    """Write the coordinates (VECTORS, d') of ``pieces`` (D' / DEPTH, VECTORS, DEPTH), as ``products.put``
    fills them, on ``axes`` (D', d') of ``as_axes``."""
    coordinates[:] = 0
    for piece in range(pieces.shape[0]):
        for lane in range(0, axes.shape[1], LANES):
            _add_products(pieces[piece], axes, piece * DEPTH, lane, coordinates)
