"""A published checkpoint against the network of its name: settings, names, shapes, values.

``conform`` brings the authors' tensors into the form of this package's network and lists everything that does
not fit. Nothing is loaded in part.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from rgbd_perception.errors import UserError
from rgbd_perception.models.checkpoint import plain_names
from rgbd_perception.models.class_names import kept_rows
from rgbd_perception.models.registry import create_model

if TYPE_CHECKING:
    from torch import Tensor

    from rgbd_perception.models.network import NetworkConfig

CLASS_HEADS = ("semantic_decoder._task_head.", "semantic_decoder._side_output_heads.", "linear_pred.")
"""Parts of names whose tensors have one row for each class."""

CLASSIFIERS = ("semantic_decoder._task_head.conv.weight", "linear_pred.weight")
"""Ends of the names of the tensors whose rows tell the number of classes."""

PANOPTIC = "decoders.panoptic_helper."
INSTANCES = f"{PANOPTIC}instance_decoder._task_head."
SCENE = "decoders.scene_decoder._task_head.weight"

EMBEDDING_NORMS = "backbone.patch_embed1.norm.ln_"
MODALITIES = ("img", "depth", "event", "lidar")
"""All of DeLiVER's, in the order of the published network for four."""

DEAD = {
    "geminifusion": ("encoder.score_predictor.",),
    "diffpixelformer": ("encoder.score_predictor.",),
}
"""Prefixes, by the first word of a network's name, that its authors' files may hold and nothing reads.

The parameter count that GeminiFusion's paper gives includes TokenFusion's score predictors, exactly.
"""


@dataclass(frozen=True)
class Conformed:
    """A checkpoint in the form of the network.

    config     the network's configuration, after ``settings``
    own        the network's tensors by name, shapes and types only
    settings   fields of the network's configuration that the file implies
    state      tensors by the network's names
    ignored    names in the file that this network never reads
    classes    rows of the file's classifier; None for a network without one
    misfits    name and problem, one line each; the checkpoint can be used only if there are none
    """

    config: NetworkConfig
    own: dict[str, Tensor]
    settings: dict[str, Any]
    state: dict[str, Tensor]
    ignored: tuple[str, ...] = ()
    classes: int | None = None
    misfits: dict[str, str] = field(default_factory=dict)


def conform(
    name: str,
    entries: Mapping[str, Tensor],
    classes: int | None = None,
    settings: Mapping[str, Any] | None = None,
) -> Conformed:
    """Compare ``entries`` with the network ``name``.

    classes    wanted number of classes: 40 can become 37 or 20; None: as in the file
    settings   fields of the network's configuration; they win over what the file implies

    Raises UserError for a network or a setting that does not exist, or classes that cannot be had.
    """
    import torch

    given = plain_names(entries)
    dead = DEAD.get(name.partition("_")[0], ())
    kept = {key: tensor for key, tensor in given.items() if not key.startswith(dead)} if dead else given
    if name.startswith("emsaformer_semantic"):
        kept = _semantic_only(kept)
    found = _classes(kept)
    if classes is not None and found is not None:
        kept = _with_classes(kept, found, classes)
    chosen = {**_implied_settings(name, kept, settings or {}), **(settings or {})}
    with torch.device("meta"):
        network = create_model(name, **chosen)
    own = network.state_dict()
    ignored = tuple(key for key in given if key not in kept and _semantic_name(key) not in kept)
    return Conformed(network.config, own, chosen, kept, ignored, found, _misfits(own, kept))


def _semantic_only(entries: dict[str, Tensor]) -> dict[str, Tensor]:
    """The semantic part of a multi-task file; a semantic file stays as it is."""
    if not any(name.startswith(PANOPTIC) for name in entries):
        return entries
    renamed = {_semantic_name(name): tensor for name, tensor in entries.items()}
    others = (PANOPTIC, "decoders.scene_decoder.")
    return {name: tensor for name, tensor in renamed.items() if not name.startswith(others)}


def _semantic_name(name: str) -> str:
    return name.replace(f"{PANOPTIC}semantic_decoder.", "decoders.semantic_decoder.")


def _classes(entries: Mapping[str, Tensor]) -> int | None:
    for name, tensor in entries.items():
        if name.endswith(CLASSIFIERS) and tensor.ndim:
            return len(tensor)
    return None


def _with_classes(entries: dict[str, Tensor], found: int, wanted: int) -> dict[str, Tensor]:
    rows = list(kept_rows(found, wanted))
    return {
        name: tensor[rows] if _is_of_classes(name) and tensor.ndim and len(tensor) == found else tensor
        for name, tensor in entries.items()
    }


def _is_of_classes(name: str) -> bool:
    return any(part in name for part in CLASS_HEADS)


def _implied_settings(name: str, entries: Mapping[str, Tensor], chosen: Mapping[str, Any]) -> dict[str, Any]:
    """What the file says about the network's configuration, as far as it is not ``chosen``."""
    settings: dict[str, Any] = {}
    classes = _classes(entries)
    if classes:
        settings["num_classes"] = classes
    if name.startswith("emsaformer_multitask"):
        if f"{INSTANCES}shared_conv.conv.weight" in entries:
            settings["orientation"] = f"{INSTANCES}task_convs.2.weight" in entries
        if SCENE in entries and entries[SCENE].ndim:
            settings["num_scenes"] = len(entries[SCENE])
    if name.startswith("geminifusion_deliver") and "modalities" not in chosen:
        settings |= _implied_modalities(entries)
    return settings


def _implied_modalities(entries: Mapping[str, Tensor]) -> dict[str, Any]:
    """The file tells how many modalities there are, not which."""
    count = sum(name.startswith(EMBEDDING_NORMS) and name.endswith(".weight") for name in entries)
    if count == len(MODALITIES):
        return {"modalities": MODALITIES}
    if count == len(MODALITIES) - 1:
        raise UserError(f"the file is for {count} modalities: name them, for instance img,depth,event")
    return {}


def _misfits(own: Mapping[str, Tensor], given: Mapping[str, Tensor]) -> dict[str, str]:
    """Problems by name, in the order of the network, then of the file."""
    found = {}
    for name, expected in own.items():
        if problem := _problem(expected, given.get(name)):
            found[name] = problem
    for name, tensor in given.items():
        if name not in own:
            found[name] = f"not in the network; the file has {_shape(tensor)}"
    return found


def _problem(expected: Tensor, tensor: Tensor | None) -> str:
    """What is wrong with a tensor of the file; empty where nothing is."""
    if tensor is None:
        return f"missing; the network has {_shape(expected)}"
    if tensor.shape != expected.shape:
        return f"expected {_shape(expected)}, the file has {_shape(tensor)}"
    if tensor.is_floating_point() != expected.is_floating_point():
        return f"expected values of type {expected.dtype}, the file has {tensor.dtype}"
    if tensor.is_floating_point() and not bool(tensor.isfinite().all()):
        return "has values that are not finite"
    return ""


def _shape(tensor: Tensor) -> str:
    return " x ".join(map(str, tensor.shape)) or "a single number"
