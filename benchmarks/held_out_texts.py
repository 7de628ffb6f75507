"""Asks maps of held-out apartments for everything that is there, in words that training never saw.

    rgbd-perception synth --seed 1000000 --apartments 10 --out held_out
    python benchmarks/held_out_apartments.py held_out/* --maps maps
    python benchmarks/held_out_texts.py held_out/* --maps maps --json texts.json

The ten questions in an apartment's objects.json are a sample of these. A text is asked in every apartment
where the camera saw a thing of its class well; right is what `rgbd-perception eval` calls right.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from rgbd_perception.mapping import VoxelMap
from rgbd_perception.mapping.evaluate import read_truth, score_query
from rgbd_perception.mapping.query import TextEncoderLike
from rgbd_perception.sources.synthetic import concepts
from rgbd_perception.sources.synthetic.truth import NOT_ASKED, seen_well
from rgbd_perception.text import create_text_encoder

WANTED_SHARE = 0.8
LEAST_APARTMENTS = 5
"""Texts asked in fewer apartments say nothing about the share."""


@dataclass
class TextScore:
    """In how many apartments a text was asked and its first answer was right."""

    text: str
    name: str
    asked: int = 0
    right: int = 0

    @property
    def share(self) -> float:
        return self.right / self.asked


def classes_seen_well(folder: Path) -> Iterator[str]:
    """Names of classes with an object that was seen in enough frames."""
    objects = json.loads((folder / "objects.json").read_text(encoding="utf-8"))["objects"]
    frames = len(list(folder.glob("*.color.png")))
    seen = {thing["class"] for thing in objects if seen_well(thing["visible_frames"], frames)}
    yield from sorted(seen - set(NOT_ASKED))


def ask(folder: Path, maps: Path, encoder: TextEncoderLike, scores: dict[str, TextScore]) -> None:
    """Add the answers of one apartment to ``scores``."""
    voxel_map = VoxelMap.load(maps / f"{folder.name}.rgbdmap")
    truth = read_truth(folder / "objects.json", voxel_map.map_from_source)
    questions = [
        (text, name) for name in classes_seen_well(folder) for text in concepts.concept(name).heldout
    ]
    results = voxel_map.query([text for text, _ in questions], encoder=encoder, top_k=1)
    for result, (text, name) in zip(results, questions, strict=True):
        score = scores.setdefault(text, TextScore(text, name))
        score.asked += 1
        score.right += score_query(result, name, truth.objects).right_at == 1


def main() -> int:
    """Ask and print, worst texts first."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("apartments", nargs="+", type=Path, help="folders of `rgbd-perception synth`")
    parser.add_argument("--maps", type=Path, required=True, help="folder of their maps")
    parser.add_argument("--json", type=Path, help="file for all scores")
    args = parser.parse_args()
    encoder = create_text_encoder()
    scores: dict[str, TextScore] = {}
    for folder in args.apartments:
        ask(folder, args.maps, encoder, scores)
    for score in sorted(scores.values(), key=lambda score: (score.share, score.name)):
        print(f"{score.right:3d} of {score.asked:2d}  {score.name:<16} {score.text}")
    often = [score for score in scores.values() if score.asked >= LEAST_APARTMENTS]
    good = sum(score.share >= WANTED_SHARE for score in often)
    right, asked = (sum(getattr(score, key) for score in scores.values()) for key in ("right", "asked"))
    print(f"first answer right {right} of {asked}")
    print(f"texts right in {WANTED_SHARE:.0%} or more: {good} of {len(often)}")
    if args.json:
        args.json.write_text(
            json.dumps([asdict(score) for score in scores.values()], indent=2), encoding="utf-8"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
