"""Real images linked into the layouts that they come from: two labelled ones of NYUv2, depth of SUN RGB-D."""

from __future__ import annotations

import csv
from pathlib import Path

import cv2
import numpy as np
import pytest

from rgbd_perception.cli.main import main
from rgbd_perception.sources.images_io import read_depth
from rgbd_perception.training.datasets.mixture import Mixture, Part, SampleOrder
from rgbd_perception.training.datasets.opening import open_views
from rgbd_perception.training.datasets.views import IGNORED
from rgbd_perception.training.view_augmentation import DveformerAugmentation, GeminiAugmentation
from test.training.datasets import minis


def link(target: Path, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(target)


def folder_of(shared_data: Path, name: str) -> Path:
    if not (shared_data / name).is_dir():
        pytest.skip(f"no {name} in {shared_data}")
    return shared_data / name


@pytest.fixture
def nyuv2(shared_data: Path, tmp_path: Path) -> Path:
    """The two images as a test split of the prepared layout (whose numbers begin at 0)."""
    source, root = folder_of(shared_data, "nyuv2_labelled2"), tmp_path / "nyuv2"
    for number in ("0433", "0464"):
        name = f"{int(number) - 1:04d}.png"
        link(source / "color" / f"{number}.png", root / "test" / "rgb" / name)
        link(source / "depth" / f"{number}.png", root / "test" / "depth_raw" / name)
        link(source / "label40" / f"{number}.png", root / "test" / "semantic_40" / name)
    minis.write_lists(root, {"test": ["0432", "0463"]})
    return root


def test_real_labels_have_the_classes_of_the_data_set(nyuv2: Path, shared_data: Path) -> None:
    views = open_views(nyuv2, "test")
    table = (shared_data / "nyuv2_labelled2" / "class40_frequency.csv").read_text().splitlines()
    names = [row["name"].replace("_", " ") for row in csv.DictReader(table)][1:]
    assert list(views.info.classes) == names
    pool = views.view(0)
    raw = cv2.imread(str(nyuv2 / "test/semantic_40/0432.png"), cv2.IMREAD_UNCHANGED)
    assert np.array_equal(pool.semantic, raw.astype(int) - 1)
    assert pool.depth is not None
    assert 0.2 < (pool.depth == 0).mean() < 0.5  # raw Kinect depth: about a third is missing
    assert pool.intrinsics is not None
    assert pool.intrinsics.fx == pytest.approx(518.858, abs=1e-3)


def test_real_images_are_clean(nyuv2: Path, tmp_path: Path) -> None:
    sheet = tmp_path / "sheet.png"
    assert main(["data", "check", str(nyuv2), "--partial", "--sheet", str(sheet)]) == 0
    assert sheet.is_file()


def test_real_images_are_augmented_to_the_sizes_of_the_papers(nyuv2: Path) -> None:
    order = SampleOrder(Mixture([Part(open_views(nyuv2, "test"))]), 0)
    mixture = Mixture([Part(open_views(nyuv2, "test"))])
    for recipe in (DveformerAugmentation(), GeminiAugmentation(as_published=True)):
        for position in range(3):
            view = recipe(mixture.view(order.index(position)), order.rng(position))
            assert view.shape == (480, 640)
            assert (view.semantic != IGNORED).mean() > 0.1


def test_depth_of_sun_rgbd_is_the_one_of_its_toolbox(shared_data: Path, tmp_path: Path) -> None:
    """Another reader of ours rotates values by three bits; up to 8 m nothing differs."""
    source, root = folder_of(shared_data, "sunrgbd_kv2_real15"), tmp_path / "sunrgbd"
    names = [f"kv2/kinect2data/{number:05d}" for number in (1, 2)]
    minis.write_lists(root, {"train": names})
    for name in names:
        link(source / "depth_raw" / f"{int(name[-5:]):04d}.png", root / "train/depth_raw" / f"{name}.png")
        picture = cv2.imread(str(source / "color" / f"{int(name[-5:]):04d}.png"))
        minis.write_png(root / "train/rgb" / f"{name}.jpg", picture)
        minis.write_png(root / "train/semantic" / f"{name}.png", np.ones(picture.shape[:2], np.uint8))
    views = open_views(root, "train")
    for index in range(2):
        depth = views.view(index).depth
        expected = read_depth(root / "train/depth_raw" / f"{names[index]}.png", "sunrgbd")
        expected[expected > 8.0] = 0.0
        assert depth is not None
        assert np.allclose(depth, expected, atol=1e-6)
        assert 0.5 < float(np.median(depth[depth > 0])) < 8.0
