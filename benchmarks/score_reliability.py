"""Whether scores are probabilities: of answers that score 0.5, half should be right.

    rgbd-perception synth --seed 900100 --apartments 4 --out rooms
    python benchmarks/held_out_apartments.py rooms/* --maps maps
    python benchmarks/score_reliability.py rooms/* --maps maps --fit      the numbers for CONFIDENCES
    python benchmarks/score_reliability.py held_out/* --maps maps         the table of docs/queries.md

Every map is asked for each class that the camera saw well, by its name, the synonyms of the training and the
held-out texts, and for things that no apartment has. All answers count, not only the first: those of the
default threshold, and below it those of a low one. Right is what `rgbd-perception eval` calls right.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from fit_score_calibration import ABSENT
from held_out_texts import classes_seen_well
from numpy.typing import NDArray
from scipy.optimize import minimize

from rgbd_perception.mapping import VoxelMap
from rgbd_perception.mapping.confidence import Confidence, score_scale
from rgbd_perception.mapping.evaluate import is_right, read_truth
from rgbd_perception.mapping.query import TextEncoderLike
from rgbd_perception.sources.synthetic import concepts
from rgbd_perception.text import create_text_encoder

LOW_RAW = 0.1
TOP_K = 5
BINS = 10

Scored = tuple[float, bool, str]
"""Score of an answer, whether it is right, kind of its text."""


def questions(folder: Path) -> Iterator[tuple[str, str, str]]:
    """(text, class, kind) for one apartment; the class of absent things is empty."""
    for name in classes_seen_well(folder):
        concept = concepts.concept(name)
        yield from ((text, name, "training words") for text in (name, *concept.synonyms))
        yield from ((text, name, "held-out words") for text in concept.heldout)
    yield from ((text, "", "absent things") for text in ABSENT)


def ask(folder: Path, maps: Path, encoder: TextEncoderLike) -> Iterator[Scored]:
    """All answers in one apartment."""
    voxel_map = VoxelMap.load(maps / f"{folder.name}.rgbdmap")
    truth = read_truth(folder / "objects.json", voxel_map.map_from_source)
    asked = list(questions(folder))
    scale = score_scale(encoder.text_space, None, None)
    usual = scale.shown(scale.least)
    for threshold in (usual, scale.shown(LOW_RAW)):
        results = voxel_map.query(
            [text for text, _, _ in asked], encoder=encoder, top_k=TOP_K, threshold=threshold
        )
        for result, (_, name, kind) in zip(results, asked, strict=True):
            wanted = [item for item in truth.objects if item.name == name]
            for answer in result.answers:
                if (answer.score >= usual) == (threshold == usual):
                    yield answer.score, is_right(answer, wanted), kind


def fitted(scores: NDArray[np.float64], right: NDArray[np.bool_], now: Confidence) -> Confidence:
    """The most likely numbers for scores that were made with ``now``."""
    raw = np.array([np.clip(now.raw(score), 1e-6, 1 - 1e-6) for score in scores])
    x = np.log(raw) - np.log1p(-raw)
    parts = np.stack([np.ones_like(x), np.maximum(x, 0), np.minimum(x, 0)], axis=1)

    def loss(numbers: NDArray[np.float64]) -> float:
        logits = parts @ numbers
        return float((np.logaddexp(0, logits) - right * logits).sum())

    return Confidence(*(round(float(value), 2) for value in minimize(loss, [0.0, 1.0, 1.0]).x))


def table(scored: Sequence[Scored]) -> list[dict[str, float]]:
    """For each tenth of the scale: answers, their mean score, the share that is right."""
    scores = np.array([score for score, _, _ in scored])
    right = np.array([was_right for _, was_right, _ in scored], bool)
    place = np.minimum((scores * BINS).astype(int), BINS - 1)
    rows = []
    for index in np.unique(place):
        chosen = place == index
        rows.append(
            {
                "from": index / BINS,
                "answers": int(chosen.sum()),
                "score": round(float(scores[chosen].mean()), 3),
                "right": round(float(right[chosen].mean()), 3),
            }
        )
    return rows


def error(rows: Sequence[dict[str, float]]) -> float:
    """Expected calibration error: mean difference of score and share, by answers."""
    off = sum(row["answers"] * abs(row["score"] - row["right"]) for row in rows)
    return off / sum(row["answers"] for row in rows)


def main() -> int:
    """Ask, print the table of every kind of text and, with --fit, the numbers."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("apartments", nargs="+", type=Path, help="folders of `rgbd-perception synth`")
    parser.add_argument("--maps", type=Path, required=True, help="folder of their maps")
    parser.add_argument("--fit", action="store_true", help="print the numbers that fit these answers best")
    parser.add_argument("--json", type=Path, help="file for the tables")
    args = parser.parse_args()
    encoder = create_text_encoder()
    scored = [item for folder in args.apartments for item in ask(folder, args.maps, encoder)]
    kinds = sorted({kind for _, _, kind in scored})
    tables = {"all": table(scored)}
    tables.update({kind: table([item for item in scored if item[2] == kind]) for kind in kinds})
    for kind, rows in tables.items():
        print(f"{kind}: calibration error {error(rows):.3f}")
        for row in rows:
            share = f"score {row['score']:.2f}  right {row['right']:.2f}"
            print(f"  {row['from']:.1f}  {row['answers']:5d}  {share}")
    if args.fit:
        now = score_scale(encoder.text_space, None, None).confidence
        scores = np.array([score for score, _, _ in scored])
        print(fitted(scores, np.array([was_right for _, was_right, _ in scored]), now))
    if args.json:
        args.json.write_text(json.dumps(tables, indent=2), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
