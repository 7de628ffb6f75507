"""What is declared in several files is declared alike: version, messages, dependencies, executables."""

from __future__ import annotations

import configparser
import importlib.util
import os
import re
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import pytest

import rgbd_perception

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts"))
import ros_wheels


def package_xml(repository: Path) -> ElementTree.Element:
    return ElementTree.parse(repository / "package.xml").getroot()


def canonical(requirement: str) -> str:
    """The name of a requirement as registries compare it."""
    match = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert match is not None
    return re.sub(r"[-_.]+", "-", match.group()).lower()


def setup_requirements(repository: Path, monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Names of everything that setup.py asks for on x86-64, in any extra but the optional encoder's."""
    import setuptools

    asked: dict[str, Any] = {}
    monkeypatch.setattr(setuptools, "setup", asked.update)
    spec = importlib.util.spec_from_file_location("setup_py", repository / "setup.py")
    assert spec is not None and spec.loader is not None
    spec.loader.exec_module(importlib.util.module_from_spec(spec))
    extras = [lines for name, lines in asked["extras_require"].items() if name != "clip"]
    groups = [asked["install_requires"], asked["setup_requires"], *extras]
    return {canonical(line) for group in groups for line in group if "aarch64" not in line}


def test_version_is_the_same_everywhere(repository: Path) -> None:
    assert package_xml(repository).findtext("version") == rgbd_perception.__version__


def test_cmake_builds_every_message(repository: Path) -> None:
    cmake = (repository / "CMakeLists.txt").read_text("utf-8")
    built = set(re.findall(r'"((?:msg|srv)/\w+\.(?:msg|srv))"', cmake))
    assert built == {
        f"{path.parent.name}/{path.name}"
        for kind in ("msg", "srv")
        for path in repository.glob(f"{kind}/*.*")
    }


def test_message_dependencies_agree(repository: Path) -> None:
    types = "\n".join(
        path.read_text("utf-8") for kind in ("msg", "srv") for path in repository.glob(f"{kind}/*.*")
    )
    used = set(re.findall(r"^(\w+)/\w+", types, re.MULTILINE))
    cmake = (repository / "CMakeLists.txt").read_text("utf-8")
    dependencies = re.search(r"DEPENDENCIES ([\w ]+)\n", cmake)
    assert dependencies is not None
    assert set(dependencies.group(1).split()) == used
    assert {tag.text for tag in package_xml(repository).findall("depend")} == used
    # Services of Iron and later contain service_msgs.
    assert set(ros_wheels.MESSAGE_PACKAGES) == used | {"service_msgs"}


def test_every_requirement_is_pinned(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = (repository / "constraints.txt").read_text("utf-8")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    assert all(re.fullmatch(r'[a-z0-9-]+==[\w.+]+(; python_version (<|>=) "3\.11")?', line) for line in lines)
    assert setup_requirements(repository, monkeypatch) <= {canonical(line) for line in lines}


def test_the_text_model_is_pinned_by_its_hash(repository: Path) -> None:
    text = (repository / "constraints-text-model.txt").read_text("utf-8")
    pins = [line for line in text.splitlines() if not line.startswith("#")]
    assert pins
    assert all(re.fullmatch(r"[\w-]+==[\d.]+ --hash=sha256:[0-9a-f]{64}", line) for line in pins)


def test_executables_can_be_executed_and_import_what_exists(repository: Path) -> None:
    cmake = (repository / "CMakeLists.txt").read_text("utf-8")
    listed = re.search(r"set\(executables ([\w -]+)\)", cmake)
    assert listed is not None
    files = sorted((repository / "scripts" / "nodes").iterdir())
    assert [path.name for path in files] == listed.group(1).split()
    for path in files:
        assert os.access(path, os.X_OK), path
        module = re.search(
            r"^from rgbd_perception\.(\S+) import main$", path.read_text("utf-8"), re.MULTILINE
        )
        assert module is not None, path
        assert (repository / "rgbd_perception" / f"{module.group(1).replace('.', '/')}.py").is_file()


def test_build_requirements_stand_in_setup_py_only(repository: Path) -> None:
    # ament_cmake_python runs egg_info with setup.cfg; [build-system] would repeat the wheels' ranges.
    parser = configparser.ConfigParser()
    parser.read(repository / "setup.cfg", encoding="utf-8")
    assert parser.sections() == ["develop", "install"]
    assert "\n[build-system]" not in (repository / "pyproject.toml").read_text("utf-8")
