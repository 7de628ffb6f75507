"""The legend names every class, and unknown pixels where there are some."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from rgbd_perception.viewer.legend import write_legend
from rgbd_perception.vocabulary import UNKNOWN_LABEL, Vocabulary


def test_lines(tmp_path: Path) -> None:
    labels = np.array([[0, 2, 2], [2, UNKNOWN_LABEL, 0]], np.uint16)
    write_legend(tmp_path / "legend.csv", labels, Vocabulary(["wall", "box, open", "bed"]))
    assert (tmp_path / "legend.csv").read_text().splitlines() == [
        "id,name,color,pixels",
        "0,wall,#800000,2",
        '1,"box, open",#008000,0',
        "2,bed,#808000,3",
        "65535,unknown,#282828,1",
    ]
    write_legend(tmp_path / "known.csv", labels[:1], Vocabulary(["wall", "box", "bed"]))
    assert "unknown" not in (tmp_path / "known.csv").read_text()
