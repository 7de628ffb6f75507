"""What kernels of the map share: half floats, powers of two and dither inside them."""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic
from numpy.typing import NDArray

from rgbd_perception.compiled import kernel as kernel
from rgbd_perception.compiled import readonly as readonly


def half_bits(array: NDArray[np.float16]) -> NDArray[np.uint16]:
    """View float16 as the uint16 bit patterns that kernels take (numba has no float16 on the CPU)."""
    return array.view(np.uint16)


def _half_to_float(typing_context: Any, bits: Any) -> Any:
    """uint16 bit pattern of a half -> float32, one hardware instruction when vectorised."""
    if bits != types.uint16:
        return None

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.fpext(builder.bitcast(arguments[0], ir.HalfType()), ir.FloatType())

    return types.float32(types.uint16), generate


def _float_to_half(typing_context: Any, value: Any) -> Any:
    """float32 -> uint16 bit pattern of the nearest half."""
    if value != types.float32:
        return None

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.bitcast(builder.fptrunc(arguments[0], ir.HalfType()), ir.IntType(16))

    return types.uint16(types.float32), generate


def _power_of_two(typing_context: Any, exponent: Any) -> Any:
    """int32 from -126 to 127 -> float32."""
    if exponent != types.int32:
        return None

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        word = ir.IntType(32)
        bits = builder.shl(builder.add(arguments[0], ir.Constant(word, 127)), ir.Constant(word, 23))
        return builder.bitcast(bits, ir.FloatType())

    return types.float32(types.int32), generate


half_to_float: Any = intrinsic(_half_to_float)
float_to_half: Any = intrinsic(_float_to_half)
power_of_two: Any = intrinsic(_power_of_two)


@kernel
def narrow(values: NDArray[np.float32], bits: NDArray[np.uint16]) -> None:
    """Write ``values`` (n, d) as halves into ``bits`` (n, d)."""
    for i in range(values.shape[0]):
        for j in range(values.shape[1]):
            bits[i, j] = float_to_half(values[i, j])


@kernel
def widen(bits: NDArray[np.uint16], values: NDArray[np.float32]) -> None:
    """Write the halves ``bits`` (n, d) as ``values`` (n, d)."""
    for i in range(values.shape[0]):
        for j in range(values.shape[1]):
            values[i, j] = half_to_float(bits[i, j])


def to_half(vectors: NDArray[np.floating]) -> NDArray[np.uint16]:
    """(n, d) float16 or float32 -> read-only half bits (n, d); inf for what does not fit into a half."""
    if vectors.dtype == np.float16:
        return readonly(vectors, np.float16).view(np.uint16)
    bits = np.empty(vectors.shape, np.uint16)
    narrow(readonly(vectors, np.float32), bits)
    return readonly(bits, np.uint16)


@kernel
def dither(place: int, time: int) -> float:
    """Evenly distributed in [0, 1): the finaliser of MurmurHash3 on a place (a key, a row) and a time."""
    value = np.uint64(place) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(time)
    value ^= value >> np.uint64(33)
    value *= np.uint64(0xFF51AFD7ED558CCD)
    value ^= value >> np.uint64(33)
    value *= np.uint64(0xC4CEB9FE1A85EC53)
    value ^= value >> np.uint64(33)
    return np.float64(value >> np.uint64(11)) / 9007199254740992.0
