"""creation_meta.json: which estimators a folder of embeddings has, for the authors' loader and for us."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from rgbd_perception import __version__
from rgbd_perception.errors import UserError
from rgbd_perception.inference.weights import write_whole
from rgbd_perception.resources import PACKAGE
from rgbd_perception.training.teacher.alpha_clip import TEXT_SPACE
from rgbd_perception.training.teacher.base import TeacherSpec

FILE = "creation_meta.json"
ADDITIONAL = "additional_meta"
SEGMENT_ESTIMATORS = "auxiliary_panoptic_embedding_estimators"
IMAGE_ESTIMATORS = "auxiliary_image_embedding_estimators"
CLASS_NAMES = "auxiliary_semantic_class_name_embeddings"
SCENE_NAMES = "auxiliary_scene_class_name_embeddings"
CLASS_NAMES_FILE = "auxiliary_meta/semantic_class_name_embeddings.npy"
SCENE_NAMES_FILE = "auxiliary_meta/scene_class_name_embeddings.npy"


def register(root: Path, spec: TeacherSpec, *, images: bool) -> None:
    """Enter a teacher before it starts; ``images``: whether it gives embeddings of whole views.

    Raises UserError where files of the same estimator are there that another one made (other weights, other
    classes): one folder must not hold a mixture.
    """
    meta = _read(root)
    additional = meta.setdefault(ADDITIONAL, {})
    own = additional.setdefault(PACKAGE, {"version": __version__, "teachers": {}})["teachers"]
    facts = json.loads(json.dumps(dict(spec.facts)))
    if spec.name in own and own[spec.name] != facts:
        differing = ", ".join(sorted(key for key in facts if own[spec.name].get(key) != facts[key]))
        raise UserError(
            f"{root} has embeddings of {spec.name} that differ in {differing}: choose another folder, or "
            "delete those"
        )
    own[spec.name] = facts
    _add(additional, SEGMENT_ESTIMATORS, spec.name)
    if images:
        _add(additional, IMAGE_ESTIMATORS, spec.name)
    _write(root, meta)


def text_space_of(root: Path, estimator: str) -> str:
    """The text space that embeddings are in; that of CLIP where no teacher of ours made them."""
    teachers = _read(root).get(ADDITIONAL, {}).get(PACKAGE, {}).get("teachers", {})
    return str(teachers.get(estimator, {}).get("text_space", TEXT_SPACE))


def register_class_names(root: Path) -> None:
    """Enter the files with embeddings of class names, where they are there."""
    meta = _read(root)
    additional = meta.setdefault(ADDITIONAL, {})
    for key, file in ((CLASS_NAMES, CLASS_NAMES_FILE), (SCENE_NAMES, SCENE_NAMES_FILE)):
        if (root / file).is_file():
            additional[key] = file
    _write(root, meta)


def _add(additional: dict[str, Any], key: str, name: str) -> None:
    names = additional.setdefault(key, [])
    if not isinstance(names, list):
        raise UserError(f"expected a list of estimators in {FILE} under {key}, got {names!r}")
    if name not in names:
        names.append(name)


def _read(root: Path) -> dict[str, Any]:
    path = root / FILE
    if not path.exists():
        return {}
    try:
        meta = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"cannot read {path}: {error}") from error
    if not isinstance(meta, dict) or not isinstance(meta.get(ADDITIONAL, {}), dict):
        raise UserError(f"expected names and values in {path}, also under {ADDITIONAL}")
    return meta


def _write(root: Path, meta: dict[str, Any]) -> None:
    text = json.dumps(meta, indent=2, ensure_ascii=False)
    write_whole(root / FILE, f"{text}\n".encode(), "register of embeddings")
