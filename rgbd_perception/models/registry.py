"""Networks by name."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

from rgbd_perception.errors import UserError

if TYPE_CHECKING:
    from rgbd_perception.models.network import Network


@dataclass(frozen=True)
class _Family:
    """Where to find the networks ``names``; their module is imported when one of them is made.

    In ``module``, ``network`` is the name of their class and ``configs`` that of their configurations.
    """

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
)


def list_models() -> list[str]:
    """Names that ``create_model`` accepts."""
    return [name for family in _FAMILIES for name in family.names]


def create_model(name: str, **overrides: Any) -> Network:
    """A randomly initialised network.

    ``overrides`` replace fields of the network's configuration, for instance ``embedding_dim=512``.
    Raises UserError for an unknown name or field.
    """
    family = next((family for family in _FAMILIES if name in family.names), None)
    if family is None:
        raise UserError(f"expected one of the models {', '.join(list_models())}, got {name!r}")
    module = import_module(f"{__package__}.{family.module}")
    config = getattr(module, family.configs)[name]
    known = {field.name for field in dataclasses.fields(config)}
    if unknown := sorted(set(overrides) - known):
        raise UserError(
            f"{name} has no setting {', '.join(unknown)}: expected some of {', '.join(sorted(known))}"
        )
    return getattr(module, family.network)(dataclasses.replace(config, **overrides))
