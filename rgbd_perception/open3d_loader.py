"""The one place that imports Open3D. It takes a second, and on a slim machine it fails for want of libusb.

Open3D's wheels link against libraries that a desktop has and a container has not. libusb comes from PyPI's
``libusb-package``: loaded first, with its symbols made global, it satisfies the dynamic linker without apt.
"""

from __future__ import annotations

import ctypes
import importlib
import re
from functools import cache
from types import ModuleType

from rgbd_perception.errors import UserError

APT_PACKAGES = {
    "libusb-1.0.so": "libusb-1.0-0",
    "libudev.so": "libudev1",
    "libEGL.so": "libegl1",
    "libGL.so": "libgl1",
    "libX11.so": "libx11-6",
    "libidn2.so": "libidn2-0",
    "libgomp.so": "libgomp1",
}
"""Library that Open3D needs: the Debian and Ubuntu package that has it."""


@cache
def load_open3d() -> ModuleType:
    """Import Open3D and return it.

    Raises UserError naming what to install: the Python package, or the apt packages of missing libraries.
    """
    _preload_libusb()
    try:
        return importlib.import_module("open3d")
    except ModuleNotFoundError as error:
        if error.name != "open3d":
            raise
        raise UserError(
            "Open3D is not installed: pip install 'rgbd_perception[open3d]' "
            "(wheels: x86-64 with glibc 2.35 or newer, aarch64)"
        ) from error
    except (ImportError, OSError) as error:
        raise UserError(f"Open3D cannot be loaded ({error}): {advice_for(str(error))}") from error


def advice_for(message: str) -> str:
    """What to do about the dynamic linker's ``message``."""
    found = re.search(r"(lib[\w.+-]+?\.so)", message)
    if found is None:
        return "pip install --force-reinstall 'rgbd_perception[open3d]'"
    others = " ".join(sorted(set(APT_PACKAGES.values())))
    package = APT_PACKAGES.get(found.group(1), f"the package that has {found.group(1)}")
    return f"apt install {package} (Open3D needs all of: {others})"


def _preload_libusb() -> None:
    try:
        import libusb_package
    except ImportError:
        return  # the system's own may do; if not, load_open3d says what is missing
    path = libusb_package.get_library_path()
    if path is not None:
        ctypes.CDLL(str(path), mode=ctypes.RTLD_GLOBAL)
