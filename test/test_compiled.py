"""Machine code on disk follows the sources of all that was compiled into it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

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
_OF_MODULE = """
from rgbd_perception.compiled import kernel
from {package} import inner

@kernel
def outer(value):
    return inner.inner(value)
"""
_ASK = "from {package}.outer import outer; print(outer(40), sum(outer.stats.cache_hits.values()))"


def _ask(folder: Path, package: str) -> tuple[int, int]:
    """What the kernel gives in a new process, and how often its machine code was found on disk."""
    command = [sys.executable, "-c", _ASK.format(package=package)]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    value, hits = done.stdout.split()
    return int(value), int(hits)


def _package(folder: Path, middle: str, outer: str = _OUTER) -> Path:
    package = folder / "kernels_of_a_test"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "inner.py").write_text(_INNER.format(more=1))
    (package / "middle.py").write_text(middle.format(package=package.name))
    (package / "outer.py").write_text(outer.format(package=package.name))
    return package


@pytest.mark.parametrize(
    ("middle", "outer"),
    [
        ("from {package}.inner import inner as inner\n", _OUTER),
        ("", _OUTER.replace("{package}.middle", "{package}.inner")),
        ("", _OF_MODULE),
        ("", _OF_MODULE.replace("import inner", "import (\n    middle,\n    inner as inner,\n)")),
        ("", _OF_MODULE.replace("from {package} import inner", "import {package}.inner as inner")),
    ],
)
def test_a_kernel_is_compiled_anew_when_one_that_it_calls_changes(tmp_path, middle, outer):
    package = _package(tmp_path, middle, outer)
    assert _ask(tmp_path, package.name) == (41, 0)
    assert _ask(tmp_path, package.name) == (41, 1)
    (package / "inner.py").write_text(_INNER.format(more=2))
    assert _ask(tmp_path, package.name) == (42, 0)


def test_what_the_package_imports_does_not_matter_to_who_takes_a_module_of_it(tmp_path):
    package = _package(tmp_path, "", _OF_MODULE)
    (package / "__init__.py").write_text(f"from {package.name} import middle as middle\n")
    assert _ask(tmp_path, package.name) == (41, 0)
    (package / "middle.py").write_text("CHANGED = True\n")
    assert _ask(tmp_path, package.name) == (41, 1)
