"""Yes or no for eight others at once, as the bits of one number."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from rgbd_perception.mapping.products import FAST, LANES
from rgbd_perception.mapping.register_tiles import array_data, repeated, vector_at

_BITS = ir.IntType(LANES)
_FLOATS = ir.VectorType(ir.FloatType(), LANES)


def _lanes_above(
    typing_context: Any, products: Any, place: Any, units: Any, floor: Any, lane: Any, length: Any
) -> Any:
    """Bits of the LANES ``products`` from ``place`` on in memory: whether one, times its unit, is above its
    ``floor`` times ``length``. Units and floor (m',) from ``lane`` on."""
    if (products.dtype, length) not in ((types.int32, types.float32), (types.float32, types.float32)):
        return None

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        def load(argument: int, place: Any, kind: Any) -> Any:
            data = array_data(context, builder, signature, arguments, argument).data
            return builder.load(vector_at(builder, data, place, kind), align=4)

        if products.dtype == types.int32:
            whole = load(0, arguments[1], ir.VectorType(ir.IntType(32), LANES))
            values = builder.sitofp(whole, _FLOATS)
        else:
            values = load(0, arguments[1], _FLOATS)
        reached = builder.fmul(values, load(2, arguments[4], _FLOATS), flags=FAST)
        needed = builder.fmul(
            load(3, arguments[4], _FLOATS), repeated(builder, arguments[5], LANES), flags=FAST
        )
        return builder.bitcast(builder.fcmp_ordered(">", reached, needed), _BITS)

    return types.uint8(products, types.int64, units, floor, types.int64, types.float32), generate


def _lowest_bit(typing_context: Any, bits: Any) -> Any:
    """Number of the lowest bit that is set in a uint8 that is not 0."""
    if bits != types.uint8:
        return None

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        number = builder.cttz(arguments[0], ir.Constant(ir.IntType(1), 1))
        return builder.zext(number, ir.IntType(64))

    return types.int64(types.uint8), generate


lanes_above: Any = intrinsic(_lanes_above)
lowest_bit: Any = intrinsic(_lowest_bit)
