"""docs/map_format.md against the code: the columns, the entries of the description, the short reader."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from rgbd_perception.mapping import VoxelMap, storage
from rgbd_perception.mapping.storage import FORMAT_VERSION, read_metadata
from test.mapping.scenes import NAMES, ROOM, VOCABULARY, MadeUpEncoder, looking_along, observe


@pytest.fixture(scope="module")
def page(repository: Path) -> str:
    return (repository / "docs" / "map_format.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def voxel_map() -> VoxelMap:
    voxel_map = VoxelMap()
    voxel_map.set_vocabulary(VOCABULARY, MadeUpEncoder().encode(NAMES))
    voxel_map.integrate(*observe(ROOM, looking_along(0.0)))
    return voxel_map


@pytest.fixture(scope="module")
def map_file(voxel_map: VoxelMap, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("format") / "room.rgbdmap"
    voxel_map.save(path)
    return path


def _rows(page: str, heading: str) -> list[list[str]]:
    """Cells of the first table below a heading."""
    section = page.split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]
    rows = [re.split(r"(?<!\\)\|", line)[1:-1] for line in section.splitlines() if line.startswith("| `")]
    return [[cell.strip() for cell in row] for row in rows]


def test_the_table_of_columns_is_that_of_the_code(page):
    described = {row[0].strip("`"): (tuple(row[1].split(" or ")), row[2]) for row in _rows(page, "Columns")}
    assert described == storage.COLUMNS


def test_every_entry_of_the_description_is_described(page, map_file):
    described = {name for row in _rows(page, "Container") for name in re.findall("`(.+?)`", row[0])}
    assert described == set(read_metadata(map_file))
    assert f"Format version: {FORMAT_VERSION}." in page


def test_the_reader_of_the_page_reads_a_map(page, map_file, voxel_map, monkeypatch):
    (code,) = re.findall(r"```python\n(.+?)```", page, re.DOTALL)
    monkeypatch.chdir(map_file.parent)
    read: dict = {}
    exec(code, read)
    voxels = voxel_map.voxels()
    np.testing.assert_allclose(read["centers"], voxels.centers, atol=1e-6)
    np.testing.assert_array_equal(read["labels"], voxels.labels)
    assert read["about"]["label_names"] == list(NAMES)
