"""Yes or no for several others or vectors at once, as the bits of one number."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from rgbd_perception.mapping.products import FAST, LANES
from rgbd_perception.mapping.register_tiles import array_data, constant, repeated, vector_at
from rgbd_perception.mapping.small_products import TILE

_FLOATS, _TILE_OF_FLOATS = ir.VectorType(ir.FloatType(), LANES), ir.VectorType(ir.FloatType(), TILE)
_TILE_OF_WORDS = ir.VectorType(ir.IntType(32), TILE)


def _lanes_above(
    typing_context: Any, products: Any, place: Any, units: Any, floor: Any, lane: Any, length: Any
) -> Any:
    """Bits of the LANES ``products`` from ``place`` on in memory: whether one, times its unit, is above its
    ``floor`` times ``length``. Units and floor (m',) from ``lane`` on."""
    if (products.dtype, length) != (types.float32, types.float32):
        return None

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        def load(argument: int, place: Any) -> Any:
            data = array_data(context, builder, signature, arguments, argument).data
            return builder.load(vector_at(builder, data, place, _FLOATS), align=4)

        reached = builder.fmul(load(0, arguments[1]), load(2, arguments[4]), flags=FAST)
        needed = builder.fmul(load(3, arguments[4]), repeated(builder, arguments[5], LANES), flags=FAST)
        return builder.bitcast(builder.fcmp_ordered(">", reached, needed), ir.IntType(LANES))

    return types.uint8(products, types.int64, units, floor, types.int64, types.float32), generate


def _tile_above(typing_context: Any, products: Any, other: Any, unit: Any, floor: Any, lengths: Any) -> Any:
    """Bits of the TILE vectors with these ``products`` (m', TILE) int32: whether that with the ``other``,
    times its unit, is above its floor times the length of the vector (TILE,)."""
    if (products.dtype, lengths.dtype) != (types.int32, types.float32):
        return None

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        whole, long = (array_data(context, builder, signature, arguments, i).data for i in (0, 4))
        row = builder.mul(arguments[1], constant(TILE))
        found = builder.load(vector_at(builder, whole, row, _TILE_OF_WORDS), align=4)
        length = builder.load(vector_at(builder, long, constant(0), _TILE_OF_FLOATS), align=4)
        unit, floor = (repeated(builder, argument, TILE) for argument in arguments[2:4])
        reached = builder.fmul(builder.sitofp(found, _TILE_OF_FLOATS), unit, flags=FAST)
        needed = builder.fmul(length, floor, flags=FAST)
        return builder.bitcast(builder.fcmp_ordered(">", reached, needed), ir.IntType(TILE))

    return types.uint16(products, types.int64, types.float32, types.float32, lengths), generate


def _roots(typing_context: Any, squares: Any, lengths: Any) -> Any:
    """Write the square roots of ``squares`` (TILE,) int32 to ``lengths`` (TILE,) float32."""
    if (squares.dtype, lengths.dtype) != (types.int32, types.float32):
        return None

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        whole, long = (array_data(context, builder, signature, arguments, i).data for i in (0, 1))
        values = builder.load(vector_at(builder, whole, constant(0), _TILE_OF_WORDS), align=4)
        root = cgutils.get_or_insert_function(
            builder.module, ir.FunctionType(_TILE_OF_FLOATS, [_TILE_OF_FLOATS]), f"llvm.sqrt.v{TILE}f32"
        )
        found = builder.call(root, [builder.sitofp(values, _TILE_OF_FLOATS)])
        builder.store(found, vector_at(builder, long, constant(0), _TILE_OF_FLOATS), align=4)
        return context.get_dummy_value()

    return types.void(squares, lengths), generate


lanes_above: Any = intrinsic(_lanes_above)
tile_above: Any = intrinsic(_tile_above)
roots: Any = intrinsic(_roots)
