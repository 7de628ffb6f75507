"""Ground truth of an apartment as ``objects.json`` has it: objects, and questions about them.

A question uses held-out words of a class that the camera saw well; for each there are at least two
distractors: other things in the same room of a similar kind, colour or size. The absent texts name what no
room contains.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from rgbd_perception.sources.synthetic import concepts
from rgbd_perception.sources.synthetic.apartment import Apartment, Instance
from rgbd_perception.sources.synthetic.materials import COLOR_NAMES

QUERIES = 10
ABSENT = 10
_MIN_SHARE = 0.002
"""Share of the image that an object must fill in a frame to count as seen in it: a mug at 1.5 metres does."""
_MIN_FRAMES = 3, 0.02
"""An object is well visible when it is seen in this many frames and in this share of all frames."""
NOT_ASKED = ("wall", "floor", "ceiling")
"""Classes that every room has."""
_KINDS: tuple[frozenset[str], ...] = tuple(
    frozenset(names)
    for names in (
        ("bed", "sofa", "chair", "stool"),
        ("table", "desk"),
        ("cabinet", "bookshelf", "wardrobe", "desk"),
        ("refrigerator", "stove", "washing machine", "cabinet"),
        ("sink", "toilet", "bathtub"),
        ("television", "laptop", "picture", "mirror", "clock", "window"),
        ("mug", "bowl", "vase", "potted plant"),
        ("box", "trash can", "backpack", "book"),
        ("pillow", "teddy bear"),
        ("curtain", "rug", "door"),
        ("lamp", "clock"),
    )
)


def seen_well(frames: int, images: int) -> bool:
    """Whether a thing seen in ``frames`` of ``images`` was seen long enough to ask for it."""
    return frames >= max(_MIN_FRAMES[0], _MIN_FRAMES[1] * images)


class Visibility:
    """Counts how much of every instance the camera saw."""

    def __init__(self, apartment: Apartment) -> None:
        count = len(apartment.instances) + 1
        self.pixels: NDArray[np.int64] = np.zeros(count, dtype=np.int64)
        self.frames: NDArray[np.int64] = np.zeros(count, dtype=np.int64)
        self._images = 0

    def well(self, instance: Instance) -> bool:
        """Whether the camera saw ``instance`` large and long enough to ask for it."""
        return seen_well(int(self.frames[instance.id]), self._images)

    def add(self, instance: NDArray[np.uint16]) -> None:
        """Count one instance image (H, W)."""
        self._images += 1
        seen = np.bincount(instance.ravel(), minlength=len(self.pixels))
        self.pixels += seen
        self.frames += seen >= _MIN_SHARE * instance.size


@dataclass(frozen=True)
class Query:
    """A text, the class it means, and ids of at least two things that could be mistaken for it."""

    text: str
    class_name: str
    distractors: tuple[int, ...]


def ground_truth(apartment: Apartment, seen: Visibility) -> dict[str, Any]:
    """The content of ``objects.json``."""
    rng = np.random.default_rng([apartment.seed, 6])
    return {
        "seed": apartment.seed,
        "up": "z",
        "label_names": list(concepts.CLASS_NAMES),
        "objects": [_object(instance, seen) for instance in apartment.instances],
        "queries": [
            {"text": query.text, "class": query.class_name, "distractors": list(query.distractors)}
            for query in pick_queries(apartment, seen, rng)
        ],
        "absent": [str(text) for text in rng.choice(concepts.ABSENT_TEXTS, ABSENT, replace=False)],
    }


def pick_queries(apartment: Apartment, seen: Visibility, rng: Generator) -> list[Query]:
    """Up to QUERIES held-out texts of well visible classes; a second of a class only when classes run out."""
    candidates: dict[str, tuple[int, ...]] = {}
    for instance in apartment.instances:
        if instance.class_name in NOT_ASKED or not seen.well(instance):
            continue
        rivals = distractors(apartment, instance, seen)
        if len(rivals) >= 2 and len(rivals) > len(candidates.get(instance.class_name, ())):
            candidates[instance.class_name] = rivals
    texts = {name: list(rng.permutation(concepts.concept(name).heldout)) for name in candidates}
    queries: list[Query] = []
    while len(queries) < QUERIES and any(texts.values()):
        for name in rng.permutation(sorted(texts)):
            if texts[name] and len(queries) < QUERIES:
                queries.append(Query(str(texts[name].pop()), str(name), candidates[name]))
    return queries


def distractors(apartment: Apartment, target: Instance, seen: Visibility, limit: int = 4) -> tuple[int, ...]:
    """Ids of visible things of other classes in the same room that resemble ``target``, most alike first."""
    rated = []
    for other in apartment.instances:
        if other.room != target.room or other.class_name in (target.class_name, *NOT_ASKED):
            continue
        likeness = _likeness(target, other)
        if likeness > 0 and seen.well(other):
            rated.append((-likeness, other.id))
    return tuple(index for _, index in sorted(rated)[:limit])


def _likeness(a: Instance, b: Instance) -> int:
    """One point each for a common kind, colour and size (largest extents within a factor of 1.5)."""
    kind = any(a.class_name in names and b.class_name in names for names in _KINDS)
    color = any(word in COLOR_NAMES and word in b.attributes for word in a.attributes)
    size = abs(np.log(max(a.box_size) / max(b.box_size))) < np.log(1.5)
    return 2 * kind + color + size


def _object(instance: Instance, seen: Visibility) -> dict[str, Any]:
    return {
        "instance": instance.id,
        "class": instance.class_name,
        "room": instance.room,
        "center": [round(v, 5) for v in instance.box_center],
        "size": [round(v, 5) for v in instance.box_size],
        "yaw": round(instance.yaw, 6),
        "description": instance.description,
        "synonyms": list(concepts.concept(instance.class_name).synonyms),
        "visible_pixels": int(seen.pixels[instance.id]),
        "visible_frames": int(seen.frames[instance.id]),
    }
