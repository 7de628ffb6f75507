"""The helper that imports Open3D names what is missing."""

from __future__ import annotations

import importlib
import subprocess
import sys
from types import ModuleType

import pytest

from rgbd_perception.errors import UserError
from rgbd_perception.open3d_loader import APT_PACKAGES, advice_for, load_open3d


@pytest.fixture(autouse=True)
def forget() -> None:
    load_open3d.cache_clear()


def failing_import(error: ImportError, monkeypatch: pytest.MonkeyPatch) -> None:
    real = importlib.import_module

    def refuse(name: str, package: str | None = None) -> ModuleType:
        if name == "open3d":
            raise error
        return real(name, package)

    monkeypatch.setattr(importlib, "import_module", refuse)


def test_a_missing_library_names_its_apt_package(monkeypatch: pytest.MonkeyPatch) -> None:
    failing_import(
        ImportError("libGL.so.1: cannot open shared object file: No such file or directory"), monkeypatch
    )
    with pytest.raises(UserError, match=r"apt install libgl1 .*libegl1"):
        load_open3d()


def test_open3d_not_installed_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    failing_import(ModuleNotFoundError("No module named 'open3d'", name="open3d"), monkeypatch)
    with pytest.raises(UserError, match=r"pip install 'rgbd_perception\[open3d\]'"):
        load_open3d()


def test_another_missing_module_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    failing_import(ModuleNotFoundError("No module named 'dash'", name="dash"), monkeypatch)
    with pytest.raises(ModuleNotFoundError, match="dash"):
        load_open3d()


@pytest.mark.parametrize("library", APT_PACKAGES)
def test_advice_for_every_library(library: str) -> None:
    assert f"apt install {APT_PACKAGES[library]} " in advice_for(
        f"{library}.0: cannot open shared object file"
    )


def test_open3d_loads_where_the_system_has_no_libusb() -> None:
    pytest.importorskip("libusb_package")
    code = "from rgbd_perception.open3d_loader import load_open3d; print(load_open3d().__version__)"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False
    )
    assert result.returncode == 0, result.stderr
