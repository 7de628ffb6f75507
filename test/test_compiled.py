"""Machine code on disk follows the sources of all that was compiled into it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

_INNER = """
from rgbd_perception.compiled import kernel

@kernel
def inner(value):
    return value + {more}
"""
_OUTER = """
from rgbd_perception.compiled import kernel
from {package}.middle import inner

@kernel
def outer(value):
    return inner(value)
"""
_ASK = "from {package}.outer import outer; print(outer(40), sum(outer.stats.cache_hits.values()))"


def _ask(folder: Path, package: str) -> tuple[int, int]:
    """What the kernel gives in a new process, and how often its machine code was found on disk."""
    command = [sys.executable, "-c", _ASK.format(package=package)]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    value, hits = done.stdout.split()
    return int(value), int(hits)


def test_a_kernel_is_compiled_anew_when_one_that_it_calls_changes(tmp_path):
    package = tmp_path / "kernels_of_a_test"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "inner.py").write_text(_INNER.format(more=1))
    (package / "middle.py").write_text(f"from {package.name}.inner import inner as inner\n")
    (package / "outer.py").write_text(_OUTER.format(package=package.name))
    assert _ask(tmp_path, package.name) == (41, 0)
    assert _ask(tmp_path, package.name) == (41, 1)
    (package / "inner.py").write_text(_INNER.format(more=2))
    assert _ask(tmp_path, package.name) == (42, 0)
