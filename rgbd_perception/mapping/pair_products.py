"""Products of 16-bit numbers, two at once and added up in 32 bits, in the vectors of LLVM.

Where a processor has one instruction for both products and both sums (x86: vpdpwssd), LLVM finds it in this
form: twice the products of a float instruction of the same width.
"""

from __future__ import annotations

from typing import Any

from llvmlite import binding, ir

WORD = ir.IntType(32)
"""Two numbers of 16 bits side by side, or the sum of two products."""

_features = binding.get_host_cpu_features()
IS_ONE_INSTRUCTION = bool(_features.get("avx512vnni") or _features.get("avxvnni"))


def words(count: int) -> ir.VectorType:
    return ir.VectorType(WORD, count)


def halves(count: int) -> ir.VectorType:
    return ir.VectorType(ir.IntType(16), count)


def added_pairs(builder: Any, left: Any, right: Any, count: int) -> Any:
    """(2 * count) int16 each -> (count) int32, the products of neighbours added up."""
    products = builder.mul(
        builder.sext(left, words(2 * count)), builder.sext(right, words(2 * count)), flags=("nsw",)
    )
    return builder.add(_every_other(builder, products, 0, count), _every_other(builder, products, 1, count))


def _every_other(builder: Any, values: Any, first: int, count: int) -> Any:
    places = ir.Constant(words(count), [first + 2 * place for place in range(count)])
    return builder.shuffle_vector(values, ir.Constant(values.type, ir.Undefined), places)
