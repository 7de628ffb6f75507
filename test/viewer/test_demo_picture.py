"""The picture holds the images, the map and the answers."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from rgbd_perception.viewer.demo_picture import HEADER, MARGIN, MARKS, Shot, draw_demo_picture
from rgbd_perception.vocabulary import Vocabulary


@dataclass(frozen=True)
class Answer:
    score: float = 0.9
    position: tuple[float, float, float] = (1.0, 1.0, 0.5)
    size: tuple[float, float, float] = (1.0, 0.5, 1.0)
    yaw: float = 0.3


@dataclass(frozen=True)
class Result:
    text: str
    message: str = ""
    answers: list[Answer] = field(default_factory=list)


def test_images_map_and_answers_are_drawn(tmp_path: Path) -> None:
    color = np.full((240, 320, 3), (10, 200, 30), np.uint8)
    shot = Shot(color, np.ones((240, 320), np.uint16))
    x, y = np.meshgrid(np.arange(0, 4, 0.05), np.arange(0, 3, 0.05))
    centers = np.stack([x.ravel(), y.ravel(), np.zeros(x.size)], axis=1)
    colors = np.full((len(centers), 3), 180, np.uint8)
    results = [Result("couch", answers=[Answer()]), Result("an elephant", message="nothing found")]
    picture = draw_demo_picture(
        [shot] * 3, Vocabulary(["wall", "floor"]), centers, colors, 0.05, results, "a caption"
    )
    picture.save(tmp_path / "demo.png")
    pixels = np.asarray(picture)
    np.testing.assert_array_equal(pixels[HEADER + 50, MARGIN + 50], [10, 200, 30])
    right_half = pixels[:, pixels.shape[1] // 2 :]
    assert (right_half == MARKS[0]).all(axis=2).sum() > 200, "the answer's outline and badge"
    assert (right_half == MARKS[1]).all(axis=2).sum() == 0, "an absent thing is not marked"
