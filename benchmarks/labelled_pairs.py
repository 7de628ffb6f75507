"""Accuracy of a network's text masks on real pairs with NYUv2 labels: one line for every pair.

    python benchmarks/labelled_pairs.py FOLDER

FOLDER has color/, depth/ (16 bit millimetres) and label40/ (0 = void, 1..40 in NYUv2's order) with equal
file names. Compared are the pixels of the NYUv2 classes that the network's vocabulary has, under the same or
another name; the network may answer with any of its classes.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from rgbd_perception.frame import CameraIntrinsics, RgbdFrame
from rgbd_perception.inference import Predictor
from rgbd_perception.sources.images_io import read_color, read_depth

NYU40 = (
    "wall", "floor", "cabinet", "bed", "chair", "sofa", "table", "door", "window", "bookshelf", "picture",
    "counter", "blinds", "desk", "shelves", "curtain", "dresser", "pillow", "mirror", "floor_mat", "clothes",
    "ceiling", "books", "refrigerator", "television", "paper", "towel", "shower_curtain", "box", "whiteboard",
    "person", "night_stand", "toilet", "sink", "lamp", "bathtub", "bag", "otherstructure", "otherfurniture",
    "otherprop",
)  # fmt: skip
OTHER_NAMES = {
    "blinds": "curtain",
    "books": "book",
    "floor_mat": "rug",
    "shelves": "bookshelf",
    "night_stand": "cabinet",
    "dresser": "cabinet",
    "bag": "backpack",
}
NYU_CAMERA = (518.858, 519.470, 325.582, 253.736)
"""fx, fy, cx, cy of the color camera (NYUv2 toolbox)."""
UNSHARED = -1


def shared_labels(labels: NDArray[np.uint8], names: tuple[str, ...]) -> NDArray[np.int64]:
    """NYUv2 ids to ids of ``names``; UNSHARED for void and for classes that are not among them."""
    table = np.full(256, UNSHARED, np.int64)
    for index, nyu_name in enumerate(NYU40, start=1):
        name = OTHER_NAMES.get(nyu_name, nyu_name)
        if name in names:
            table[index] = names.index(name)
    return table[labels]


def mistakes(truth: NDArray[np.int64], predicted: NDArray[np.int64], names: tuple[str, ...]) -> str:
    """The five most frequent wrong pairs, with their share of all pixels (both (n,))."""
    wrong = np.stack([truth, predicted], axis=1)[truth != predicted]
    pairs, counts = np.unique(wrong, axis=0, return_counts=True)
    worst = np.argsort(-counts)[:5]
    return ", ".join(
        f"{names[pairs[i, 0]]} as {names[pairs[i, 1]]} {counts[i] / truth.size:.1%}" for i in worst
    )


def main() -> int:
    """Print pixel accuracy and the most frequent mistakes of every pair."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--model", default="rgbd_mini")
    args = parser.parse_args()
    predictor = Predictor(args.model)
    names = predictor.vocabulary.names
    for file in sorted((args.folder / "color").iterdir()):
        depth = read_depth(args.folder / "depth" / f"{file.stem}.png")
        camera = CameraIntrinsics(*NYU_CAMERA, depth.shape[1], depth.shape[0])
        predicted = predictor(RgbdFrame(read_color(file), depth, camera)).labels
        truth = shared_labels(np.array(Image.open(args.folder / "label40" / f"{file.stem}.png")), names)
        asked = truth != UNSHARED
        right = float(np.mean(truth[asked] == predicted[asked]))
        listed = mistakes(truth[asked], predicted[asked].astype(np.int64), names)
        print(f"{file.stem}: {right:.1%} right of {asked.mean():.0%} of the pixels; {listed}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
