"""Gathers what the picture of a run shows: moments of the recording with masks, the map, the answers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rgbd_perception.frame import RgbdFrame
    from rgbd_perception.sources.base import Source

MOMENTS = 3
"""Images of the camera in the picture, spread evenly over the recording."""


def write_run_picture(
    path: Path, source: Source, map_file: Path, queries: Sequence[dict[str, Any]], model: str
) -> None:
    """Write the picture of a run as PNG.

    map_file   the saved map
    queries    as in the JSON of the command line: ``text``, ``message``, ``answers``
    model      name or weights file of the network that draws the masks
    """
    from rgbd_perception.inference import Predictor
    from rgbd_perception.mapping import VoxelMap
    from rgbd_perception.viewer.demo_picture import Shot, draw_demo_picture

    predictor = Predictor(model)
    shots = []
    for frame in _moments(source):
        labels = predictor(frame, masks=True).labels
        if labels is not None:
            shots.append(Shot(frame.color, labels))
    map_ = VoxelMap.load(map_file)
    voxels = map_.voxels(min_weight=map_.config.min_weight)
    caption = f"{source.name}: {len(map_)} voxels of {map_.config.voxel_size * 100:.0f} cm, model {model}"
    picture = draw_demo_picture(
        shots,
        predictor.vocabulary,
        voxels.centers,
        voxels.colors,
        map_.config.voxel_size,
        [_as_result(query) for query in queries],
        caption,
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    picture.save(path, optimize=True)


def _moments(source: Source) -> Iterator[RgbdFrame]:
    """``MOMENTS`` frames in the middle of equal parts of the recording."""
    wanted = {int((number + 0.5) * len(source) / MOMENTS) for number in range(MOMENTS)}
    for index, frame in enumerate(source):
        if index in wanted:
            yield frame


def _as_result(query: dict[str, Any]) -> Any:
    answers = [SimpleNamespace(**answer) for answer in query["answers"]]
    return SimpleNamespace(text=query["text"], message=query["message"], answers=answers)
