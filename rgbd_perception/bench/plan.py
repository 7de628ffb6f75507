"""What a run of the benchmark measures: one frozen value, made from the options."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from rgbd_perception.errors import UserError
from rgbd_perception.models import list_models, unknown_model

PARTS = ("machine", "updates", "queries", "memory", "files", "equal", "peers")
"""What can be chosen one by one. Updates, queries, memory and files share the map that is grown once."""
MILLION = 1_000_000
LEAST_VOXELS = 100


@dataclass(frozen=True)
class BenchPlan:
    """
    voxels      of the largest map; 1,000,000 unless the run is only a trial of the benchmark itself
    dim         of the embeddings
    frames      timed updates at each size, and of each peer
    repeats     timed queries, and searches of each peer
    seconds     of answering while mapping at 30 Hz
    apartments  held-out ones of the comparison with the exact map
    views       frames mapped of each apartment
    model       the network of that comparison
    parts       what is measured, of PARTS

    Raises UserError for values that make no sense.
    """

    voxels: int = MILLION
    dim: int = 512
    frames: int = 100
    repeats: int = 30
    seconds: float = 20.0
    apartments: int = 3
    views: int = 150
    model: str = "rgbd_mini"
    parts: tuple[str, ...] = PARTS

    def __post_init__(self) -> None:
        for name, least in (("voxels", LEAST_VOXELS), ("dim", 8), ("apartments", 1)):
            if getattr(self, name) < least:
                raise UserError(f"expected --{name} of {least} or more, got {getattr(self, name)}")
        if not (self.model in list_models() or Path(self.model).is_file()):
            raise unknown_model(self.model, " or a weights file")
        unknown = [part for part in self.parts if part not in PARTS]
        if unknown or not self.parts:
            raise UserError(f"expected --only with some of {', '.join(PARTS)}; got '{','.join(unknown)}'")

    @property
    def sizes(self) -> dict[str, int]:
        """Name of a map size in the report: voxels. The names are those of a full run."""
        return {"10k": self.voxels // 100, "100k": self.voxels // 10, "1M": self.voxels}

    @property
    def is_trial(self) -> bool:
        """Whether the map is not of the size that the names of the results say."""
        return self.voxels != MILLION

    @property
    def needs_map(self) -> bool:
        """Whether a part was chosen that works on the grown map."""
        return bool({"updates", "queries", "memory", "files"} & set(self.parts))


def full_plan() -> BenchPlan:
    """A run whose figures may be quoted."""
    return BenchPlan()


def quick_plan() -> BenchPlan:
    """The same measurements with fewer repetitions: minutes instead of a quarter of an hour."""
    return BenchPlan(frames=30, repeats=5, seconds=5.0, apartments=1, views=40)
