"""Finding what is connected within a block, all of whose layers are one vector of LLVM.

A step to the neighbours of all voxels of a block is a dozen instructions, and nothing has to be decided until
no voxel is added any more.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from rgbd_perception.mapping.blocks import SIDE
from rgbd_perception.mapping.register_tiles import INDEX, array_data, constant

_LAYERS = ir.VectorType(ir.IntType(64), SIDE)
_YES_NO = ir.IntType(SIDE)
_NOT_FIRST, _NOT_LAST = 0xFEFEFEFEFEFEFEFE, 0x7F7F7F7F7F7F7F7F
"""All z of a layer but the first one, and all but the last."""


def _all_layers(word: int) -> ir.Constant:
    return ir.Constant(_LAYERS, [word] * SIDE)


def _any_set(builder: Any, layers: Any) -> Any:
    some = builder.bitcast(builder.icmp_unsigned("!=", layers, _all_layers(0)), _YES_NO)
    return builder.icmp_unsigned("!=", some, ir.Constant(_YES_NO, 0))


def _beside(builder: Any, layers: Any, step: int) -> Any:
    """What lies in the next layer, an empty one at the end."""
    places = [x + step if 0 <= x + step < SIDE else SIDE for x in range(SIDE)]
    return builder.shuffle_vector(
        layers, _all_layers(0), ir.Constant(ir.VectorType(ir.IntType(32), SIDE), places)
    )


def _with_neighbours(builder: Any, layers: Any) -> Any:
    """The voxels and all 26 around each, within the block."""
    later = builder.shl(builder.and_(layers, _all_layers(_NOT_LAST)), _all_layers(1))
    earlier = builder.lshr(builder.and_(layers, _all_layers(_NOT_FIRST)), _all_layers(1))
    along_z = builder.or_(layers, builder.or_(later, earlier))
    rows = builder.or_(builder.shl(along_z, _all_layers(SIDE)), builder.lshr(along_z, _all_layers(SIDE)))
    along_y = builder.or_(along_z, rows)
    return builder.or_(along_y, builder.or_(_beside(builder, along_y, 1), _beside(builder, along_y, -1)))


def _take_connected(typing_context: Any, left: Any, part: Any, radius: Any) -> Any:
    """Move to ``part`` (8,) uint64 what is connected with the voxels in it from ``left`` (8,) uint64, voxels
    up to ``radius`` >= 1 apart along every axis; whether some are left then."""
    if (left.dtype, part.dtype, left.layout, part.layout) != (types.uint64, types.uint64, "C", "C"):
        return None

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        addresses = [
            builder.bitcast(array_data(context, builder, signature, arguments, i).data, _LAYERS.as_pointer())
            for i in (0, 1)
        ]
        given, seed = (builder.load(address, align=8) for address in addresses)
        before = builder.basic_block
        outer, inner, grown, done = (
            builder.append_basic_block(f"flood.{name}") for name in ("o", "i", "g", "d")
        )
        builder.branch(outer)
        builder.position_at_end(outer)
        reached = builder.phi(_LAYERS)
        reached.add_incoming(seed, before)
        builder.branch(inner)
        builder.position_at_end(inner)
        near, step = builder.phi(_LAYERS), builder.phi(INDEX)
        near.add_incoming(reached, outer)
        step.add_incoming(constant(0), outer)
        nearer, following = _with_neighbours(builder, near), builder.add(step, constant(1))
        near.add_incoming(nearer, inner)
        step.add_incoming(following, inner)
        builder.cbranch(builder.icmp_signed("<", following, arguments[2]), inner, grown)
        builder.position_at_end(grown)
        more = builder.and_(nearer, given)
        reached.add_incoming(more, grown)
        rest = builder.and_(given, builder.not_(more))
        some_left = _any_set(builder, rest)
        goes_on = builder.and_(some_left, _any_set(builder, builder.xor(more, reached)))
        builder.cbranch(goes_on, outer, done)
        builder.position_at_end(done)
        builder.store(rest, addresses[0], align=8)
        builder.store(more, addresses[1], align=8)
        return some_left

    return types.boolean(left, part, types.int64), generate


take_connected: Any = intrinsic(_take_connected)
