"""Scores the whole chain on apartments that training never saw: labels, answers, false answers.

    rgbd-perception synth --seed 1000000 --apartments 10 --out held_out
    python benchmarks/held_out_apartments.py held_out/* --maps maps --json scores.json

Every apartment is mapped offline with the network (every frame), its map is compared with the exact ground
truth voxel by voxel, and it is asked the held-out texts and the absent things of its objects.json. Maps that
exist in --maps are used as they are: a change of the scoring can be tried without mapping again.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from rgbd_perception.cli.eval import evaluate
from rgbd_perception.cli.main import main as rgbd_perception
from rgbd_perception.mapping.evaluate import ClassVoxels


def summarize(results: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """One object for all apartments.

    class_iou     over the voxels of all apartments together
    mean_iou      mean of class_iou over the classes that occur
    apartment_iou mean over the apartments of their own mean over the classes that they have
    by_text       text -> [apartments where the first answer is right, apartments asked]
    """
    counts: dict[str, ClassVoxels] = defaultdict(lambda: ClassVoxels(0, 0, 0))
    by_text: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for result in results:
        for name, count in result["counts"].items():
            total = counts[name]
            counts[name] = ClassVoxels(
                total.truth + count["truth"], total.map + count["map"], total.both + count["both"]
            )
        for query in result["queries"]:
            by_text[query["text"]][0] += query["right_at"] == 1
            by_text[query["text"]][1] += 1
    asked = sum(len(result["queries"]) for result in results)
    absent = sum(len(result["absent"]) for result in results)
    class_iou = {name: count.iou or 0.0 for name, count in counts.items() if count.truth}
    return {
        "apartments": len(results),
        "mean_iou": float(np.mean(list(class_iou.values()))),
        "apartment_iou": float(np.mean([result["mean_iou"] for result in results])),
        "class_iou": dict(sorted(class_iou.items(), key=lambda entry: -entry[1])),
        "queries": asked,
        "top1": sum(result["top1"] for result in results),
        "top3": sum(result["top3"] for result in results),
        "absent": absent,
        "false_answers": sum(result["false_answers"] for result in results),
        "by_text": dict(sorted(by_text.items())),
    }


def main() -> int:
    """Map, score, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("apartments", nargs="+", type=Path, help="folders of `rgbd-perception synth`")
    parser.add_argument("--maps", type=Path, required=True, help="folder for the maps")
    parser.add_argument("--model", default="rgbd_mini")
    parser.add_argument("--labels", help="as of `map`; `truth`: the limit that a perfect network would reach")
    parser.add_argument("--json", type=Path, help="file for all scores")
    args = parser.parse_args()
    args.maps.mkdir(parents=True, exist_ok=True)
    results = []
    for folder in args.apartments:
        map_file = args.maps / f"{folder.name}.rgbdmap"
        if not map_file.exists():
            labels = ["--labels", args.labels] if args.labels else []
            status = rgbd_perception(
                ["map", str(folder), "--out", str(map_file), "--model", args.model, *labels]
            )
            if status:
                return status
        results.append(evaluate(map_file, folder))
        print(
            f"{folder.name}: mIoU {results[-1]['mean_iou']:.1%}, first answers {results[-1]['top1']}",
            file=sys.stderr,
        )
    summary = summarize(results)
    print(json.dumps(summary, indent=2))
    if args.json:
        args.json.write_text(
            json.dumps({"summary": summary, "apartments": results}, indent=2), encoding="utf-8"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
