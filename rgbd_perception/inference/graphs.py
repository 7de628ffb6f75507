"""Where exported graphs lie: in this package, in the user's folder for data, or where the user says."""

from __future__ import annotations

from pathlib import Path

from rgbd_perception.inference.backends.base import BackendRequest, Unavailable
from rgbd_perception.inference.installed import is_installed
from rgbd_perception.inference.loading import weights_path
from rgbd_perception.inference.weights import (
    FOLDER,
    PACKAGED,
    UNTRAINED,
    imported_path,
    read_info,
)

GRAPH_SUFFIX = ".onnx"
GRAPH_FORMAT = 1
"""Stands in the names of exported graphs: files of another format are not looked at."""


def find_graphs(request: BackendRequest) -> list[Path]:
    """Graphs of one model for one or more sizes.

    Where there are none, one is exported if the user asked for this backend and torch is installed. Raises
    Unavailable where there are none, UserError where the weights are missing.
    """
    model = request.model
    path = Path(model)
    if path.suffix == GRAPH_SUFFIX:
        return [path]
    if model in PACKAGED and (packaged := packaged_graphs(str(model))):
        return packaged
    name, fingerprint = identity(model, request.untrained)
    if found := exported_graphs(name, fingerprint):
        return found
    if request.automatic:
        raise Unavailable(f"{model} is not exported (rgbd-perception export {model} does that, once)")
    if not is_installed("torch"):
        raise Unavailable(f"{model} is not exported, and without torch it cannot be")
    return [_export(model, name, fingerprint, request.untrained)]


def identity(model: str | Path, untrained: bool = False) -> tuple[str, str]:
    """Name and fingerprint of a model. Raises UserError where its weights are missing."""
    weights = weights_path(model)
    if untrained and not weights.is_file():
        return str(model), UNTRAINED
    info = read_info(weights)
    return info.model, info.fingerprint


def packaged_graphs(model: str) -> list[Path]:
    """Graphs that come with this package, that for the network's own size first; they need no torch."""
    return sorted(FOLDER.glob(f"{model}-*{GRAPH_SUFFIX}"))


def exported_graphs(model: str, fingerprint: str) -> list[Path]:
    """float32 graphs of these weights in the user's folder."""
    start = graph_path(model, fingerprint, "fp32", (0, 0)).stem.rpartition("-")[0]
    return sorted(graphs_folder().glob(f"{start}-*{GRAPH_SUFFIX}"))


def graphs_folder() -> Path:
    """The user's folder for exported graphs (XDG)."""
    return imported_path("").parent.parent / "graphs"


def graph_path(model: str, fingerprint: str, precision: str, size: tuple[int, int]) -> Path:
    """Where an exported graph belongs."""
    name = f"{model}-{fingerprint}-{precision}-v{GRAPH_FORMAT}-{size[0]}x{size[1]}{GRAPH_SUFFIX}"
    return graphs_folder() / name


def _export(model: str | Path, name: str, fingerprint: str, untrained: bool) -> Path:
    from rgbd_perception.inference.export import ExportOptions, export_onnx, input_size

    size = input_size(model, untrained)
    path = graph_path(name, fingerprint, "fp32", size)
    export_onnx(model, path, ExportOptions(max_classes=None, lean=True), untrained)
    return path
