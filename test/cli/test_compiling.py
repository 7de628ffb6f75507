"""The word about compiling: once, and only where something is compiled."""

from __future__ import annotations

import numba
import pytest

from rgbd_perception.cli.compiling import compiling_is_said

WORD = "compiling the loops of the map: about a minute, this first time only\n"


def compile_two() -> None:
    for step in (1, 2):
        numba.njit(lambda value, step=step: value + step)(1)


def test_long_compiling_is_said_once(capsys: pytest.CaptureFixture[str]) -> None:
    with compiling_is_said(patience_s=0.0):
        compile_two()
    compile_two()
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", WORD)


def test_one_new_kernel_needs_no_word(capsys: pytest.CaptureFixture[str]) -> None:
    with compiling_is_said(patience_s=1000.0):
        compile_two()
    assert capsys.readouterr().err == ""


def test_compiled_kernels_need_no_word(capsys: pytest.CaptureFixture[str]) -> None:
    double = numba.njit(lambda value: 2 * value)
    double(1)
    with compiling_is_said(patience_s=0.0):
        double(2)
    assert capsys.readouterr().err == ""
