"""Which packages are there, found out without importing them."""

from __future__ import annotations

import importlib.util


def is_installed(package: str) -> bool:
    """Whether ``import package`` would find something."""
    try:
        return importlib.util.find_spec(package) is not None
    except ImportError:  # something on the path forbids it
        return False
