"""Loops whose sums stay in vector registers, written in the vectors of LLVM, which every processor knows.

numba's own loops load and store a sum that is an element of an array each time. Here the sums of a tile are
values of the loop: loaded once, grown in every step, stored at the end.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from llvmlite import ir

INDEX = ir.IntType(64)
_NUMBER_OF_LANE = ir.IntType(32)


def constant(value: int) -> ir.Constant:
    """An index that is known."""
    return ir.Constant(INDEX, value)


def array_data(context: Any, builder: Any, signature: Any, arguments: Any, argument: int) -> Any:
    """The array that is the n-th ``argument`` of an intrinsic, with its ``data`` and ``shape``."""
    return context.make_array(signature.args[argument])(context, builder, arguments[argument])


def vector_at(builder: Any, data: Any, place: Any, vector: ir.VectorType) -> Any:
    """Address of a ``vector`` that begins ``place`` elements behind ``data``."""
    return builder.bitcast(builder.gep(data, [place]), vector.as_pointer())


def repeated(builder: Any, value: Any, lanes: int) -> Any:
    """A vector full of one value."""
    nothing = ir.Constant(ir.VectorType(value.type, lanes), ir.Undefined)
    first = builder.insert_element(nothing, value, ir.Constant(_NUMBER_OF_LANE, 0))
    zeros = ir.Constant(ir.VectorType(_NUMBER_OF_LANE, lanes), [0] * lanes)
    return builder.shuffle_vector(first, nothing, zeros)


def grow_in_registers(
    builder: Any, places: Sequence[Any], steps: int, grow: Callable[[Any, Sequence[Any]], Sequence[Any]]
) -> None:
    """Load the vectors at ``places``, replace them by grow(step, vectors) for the steps 0 to ``steps`` - 1,
    and store them."""
    start = [builder.load(place, align=4) for place in places]
    before, loop = builder.basic_block, builder.append_basic_block("tile")
    builder.branch(loop)
    builder.position_at_end(loop)
    step = builder.phi(INDEX)
    sums = [builder.phi(vector.type) for vector in start]
    grown = grow(step, sums)
    following = builder.add(step, constant(1))
    step.add_incoming(constant(0), before)
    step.add_incoming(following, loop)
    for total, first, last in zip(sums, start, grown, strict=True):
        total.add_incoming(first, before)
        total.add_incoming(last, loop)
    after = builder.append_basic_block("tile.end")
    builder.cbranch(builder.icmp_unsigned("<", following, constant(steps)), loop, after)
    builder.position_at_end(after)
    for total, place in zip(grown, places, strict=True):
        builder.store(total, place, align=4)
