"""Looks for the numbers of the scoring rule on maps of apartments that are neither trained nor tested on.

    rgbd-perception synth --seed 900100 --apartments 4 --out rooms
    python benchmarks/held_out_apartments.py rooms/* --maps maps
    python benchmarks/fit_score_calibration.py rooms/* --maps maps

Tries a grid of ``ScoreCalibration`` values. Best is the most right first answers among those with false
answers to at most a tenth of the absent things (the generator's, and harder ones that look or sound like what
is there); where none is, the fewest false answers.
"""

from __future__ import annotations

import argparse
import itertools
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from rgbd_perception.mapping import VoxelMap
from rgbd_perception.mapping.evaluate import TruthDescription, read_truth, score_query
from rgbd_perception.mapping.query import TextEncoderLike
from rgbd_perception.mapping.scoring import ScoreCalibration
from rgbd_perception.sources.synthetic.concepts import ABSENT_TEXTS
from rgbd_perception.text import create_text_encoder

SCALES = (15.0, 25.0)
OFFSETS = (0.18, 0.19, 0.20, 0.21, 0.22)
KINSHIPS = (0.04, 0.08)
SHARPNESSES = (25.0, 50.0)
ALLOWED_FALSE = 0.1
HARDER = (
    "a piano", "a harp", "an accordion", "a drum kit", "an elephant", "a giraffe", "a penguin", "a camel",
    "an octopus", "a cow", "a parrot", "a dog", "an airplane", "a tank", "a rocket", "a bus", "a submarine",
    "a tram", "a chainsaw", "a telescope", "a cannon", "an anchor", "a surfboard", "a pair of skis", "a tent",
    "a wheelbarrow", "a forklift", "a fountain", "a fireplace", "a treadmill", "a parachute", "an umbrella",
    "a dinosaur", "a snake", "a spaceship", "a tombstone",
)  # fmt: skip
ABSENT = (*ABSENT_TEXTS, *HARDER)


@dataclass(frozen=True)
class Trial:
    """A calibration and what it leads to, as shares of the questions asked."""

    calibration: ScoreCalibration
    top1: float
    top3: float
    false_answers: float

    @property
    def rank(self) -> tuple[bool, float, float]:
        """Larger is better."""
        allowed = self.false_answers <= ALLOWED_FALSE
        return allowed, self.top1 if allowed else -self.false_answers, self.top3


def calibrations() -> Iterator[ScoreCalibration]:
    """The grid."""
    for scale, offset, kinship, sharpness in itertools.product(SCALES, OFFSETS, KINSHIPS, SHARPNESSES):
        yield ScoreCalibration(scale, offset, kinship=kinship, sharpness=sharpness, centring=1.0)


def try_out(
    maps: list[tuple[VoxelMap, TruthDescription]], encoder: TextEncoderLike, calibration: ScoreCalibration
) -> Trial:
    """Ask all maps everything with one calibration."""
    top1 = top3 = false = asked = absent = 0
    for voxel_map, truth in maps:
        texts = [text for text, _ in truth.queries]
        results = voxel_map.query([*texts, *ABSENT], encoder=encoder, top_k=3, calibration=calibration)
        for result, (_, name) in zip(results, truth.queries, strict=False):
            rank = score_query(result, name, truth.objects).right_at
            top1, top3, asked = top1 + (rank == 1), top3 + (rank > 0), asked + 1
        false += sum(bool(result.answers) for result in results[len(texts) :])
        absent += len(ABSENT)
    return Trial(calibration, top1 / asked, top3 / asked, false / absent)


def main() -> int:
    """Print the trials, best last."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("apartments", nargs="+", type=Path, help="folders of `rgbd-perception synth`")
    parser.add_argument("--maps", type=Path, required=True, help="folder of their maps")
    args = parser.parse_args()
    maps = []
    for folder in args.apartments:
        voxel_map = VoxelMap.load(args.maps / f"{folder.name}.rgbdmap")
        maps.append((voxel_map, read_truth(folder / "objects.json", voxel_map.map_from_source)))
    encoder = create_text_encoder(maps[0][0].text_space)
    trials = sorted(
        (try_out(maps, encoder, calibration) for calibration in calibrations()), key=lambda t: t.rank
    )
    for trial in trials[-10:]:
        shares = f"top1 {trial.top1:.2f} top3 {trial.top3:.2f} false {trial.false_answers:.2f}"
        print(shares, asdict(trial.calibration))
    return 0


if __name__ == "__main__":
    sys.exit(main())
