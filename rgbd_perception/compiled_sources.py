"""Which source files a compiled kernel depends on: its own and those that it imports from its package.

numba compares the file of a kernel only with what its machine code was made from. But kernels that it calls
are compiled into it, and theirs may lie in other files: after an update of these it would go on as before.
"""

from __future__ import annotations

import hashlib
import re
import sys
from functools import cache
from pathlib import Path
from typing import NamedTuple

_IMPORT = re.compile(
    r"^[ \t]*(?:import\s+(?P<whole>\w[\w.]*)|from\s+(?P<source>\w[\w.]*)\s+import\s+(?P<names>\([^)]*\)|.*))",
    re.MULTILINE,
)


class _Source(NamedTuple):
    """A file: its digest, and the files of modules that it imports from its package."""

    digest: bytes
    imported: tuple[Path, ...]


def fingerprint(module: str, file: Path) -> bytes:
    """Of the contents of ``file``, which is the module with that name, and of all that it imports from its
    package, also by way of others. A file that cannot be read counts as empty."""
    root = _root_of(module.partition(".")[0])
    found: dict[Path, _Source] = {}
    left = [file]
    while left:
        path = left.pop()
        found[path] = _read(path, root)
        left.extend(other for other in found[path].imported if other not in found)
    return hashlib.sha256(b"".join(found[path].digest for path in sorted(found))).digest()


def _root_of(package: str) -> Path | None:
    """The folder that the folder of a package lies in; None for a module that is no package."""
    paths = getattr(sys.modules.get(package), "__path__", None)
    return Path(next(iter(paths))).parent if paths else None


@cache
def _read(file: Path, root: Path | None) -> _Source:
    try:
        text = file.read_bytes()
    except OSError:
        text = b""
    imports = _IMPORT.finditer(text.decode(errors="replace")) if root else ()
    files = tuple(path for found in imports for path in _imported(found, root)) if root else ()
    return _Source(hashlib.sha256(text).digest(), files)


def _imported(statement: re.Match[str], root: Path) -> list[Path]:
    """Files of the modules that a statement names; of a package where it names something else in it."""
    if statement["whole"]:
        return _files_of(statement["whole"], root)
    names = [part.split()[0] for part in statement["names"].strip("()").split(",") if part.strip()]
    modules = [_files_of(f"{statement['source']}.{name}", root) for name in names]
    named = [path for files in modules for path in files]
    return named if all(modules) else named + _files_of(statement["source"], root)


@cache
def _files_of(module: str, root: Path) -> list[Path]:
    stem = root.joinpath(*module.split("."))
    return [path for path in (stem.with_suffix(".py"), stem / "__init__.py") if path.is_file()]
