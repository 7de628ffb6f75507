"""Asks maps of held-out apartments for things by where they are: "book in the bookshelf".

    rgbd-perception synth --seed 1000000 --apartments 10 --out held_out
    python benchmarks/held_out_apartments.py held_out/* --maps maps
    python benchmarks/held_out_relations.py held_out/* --maps maps --json relations.json

What stands on what is read off the generator's meshes, not off boxes: beneath the bottom of a thing lies a
triangle of what carries it; where that also has a triangle above the thing, the thing is in it. "next to" is
a horizontal gap of at most 0.3 m between the exact boxes of two pieces of furniture; things 0.3 to 1 m apart
are not asked about. A question is asked where the camera saw the thing and its anchor well, and

    told apart  where it saw another thing of the class well, too, for which the relation does not hold
    only one    where it did not
    no such     where both classes are there but nothing of one is on or in the other: no answer is right

Otherwise a first answer is right that is a thing for which the relation holds. Beside it stands how often the
first answer to the class name alone is right.
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rgbd_perception.errors import UserError
from rgbd_perception.mapping import QueryResult, VoxelMap
from rgbd_perception.mapping.evaluate import TrueObject, is_right, read_truth
from rgbd_perception.mapping.placement import gap_between
from rgbd_perception.mapping.query import TextEncoderLike
from rgbd_perception.mapping.relations import Relation
from rgbd_perception.sources.synthetic.apartment import Apartment, RoomConfig, generate_apartment
from rgbd_perception.sources.synthetic.truth import NOT_ASKED, seen_well
from rgbd_perception.text import create_text_encoder

TOUCHING = 0.02
BESIDE, APART = 0.3, 1.0
FURNITURE = frozenset(
    ("bed", "sofa", "chair", "stool", "table", "desk", "cabinet", "bookshelf", "wardrobe", "refrigerator",
     "stove", "washing machine", "sink", "toilet", "bathtub", "trash can", "potted plant", "door")
)  # fmt: skip


@dataclass(frozen=True)
class RelationQuestion:
    """``right``: the things for which the relation holds, in the map frame; none: nothing should be found."""

    kind: str
    relation: Relation
    target: str
    anchor: str
    right: tuple[TrueObject, ...]

    @property
    def text(self) -> str:
        return f"{self.target} {self.relation.value} the {self.anchor}"


def carriers(apartment: Apartment) -> dict[int, tuple[Relation, int]]:
    """Instance id -> (on or in, id of what carries it), for all that something carries."""
    corners = apartment.vertices[apartment.triangles].astype(np.float64)
    result = {}
    for item in apartment.instances:
        low = item.box_center[2] - item.box_size[2] / 2
        high = item.box_center[2] + item.box_size[2] / 2
        point = np.array(item.box_center[:2])
        others = apartment.tri_instance != item.id
        height = _heights(corners[others], point)
        owner = apartment.tri_instance[others]
        beneath = np.flatnonzero(np.abs(height - low) < TOUCHING)
        if beneath.size:
            carrier = int(owner[beneath[0]])
            covered = np.any((owner == carrier) & (height > high))
            result[item.id] = (Relation.IN if covered else Relation.ON, carrier)
    return result


def _heights(corners: NDArray[np.float64], point: NDArray[np.float64]) -> NDArray[np.float64]:
    """(T,) height of each triangle (T, 3, 3) over or under ``point`` (2,), NaN where it is elsewhere."""
    a, b, c = (corners[:, index, :2] - point for index in range(3))
    parts = np.stack([_cross(b, c), _cross(c, a), _cross(a, b)], axis=1)
    inside = np.all(parts >= 0, axis=1) | np.all(parts <= 0, axis=1)
    area = parts.sum(axis=1)
    usable = inside & (np.abs(area) > 1e-12)
    heights = np.full(len(corners), np.nan)
    heights[usable] = (parts[usable] * corners[usable, :, 2]).sum(axis=1) / area[usable]
    return heights


def _cross(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    return a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]


@dataclass(frozen=True)
class Home:
    """One apartment: its map, its things in the map frame, which of them were seen well, what holds.

    ``holding``: (relation, target, anchor) by index of things; ``unclear``: pairs (target, anchor) of which
    nobody can say whether they are next to each other.
    """

    voxel_map: VoxelMap
    objects: tuple[TrueObject, ...]
    seen: frozenset[int]
    holding: frozenset[tuple[Relation, int, int]]
    unclear: frozenset[tuple[int, int]]

    def classes(self, relation: Relation, of_seen: bool = False) -> set[tuple[Relation, str, str]]:
        """(relation, target, anchor) by class names, of all things or of those seen well."""
        return {
            (held, self.objects[target].name, self.objects[anchor].name)
            for held, target, anchor in self.holding
            if held == relation and (not of_seen or {target, anchor} <= self.seen)
        }

    def named(self, name: str) -> set[int]:
        """The things of a class that were seen well."""
        return {index for index in self.seen if self.objects[index].name == name}


def read_home(folder: Path, maps: Path) -> Home:
    """Map and truth of one apartment."""
    voxel_map = VoxelMap.load(maps / f"{folder.name}.rgbdmap")
    objects = read_truth(folder / "objects.json", voxel_map.map_from_source).objects
    content = json.loads((folder / "objects.json").read_text(encoding="utf-8"))
    frames = len(list(folder.glob("*.color.png")))
    rooms = [entry["room"] for entry in content["objects"]]
    apartment = generate_apartment(content["seed"], RoomConfig(rooms=1 + max(rooms)))
    if [item.class_name for item in apartment.instances] != [item.name for item in objects]:
        raise UserError(f"{folder} was made with other options or another version of the generator")
    seen = {
        index
        for index, entry in enumerate(content["objects"])
        if seen_well(entry["visible_frames"], frames) and entry["class"] not in NOT_ASKED
    }
    holding = {
        (relation, target - 1, anchor - 1)
        for target, (relation, anchor) in carriers(apartment).items()
        if objects[anchor - 1].name not in NOT_ASKED
    }
    unclear = set()
    furniture = [index for index, item in enumerate(objects) if item.name in FURNITURE]
    for one, other in itertools.permutations(furniture, 2):
        gap = gap_between(objects[one].box, objects[other].box)
        level = min(objects[one].box.top, objects[other].box.top)
        shares_heights = level > max(objects[one].box.bottom, objects[other].box.bottom)
        if gap <= BESIDE and shares_heights and rooms[one] == rooms[other]:
            holding.add((Relation.NEXT_TO, one, other))
        elif gap < APART:
            unclear.add((one, other))
    return Home(voxel_map, objects, frozenset(seen), frozenset(holding), frozenset(unclear))


def questions(home: Home, usual: set[tuple[Relation, str, str]]) -> Iterator[RelationQuestion]:
    """All questions about one apartment; ``usual``: what is on or in what in any apartment."""
    for relation in (Relation.ON, Relation.IN, Relation.NEXT_TO):
        for _, target, anchor in sorted(home.classes(relation, of_seen=True)):
            right = {
                one
                for held, one, other in home.holding
                if held == relation
                and home.objects[one].name == target
                and home.objects[other].name == anchor
            }
            others = home.named(target) - right
            doubtful = relation == Relation.NEXT_TO and any(
                (one, other) in home.unclear for one in others for other in home.named(anchor)
            )
            if target != anchor and not doubtful:
                kind = "told apart" if others else "only one"
                chosen = tuple(home.objects[index] for index in sorted(right))
                yield RelationQuestion(kind, relation, target, anchor, chosen)
    for relation, target, anchor in sorted(usual):
        related = home.classes(Relation.ON) | home.classes(Relation.IN)
        known = {(held, target, anchor) for held in (Relation.ON, Relation.IN)}
        if target != anchor and home.named(target) and home.named(anchor) and not known & related:
            yield RelationQuestion("no such", relation, target, anchor, ())


def score(home: Home, asked: list[RelationQuestion], encoder: TextEncoderLike) -> Iterator[dict[str, Any]]:
    """One row for each question: whether its first answer is right, and that of the class name alone."""
    results = home.voxel_map.query([question.text for question in asked], encoder=encoder, top_k=1)
    alone = home.voxel_map.query([question.target for question in asked], encoder=encoder, top_k=1)
    for question, related, plain in zip(asked, results, alone, strict=True):
        yield {
            "kind": question.kind,
            "relation": question.relation.value,
            "text": question.text,
            "score": related.answers[0].score if related.answers else 0.0,
            "right": _right(related, question),
            "alone": _right(plain, question),
            "message": related.message,
        }


def _right(result: QueryResult, question: RelationQuestion) -> bool:
    if not result.answers:
        return not question.right
    return is_right(result.answers[0], question.right)


def main() -> int:
    """Ask and print, by kind of question and relation."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("apartments", nargs="+", type=Path, help="folders of `rgbd-perception synth`")
    parser.add_argument("--maps", type=Path, required=True, help="folder of their maps")
    parser.add_argument("--json", type=Path, help="file for all answers")
    args = parser.parse_args()
    encoder = create_text_encoder()
    homes = [read_home(folder, args.maps) for folder in args.apartments]
    usual = set().union(*(home.classes(held) for home in homes for held in (Relation.ON, Relation.IN)))
    rows = [row for home in homes for row in score(home, list(questions(home, usual)), encoder)]
    for kind, relation in sorted({(row["kind"], row["relation"]) for row in rows}):
        chosen = [row for row in rows if (row["kind"], row["relation"]) == (kind, relation)]
        right, alone = (sum(row[key] for row in chosen) for key in ("right", "alone"))
        print(f"{kind:<10}  {relation:<8} {right:4d} of {len(chosen):4d} right, by the name alone {alone:4d}")
    if args.json:
        args.json.write_text(json.dumps(rows, indent=2), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
