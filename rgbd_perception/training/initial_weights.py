"""What a training starts from: a backbone trained on ImageNet, or whole weights."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from rgbd_perception.errors import UserError
from rgbd_perception.inference.weights import SUFFIX, read_info, read_weights
from rgbd_perception.models.checkpoint import plain_names, read_entries
from rgbd_perception.models.network import Network

_BACKBONE = re.compile(r"^(encoder\.body|encoder\.backbone|encoder|backbone)\.")
_STREAMS = re.compile(r"\.(module|ln_[01])(?=\.)")
"""Marks of shared layers and of the norms of the first two streams: both norms start from the one."""

_FILE_PREFIX = re.compile(r"^(model\.)?(backbone\.)?")
_NOT_OF_A_BACKBONE = re.compile(r"^(head|fc|norm\.|num_batches)|attn_mask$|relative_position_index$")
"""Classifiers and the final norm of Swin, which are dropped, and buffers that follow from the sizes."""

RGB_CONV, DEPTH_CONV = "patch_embedder.rgb_layers.0", "patch_embedder.depth_layers.0"
SINGLE_CONV, SINGLE_NORM = "patch_embedder.layers.0", "patch_embedder.layers.2"
RGB_NORM, DEPTH_NORM = "patch_embedder.rgb_layers.2", "patch_embedder.depth_layers.2"


def load_backbone(network: nn.Module, path: Path) -> int:
    """Copy the tensors of a backbone trained on ImageNet; returns how many of ``network`` they fill.

    MiT as SegFormer's authors publish it, Swin as its authors do, SwinV2-T-128-Multi as DVEFormer's. Fusion
    and decoder keep their random values. Raises UserError where the file is of another backbone.
    """
    given = {_FILE_PREFIX.sub("", name): tensor for name, tensor in plain_names(read_entries(path)).items()}
    given = _split_embedder(
        {name: value for name, value in given.items() if not _NOT_OF_A_BACKBONE.search(name)}
    )
    used: set[str] = set()
    own = {name: tensor for name, tensor in network.state_dict().items() if _BACKBONE.match(name)}
    filled = 0
    with torch.no_grad():
        for name, tensor in own.items():
            plain = _STREAMS.sub("", _BACKBONE.sub("", name))
            source = given.get(plain)
            if source is None:
                continue
            if source.shape != tensor.shape:
                raise UserError(
                    f"the backbone {path} is another one: {plain} is {_shape(source)}, expected "
                    f"{_shape(tensor)}"
                )
            tensor.copy_(source)
            used.add(plain)
            filled += 1
    if left := sorted(set(given) - used):
        raise UserError(
            f"the backbone {path} is another one: the network has no {', '.join(left[:3])} "
            f"({len(left)} of {len(given)} tensors)"
        )
    return filled


def _split_embedder(given: dict[str, Tensor]) -> dict[str, Tensor]:
    """A patch embedding for color alone becomes one for color and depth, as DVEFormer's authors do.

    The first filters are those of color; the others, summed over the channels, those of depth.
    """
    kernel = given.get(f"{SINGLE_CONV}.weight")
    if kernel is None:
        return given
    width = len(kernel) * 3 // 4
    parts = {f"{SINGLE_CONV}.weight": (RGB_CONV, DEPTH_CONV), f"{SINGLE_CONV}.bias": (RGB_CONV, DEPTH_CONV)}
    parts |= {f"{SINGLE_NORM}.{kind}": (RGB_NORM, DEPTH_NORM) for kind in ("weight", "bias")}
    split = {name: tensor for name, tensor in given.items() if name not in parts}
    for name, (rgb, depth) in parts.items():
        tensor, kind = given[name], name.rpartition(".")[2]
        split[f"{rgb}.{kind}"] = tensor[:width]
        last = tensor[width:]
        split[f"{depth}.{kind}"] = last.sum(dim=1, keepdim=True) if last.ndim == 4 else last
    return split


def load_weights(network: Network, path: Path, without: str, classes: Sequence[str]) -> None:
    """Copy weights of this project or of the authors, but for tensors whose name ``without`` finds.

    Raises UserError where they do not fit, also where they are for other classes than the data has.
    """
    entries = read_weights(path).state if path.suffix == SUFFIX else plain_names(read_entries(path))
    kept = {name: tensor for name, tensor in entries.items() if not (without and re.search(without, name))}
    own = network.state_dict()
    labels = read_info(path).labels if path.suffix == SUFFIX else ()
    if labels and tuple(labels) != tuple(classes) and not without and not network.has_embeddings:
        raise UserError(_other_classes(path, labels, classes))
    wrong = [name for name, tensor in own.items() if name in kept and kept[name].shape != tensor.shape]
    missing = [name for name in own if name not in kept and not (without and re.search(without, name))]
    if wrong or missing:
        name = (wrong or missing)[0]
        found = f"is {_shape(kept[name])}, expected {_shape(own[name])}" if wrong else "is missing"
        raise UserError(
            f"the weights {path} do not fit the network with {len(classes)} classes: {name} {found} "
            f"({len(wrong) + len(missing)} tensors); weights_without names what to leave out"
        )
    network.load_state_dict({**own, **{name: kept[name] for name in own if name in kept}})


def _other_classes(path: Path, labels: Sequence[str], classes: Sequence[str]) -> str:
    """Where two class lists differ."""
    differ = [f"{a} / {b}" for a, b in zip(labels, classes, strict=False) if a != b]
    first = f", first at {differ[0]}" if differ else ""
    return (
        f"the weights {path} are for {len(labels)} classes, the data has {len(classes)}{first}: "
        "weights_without can leave the classifier out"
    )


def _shape(tensor: Tensor) -> str:
    return " x ".join(map(str, tensor.shape)) or "a single number"
