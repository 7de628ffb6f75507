"""Data files are found in every kind of installation."""

from __future__ import annotations

from pathlib import Path

import pytest

from rgbd_perception import resources
from rgbd_perception.errors import UserError


def install(prefix: Path, library: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An installation under ``prefix`` whose module resources.py is in ``library``; returns its profile."""
    package = prefix / library / "rgbd_perception"
    package.mkdir(parents=True)
    monkeypatch.setattr(resources, "__file__", str(package / "resources.py"))
    return add_share(prefix)


def add_share(prefix: Path) -> Path:
    profile = prefix / "share" / "rgbd_perception" / "config" / "profile.xml"
    profile.parent.mkdir(parents=True)
    profile.write_text("<dds/>")
    return profile


@pytest.mark.parametrize(
    ("library", "kind"),
    [
        ("lib/python3.11/site-packages", "pip in an environment, colcon on Kilted"),
        ("local/lib/python3.10/dist-packages", "colcon on Humble"),
        ("", "pip --target"),
    ],
)
def test_installed_beside_the_module(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, library: str, kind: str
) -> None:
    profile = install(tmp_path, library, monkeypatch)
    assert resources.share_file("config/profile.xml") == profile, kind


def test_in_an_ament_prefix(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "elsewhere" / "rgbd_perception"
    package.mkdir(parents=True)
    monkeypatch.setattr(resources, "__file__", str(package / "resources.py"))
    profile = add_share(tmp_path / "install")
    monkeypatch.setenv("AMENT_PREFIX_PATH", f"{tmp_path / 'other'}:{tmp_path / 'install'}")
    assert resources.share_file("config/profile.xml") == profile


def test_in_the_source_checkout(repository: Path) -> None:
    path = resources.share_file("config/fastdds_profile.xml")
    assert path == repository / "config" / "fastdds_profile.xml"


def test_what_is_missing_is_named() -> None:
    with pytest.raises(UserError, match=r"config/no_such_file\.yaml .* was not found"):
        resources.share_file("config/no_such_file.yaml")
