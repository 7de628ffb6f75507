"""Importing a peer, or saying how to get it."""

from __future__ import annotations

import importlib
from importlib import metadata
from types import ModuleType

from rgbd_perception.errors import UserError


def import_peer(module: str, package: str) -> ModuleType:
    """Import ``module`` of the PyPI package ``package``. Raises UserError where it is not to be had."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        if isinstance(error, ModuleNotFoundError) and error.name in (module, module.partition(".")[0]):
            raise UserError(f"{package} is not installed: pip install 'rgbd_perception[bench]'") from error
        raise UserError(
            f"{package} cannot be loaded ({error}): pip install --force-reinstall 'rgbd_perception[bench]'"
        ) from error


def version_of(*packages: str) -> str:
    """Version of the first of these PyPI packages that is installed; empty where none says."""
    for package in packages:
        try:
            return metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return ""
