"""Bits of a word, one instruction each."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic


def _as_index(builder: Any, number: Any) -> Any:
    """A count of bits of any width as int64."""
    return number if number.type.width == 64 else builder.zext(number, ir.IntType(64))


def _lowest_bit(typing_context: Any, word: Any) -> Any:
    """Number of the lowest set bit of an unsigned integer that is not 0."""
    if word not in types.unsigned_domain:
        return None

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return _as_index(builder, builder.cttz(arguments[0], ir.Constant(ir.IntType(1), 1)))

    return types.int64(word), generate


def _count_bits(typing_context: Any, word: Any) -> Any:
    """Number of set bits of an unsigned integer."""
    if word not in types.unsigned_domain:
        return None

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return _as_index(builder, builder.ctpop(arguments[0]))

    return types.int64(word), generate


lowest_bit: Any = intrinsic(_lowest_bit)
count_bits: Any = intrinsic(_count_bits)
