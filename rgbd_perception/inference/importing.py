"""The authors' checkpoints as weight files of this project: checked in full, stored with origin."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rgbd_perception import __version__
from rgbd_perception.errors import UserError
from rgbd_perception.inference.preprocessing_facts import describe_preprocessing, implied_statistics
from rgbd_perception.inference.weights import (
    PACKAGED,
    SUFFIX,
    WeightsInfo,
    imported_path,
    save_weights,
    write_whole,
)
from rgbd_perception.models.checkpoint import read_entries
from rgbd_perception.models.class_names import class_names, kept_rows
from rgbd_perception.models.conform import Conformed, conform
from rgbd_perception.models.published import PUBLISHED
from rgbd_perception.models.registry import list_models, unknown_model

if TYPE_CHECKING:
    from torch import Tensor

DVEFORMER_TEXT_SPACE = "open_clip:ViT-L-14-336"
"""DVEFormer's embeddings lie in the space of Alpha-CLIP, whose text tower is OpenAI's CLIP ViT-L/14@336px."""

CARD_SUFFIX = ".card.json"


class MisfitError(UserError):
    """A checkpoint that is not of the network; ``misfits`` says by name what does not fit."""

    def __init__(self, message: str, misfits: Mapping[str, str]) -> None:
        super().__init__(message)
        self.misfits = dict(misfits)


@dataclass(frozen=True)
class ImportOptions:
    """How to read a file, where it does not speak for itself.

    linear_probe   file of a linear probe for a network with embeddings
    classes        number of classes to keep: 40 can become 37 or 20; None: as in the file
    settings       fields of the network's configuration: depth_mean, depth_std, mode, modalities
    """

    linear_probe: Path | None = None
    classes: int | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Imported:
    """What was written: the weights and the card beside them."""

    path: Path
    card_path: Path
    info: WeightsInfo


def import_weights(
    name: str, source: Path, target: Path | None = None, options: ImportOptions | None = None
) -> Imported:
    """Check the authors' file ``source`` against the network ``name`` and store it.

    ``target`` is where; None: where ``Predictor(name)`` looks. Raises MisfitError where a tensor is missing,
    too many, of another shape or not finite, UserError for anything else; then nothing is written.
    """
    options = options or ImportOptions()
    path = _target(name, target)
    conformed = conform(name, read_entries(source), options.classes, options.settings)
    if conformed.misfits:
        raise MisfitError(
            f"{source} is no checkpoint of {name}: {len(conformed.misfits)} tensors do not fit",
            conformed.misfits,
        )
    settings = {**implied_statistics(name, conformed.classes), **conformed.settings}
    # Half precision becomes what the network computes in.
    state = {key: conformed.state[key].to(tensor.dtype) for key, tensor in conformed.own.items()}
    probe = None if options.linear_probe is None else _probe(name, conformed.config, options)
    labels = _labels(settings, None if probe is None else len(probe))
    info = WeightsInfo(
        name,
        settings,
        labels,
        DVEFORMER_TEXT_SPACE if name.startswith("dveformer") else "",
        origin=_origin(name, source, options, settings, conformed),
    )
    info = save_weights(path, state, info, classifier=None if probe is None else probe.float().numpy())
    card_path = path.with_name(path.name.removesuffix(SUFFIX) + CARD_SUFFIX)
    card = json.dumps(dataclasses.asdict(info), indent=2, ensure_ascii=False)
    write_whole(card_path, f"{card}\n".encode(), "card")
    return Imported(path, card_path, info)


def _target(name: str, target: Path | None) -> Path:
    if name not in list_models():
        raise unknown_model(name)
    if name in PACKAGED:
        raise UserError(f"the weights of {name} come with this package: there is nothing to import")
    if target is not None and target.suffix != SUFFIX:
        raise UserError(f"expected --out to end with {SUFFIX}, got {target}")
    return target or imported_path(name)


def _probe(name: str, config: Any, options: ImportOptions) -> Tensor:
    """Rows (C, D) of the linear probe."""
    from rgbd_perception.inference.embedding_classes import linear_probe_rows

    assert options.linear_probe is not None
    if not name.startswith("dveformer"):
        raise UserError(f"{name} has a classifier of its own: leave out --linear-probe")
    rows = linear_probe_rows(options.linear_probe)
    if rows.shape[1] != config.embedding_dim or not bool(rows.isfinite().all()):
        raise UserError(
            f"expected finite rows of {config.embedding_dim} values in the linear probe "
            f"{options.linear_probe}, got {rows.shape[0]} rows of {rows.shape[1]}"
        )
    return rows if options.classes is None else rows[list(kept_rows(len(rows), options.classes))]


def _labels(settings: Mapping[str, Any], probe_classes: int | None) -> tuple[str, ...]:
    count = settings.get("num_classes", probe_classes)
    return () if count is None else class_names(count)


def _origin(
    name: str, source: Path, options: ImportOptions, settings: dict[str, Any], conformed: Conformed
) -> dict[str, Any]:
    """Where the weights come from and how to feed them."""
    chosen = bool({"depth_mean", "depth_std"} & set(options.settings))
    origin: dict[str, Any] = {
        "file": source.name,
        "sha256": file_sha256(source),
        "licence": PUBLISHED[name].licence,
        "preprocessing": describe_preprocessing(name, conformed.config, settings, chosen),
        "ignored": list(conformed.ignored),
        "imported_with": __version__,
    }
    if options.classes is not None and conformed.classes is not None:
        origin["classes_of_file"] = conformed.classes
    if options.linear_probe is not None:
        origin["linear_probe"] = {
            "file": options.linear_probe.name,
            "sha256": file_sha256(options.linear_probe),
        }
    return origin


def file_sha256(path: Path) -> str:
    """Hash of a file, as authors publish it, in hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
