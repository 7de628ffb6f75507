"""The one place that imports open_clip: optional, and it brings a torchvision that may not fit the torch."""

from __future__ import annotations

import importlib
import re
from functools import cache
from types import ModuleType

from rgbd_perception.errors import UserError

INSTALL = "pip install 'rgbd_perception[clip]'"
MAX_OPERATORS = 20
"""More than any version of torchvision describes at its import."""


@cache
def load_open_clip_module() -> ModuleType:
    """Import open_clip and return it. Raises UserError that says how to install it."""
    try:
        _declare_torchvision_operators()
        return importlib.import_module("open_clip")
    except (ImportError, RuntimeError, OSError) as error:
        raise UserError(f"open_clip cannot be loaded ({error}): {INSTALL}") from error


def _declare_torchvision_operators() -> None:
    """Make ``import torchvision`` work beside a torch without CUDA.

    PyPI's torchvision is compiled for the torch with CUDA; beside another one its operators are not loaded,
    and its import fails when it describes the first of them. No CLIP needs an operator of torchvision: it is
    enough that there is something of that name.
    """
    import torch

    for _ in range(MAX_OPERATORS):
        try:
            importlib.import_module("torchvision")
            return
        except ImportError:
            return
        except RuntimeError as error:
            missing = re.search(r"operator (torchvision::\w+) does not exist", str(error))
            if missing is None:
                raise
            torch.library.define(missing.group(1), "() -> ()")
