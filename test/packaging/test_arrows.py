"""Imports between the folders of the package go down only; ROS stays in its folder; commands stay light."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = "rgbd_perception"

VALUES = {
    "errors",
    "frame",
    "vocabulary",
    "bookkeeping",
    "encodings",
    "geometry",
    "camera_model",
    "resources",
}
"""Modules at the bottom: to import them takes numpy and each other only, and anybody may."""

MAY_IMPORT = {
    "models": VALUES,
    "text": VALUES,
    "inference": VALUES | {"models", "text", "compiled"},
    "mapping": VALUES | {"open3d_loader", "compiled"},
    "sources": VALUES | {"open3d_loader"},
    "training": VALUES | {"models", "text", "inference", "sources"},
    "viewer": VALUES | {"mapping"},
    "bench": VALUES | {"mapping", "models", "sources", "inference", "text", "open3d_loader"},
}
"""Folder: what of this package it may import besides itself. Not listed: anything (ros, cli, doctor)."""

ROS_PACKAGES = {
    "rclpy",
    "tf2_ros",
    "cv_bridge",
    "sensor_msgs",
    "geometry_msgs",
    "nav_msgs",
    "std_msgs",
    "std_srvs",
    "visualization_msgs",
    "diagnostic_msgs",
    "lifecycle_msgs",
    "builtin_interfaces",
}

NO_FILES_OR_ROS = {"open", "yaml", "json", "safetensors", "cv2", "pathlib", "subprocess"} | ROS_PACKAGES
"""models is pure torch: what it must not import, but for load_checkpoint, whose argument may be a path."""


def modules(repository: Path, folder: str = "") -> list[Path]:
    generated = {repository / PACKAGE / "msg", repository / PACKAGE / "srv"}
    paths = sorted((repository / PACKAGE / folder).rglob("*.py"))
    return [path for path in paths if not generated & set(path.parents)]


def imported_names(path: Path, *, only_at_import: bool = False) -> Iterator[str]:
    """Full names of imported modules; ``only_at_import``: not those inside functions and TYPE_CHECKING."""
    pending: list[ast.AST] = [ast.parse(path.read_text(encoding="utf-8"))]
    while pending:
        node = pending.pop()
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif only_at_import and isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        elif only_at_import and isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            pending.extend(node.orelse)
            continue
        pending.extend(ast.iter_child_nodes(node))


def of_this_package(name: str) -> str | None:
    """``rgbd_perception.mapping.grid.Grid`` -> ``mapping``."""
    parts = name.split(".")
    return parts[1] if parts[0] == PACKAGE and len(parts) > 1 else None


@pytest.mark.parametrize("folder", sorted(MAY_IMPORT))
def test_a_folder_imports_only_what_is_below_it(repository: Path, folder: str) -> None:
    allowed = MAY_IMPORT[folder] | {folder, "__version__"}
    wrong = [
        f"{path.relative_to(repository)}: {name}"
        for path in modules(repository, folder)
        for name in imported_names(path)
        if (inside := of_this_package(name)) is not None and inside not in allowed
    ]
    assert not wrong


@pytest.mark.parametrize("name", sorted(VALUES))
def test_values_import_only_values_and_numpy(repository: Path, name: str) -> None:
    path = repository / PACKAGE / f"{name}.py"
    for imported in imported_names(path):
        inside = of_this_package(imported)
        assert inside is None or inside in VALUES, imported
    for imported in imported_names(path, only_at_import=True):
        assert imported.split(".")[0] not in {"torch", "cv2", "open3d", "numba", "scipy"} | ROS_PACKAGES


def test_only_ros_imports_ros(repository: Path) -> None:
    ros = repository / PACKAGE / "ros"
    wrong = [
        f"{path.relative_to(repository)}: {name}"
        for path in modules(repository)
        if ros not in path.parents
        # At import: doctor asks for rclpy inside a function, to say whether it is there.
        for name in imported_names(path, only_at_import=True)
        if name.split(".")[0] in ROS_PACKAGES or of_this_package(name) in {"msg", "srv"}
    ]
    assert not wrong


def test_models_are_pure_torch(repository: Path) -> None:
    wrong = [
        f"{path.relative_to(repository)}: {name}"
        for path in modules(repository, "models")
        if path.name != "checkpoint.py"
        for name in imported_names(path)
        if name.split(".")[0] in NO_FILES_OR_ROS
    ]
    assert not wrong


def test_sub_packages_import_nothing_heavy_at_the_top(repository: Path) -> None:
    heavy = {"torch", "open3d", "sentence_transformers", "matplotlib", "rosbags"} | ROS_PACKAGES
    for path in [*modules(repository, "cli"), *(repository / PACKAGE).glob("__init__.py")]:
        found = {name.split(".")[0] for name in imported_names(path, only_at_import=True)} & heavy
        assert not found, f"{path.relative_to(repository)}: {found}"
