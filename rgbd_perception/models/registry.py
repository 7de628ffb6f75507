"""Networks by name."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from rgbd_perception.errors import UserError

if TYPE_CHECKING:
    from rgbd_perception.models.network import Network

_DVEFORMER_NAMES = ("rgbd_mini", "dveformer_reducedres", "dveformer_fullres")


def list_models() -> list[str]:
    """Names that ``create_model`` accepts."""
    return list(_DVEFORMER_NAMES)


def create_model(name: str, **overrides: Any) -> Network:
    """A randomly initialised network.

    ``overrides`` replace fields of the network's configuration, for instance ``embedding_dim=512``.
    Raises UserError for an unknown name or field.
    """
    if name not in _DVEFORMER_NAMES:
        raise UserError(f"expected one of the models {', '.join(list_models())}, got {name!r}")
    from rgbd_perception.models.dveformer import DVEFORMER_CONFIGS, DVEFormer

    config = DVEFORMER_CONFIGS[name]
    known = {field.name for field in dataclasses.fields(config)}
    if unknown := sorted(set(overrides) - known):
        raise UserError(
            f"{name} has no setting {', '.join(unknown)}: expected some of {', '.join(sorted(known))}"
        )
    return DVEFormer(dataclasses.replace(config, **overrides))
