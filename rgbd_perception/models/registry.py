"""Networks by name. Their modules are imported when one of them is made."""

from __future__ import annotations

import dataclasses
import difflib
import importlib
from typing import TYPE_CHECKING, Any, NamedTuple

from rgbd_perception.errors import UserError

if TYPE_CHECKING:
    from rgbd_perception.models.network import Network

_MITS = tuple(f"mit_b{size}" for size in range(6))
_SWINS = ("swin_tiny", "swin_small", "swin_large_w7", "swin_large_w12")


class _Family(NamedTuple):
    """Networks that differ in numbers only: a class, and its configurations by name in the same module."""

    module: str
    network: str
    configs: str
    names: tuple[str, ...]


_FAMILIES = (
    _Family(
        "dveformer",
        "DVEFormer",
        "DVEFORMER_CONFIGS",
        ("rgbd_mini", "dveformer_reducedres", "dveformer_fullres"),
    ),
    _Family(
        "emsaformer",
        "EMSAFormer",
        "EMSAFORMER_CONFIGS",
        (
            "emsaformer_semantic_mlp",
            "emsaformer_semantic_emsanet",
            "emsaformer_multitask_mlp",
            "emsaformer_multitask_emsanet",
        ),
    ),
    _Family(
        "geminifusion",
        "GeminiFusionNetwork",
        "GEMINIFUSION_CONFIGS",
        tuple(f"geminifusion_{backbone}" for backbone in (*_MITS, *_SWINS)),
    ),
    _Family(
        "geminifusion_deliver",
        "GeminiFusionDeliver",
        "GEMINIFUSION_DELIVER_CONFIGS",
        tuple(f"geminifusion_deliver_{backbone}" for backbone in _MITS),
    ),
    _Family(
        "diffpixelformer",
        "DiffPixelFormer",
        "DIFFPIXELFORMER_CONFIGS",
        tuple(
            f"diffpixelformer_{backbone}"
            for backbone in (*_MITS, "swin_tiny", "swin_large_w7", "swin_large_w12")
        ),
    ),
    _Family(
        "tokenfusion",
        "TokenFusion",
        "TOKENFUSION_CONFIGS",
        ("tokenfusion_mit_b2", "tokenfusion_mit_b3", "tokenfusion_mit_b5"),
    ),
    _Family(
        "fusion_rows",
        "FusionRow",
        "FUSION_ROW_CONFIGS",
        tuple(f"two_stream_{backbone}" for backbone in (*_MITS, *_SWINS)),
    ),
)

_FAMILY_OF = {name: family for family in _FAMILIES for name in family.names}


def list_models() -> list[str]:
    """Names that ``create_model`` accepts."""
    return list(_FAMILY_OF)


def unknown_model(name: str, otherwise: str = "") -> UserError:
    """What to raise for a name that is none of ``list_models()``; ``otherwise``: what else is taken."""
    close = difflib.get_close_matches(name, list_models())
    advice = f": did you mean {' or '.join(close)}?" if close else ""
    return UserError(f"expected a model of `rgbd-perception models list`{otherwise}, got {name!r}{advice}")


def create_model(name: str, **overrides: Any) -> Network:
    """A randomly initialised network.

    ``overrides`` replace fields of the network's configuration, for instance ``embedding_dim=512``.
    Raises UserError for an unknown name or field.
    """
    if name not in _FAMILY_OF:
        raise unknown_model(name)
    family = _FAMILY_OF[name]
    module = importlib.import_module(f"rgbd_perception.models.{family.module}")
    config = getattr(module, family.configs)[name]
    known = {field.name for field in dataclasses.fields(config)}
    if unknown := sorted(set(overrides) - known):
        raise UserError(
            f"{name} has no setting {', '.join(unknown)}: expected some of {', '.join(sorted(known))}"
        )
    return getattr(module, family.network)(dataclasses.replace(config, **overrides))
