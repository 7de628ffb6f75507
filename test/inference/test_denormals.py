"""Denormal numbers are zero inside a block, in its thread, and nowhere else."""

from __future__ import annotations

import platform
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from rgbd_perception.inference.denormals import denormals_as_zero
from test.inference.frame_file import write_frame_file

SMALLEST = np.float64(5e-324)

flushes = pytest.mark.skipif(
    (sys.platform, platform.machine()) != ("linux", "x86_64"), reason="the switch is one of x86-64 Linux"
)


def are_zero() -> bool:
    """What the calling thread takes denormal numbers for."""
    return bool(SMALLEST * np.float64(1.0) == 0)


@flushes
def test_only_inside_and_only_in_this_thread() -> None:
    with ThreadPoolExecutor(1) as other:
        assert not other.submit(are_zero).result()
        with denormals_as_zero():
            assert are_zero()
            with denormals_as_zero():
                assert are_zero()
            assert are_zero()
            assert not other.submit(are_zero).result()
    assert not are_zero()


@flushes
def test_an_error_ends_it_too() -> None:
    with pytest.raises(KeyError), denormals_as_zero():
        raise KeyError
    assert not are_zero()


@flushes
def test_of_a_session_only_its_runs(tmp_path: Path) -> None:
    """In a process of its own: ONNX Runtime changes the thread that makes the first session, no other one."""
    file = write_frame_file(tmp_path / "tiny.onnx")
    done = subprocess.run([sys.executable, "-c", SESSION, str(file)], capture_output=True, text=True)
    assert done.stdout.split() == ["made", "False", "run", "True", "over", "False"], done.stderr


SESSION = """
import sys
import onnxruntime
from rgbd_perception.inference import Predictor
from test.inference.test_denormals import are_zero
from test.inference.test_predictor import make_frame

plain = onnxruntime.InferenceSession.run_with_iobinding

def run(self, *arguments):
    print("run", are_zero())
    plain(self, *arguments)

onnxruntime.InferenceSession.run_with_iobinding = run
predictor = Predictor(sys.argv[1], threads=1)
print("made", are_zero())
predictor(make_frame(32, 48))
print("over", are_zero())
"""
