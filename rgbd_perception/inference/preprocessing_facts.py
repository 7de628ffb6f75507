"""How the published weights want their inputs, and how sure that is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from rgbd_perception.inference.preprocess import RGB_MEAN, RGB_STD
from rgbd_perception.models.class_names import DATA_SETS

if TYPE_CHECKING:
    from rgbd_perception.models.network import NetworkConfig

DEPTH_STATISTICS: dict[str, tuple[float, float]] = {
    "nyuv2": (2.84194941272766, 1.4172594281672277),
    "sunrgbd": (2.378143341528692, 1.235114890282653),
    "scannet": (1.8419888416947686, 0.8122287156085615),
    "hypersim": (6.157630215246957, 6.892228124720381),
}
"""Mean and deviation in metres of the training splits, as DVEFormer's and EMSAFormer's authors have them."""

_AUTHORS = "as in the authors' code"

DEPTH_NOTES: dict[str, tuple[bool, str]] = {
    "dveformer": (True, f"{_AUTHORS}; statistics of NYUv2, the first of the training sets"),
    "emsaformer": (True, f"{_AUTHORS}; statistics of the training set, which the number of classes names"),
    "geminifusion": (
        False,
        "unverified: millimetres divided by 255, inferred from the authors' answers to users about NYUv2; "
        "for SUN RGB-D the unit of the authors' depth files is not known",
    ),
    "geminifusion_deliver": (
        True,
        f"{_AUTHORS}: HHA images and other modalities divided by 255; depth statistics do not apply",
    ),
    "diffpixelformer": (False, "unverified: as GeminiFusion's, whose data its authors use"),
    "tokenfusion": (
        False,
        "unverified: divided by 5000 as in the authors' code; that these are millimetres is inferred",
    ),
}
"""By the beginning of a network's name: whether the scale of depth is certain, and why."""


def implied_statistics(name: str, classes: int | None) -> dict[str, float]:
    """Depth statistics that follow from the number of classes in a file; empty where nothing does."""
    if not name.startswith("emsaformer") or classes not in DATA_SETS:
        return {}
    mean, std = DEPTH_STATISTICS[DATA_SETS[classes]]
    return {"depth_mean": mean, "depth_std": std}


def describe_preprocessing(
    name: str, config: NetworkConfig, statistics: Mapping[str, float], chosen: bool
) -> dict[str, Any]:
    """What happens to color and depth before the network ``name`` with ``config``.

    ``statistics`` of depth win over those of ``config``; ``chosen`` by the user, who vouches for them.
    """
    verified, note = (False, "chosen at the import, not verified") if chosen else _depth_note(name)
    return {
        "color": f"rgb / 255, minus {RGB_MEAN}, divided by {RGB_STD}",
        "depth": "(metres - depth_mean) / depth_std; 0 where there is no measurement",
        "depth_mean": statistics.get("depth_mean", config.depth_mean),
        "depth_std": statistics.get("depth_std", config.depth_std),
        "depth_verified": verified,
        "depth_note": note,
        "input_size": list(config.input_size),
    }


def _depth_note(name: str) -> tuple[bool, str]:
    """The note of the longest beginning that fits."""
    known = [start for start in DEPTH_NOTES if name.startswith(f"{start}_")]
    return DEPTH_NOTES[max(known, key=len)] if known else (False, "unverified: nothing is known about it")
