"""Miniature copies of every data set: found, opened, and read to the same values."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from rgbd_perception.errors import UserError
from rgbd_perception.inference.preprocessing_facts import DEPTH_STATISTICS
from rgbd_perception.training.datasets.class_lists import SCENES
from rgbd_perception.training.datasets.opening import find_layout, find_splits, open_views
from rgbd_perception.training.datasets.options import ViewOptions
from rgbd_perception.training.datasets.views import IGNORED, LabelledView
from test.training.datasets import minis

SPLITS = {
    "nyuv2": {"train": 2, "test": 1},
    "sunrgbd": {"train": 2, "test": 1},
    "scannet": {"train": 4, "valid": 2},
    "hypersim": {"train": 1, "valid": 1, "test": 1},
    "nyudv2_list": {"train": 2, "val": 1},
    "sunrgbd_list": {"train": 1, "test": 1},
    "deliver": {"train": 2, "val": 2},
    "own_folder": {"train": 2, "val": 1},
    "rooms": {"all": 4},
}


@pytest.fixture(params=sorted(minis.WRITERS))
def mini(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, Path]:
    """Name and folder of a miniature; the folder's name has what the paths of DeLiVER contain."""
    root = tmp_path / "img_rgb" / request.param
    minis.WRITERS[request.param](root)
    return request.param, root


def first_view(root: Path, split: str = "train", **options: object) -> LabelledView:
    return open_views(root, split, options=ViewOptions(**options)).view(0)  # type: ignore[arg-type]


def test_the_layout_is_recognised_and_splits_have_their_views(mini: tuple[str, Path]) -> None:
    name, root = mini
    layout = find_layout(root)
    assert layout == minis.LAYOUT.get(name, name)
    assert set(find_splits(root, layout)) == set(SPLITS[name])
    for split, count in SPLITS[name].items():
        views = open_views(root, split)
        assert len(views) == count
        assert len({views.name(index) for index in range(count)}) == count
        assert views.info.split == split


def test_every_layout_gives_the_same_values(mini: tuple[str, Path]) -> None:
    name, root = mini
    views = open_views(root, next(iter(SPLITS[name])))
    view = views.view(0)
    assert np.abs(view.color.astype(int) - minis.COLOR).max() <= 3  # JPEG
    assert view.semantic.dtype == np.int16
    assert view.semantic.shape == view.color.shape[:2] == view.shape
    assert view.semantic[0, 0] == minis.CLASS
    assert view.semantic[0, 1] == IGNORED
    assert view.semantic[-1, 0] == 0
    assert view.semantic.max() < len(views.info.classes) == len(views.info.colors) == len(views.info.things)
    if not views.info.has_depth:
        assert view.depth is None
        return
    assert view.depth is not None
    assert view.depth.dtype == np.float32
    assert view.depth[0, 2 if name == "scannet" else 1] == 0
    unit = 0.1 if name == "sunrgbd_list" else 1.0  # its 8 bits are taken for millimetres
    assert view.depth[0, 0] == pytest.approx(unit * minis.DEPTH)


@pytest.mark.parametrize("name", ["nyuv2", "sunrgbd", "hypersim", "rooms", "scannet"])
def test_instances_are_read_where_there_are_any(name: str, tmp_path: Path) -> None:
    minis.WRITERS[name](tmp_path)
    split = next(iter(SPLITS[name]))
    view = first_view(tmp_path, split)
    assert view.instance is not None
    assert view.instance[0, 0] == minis.INSTANCE
    assert view.instance[-1, 0] == 0
    assert view.instance.dtype == np.int32
    if name in ("nyuv2", "sunrgbd", "hypersim"):
        assert view.orientations == {minis.INSTANCE: minis.ANGLE}
    without = first_view(tmp_path, split, instances=False)
    assert without.instance is None
    assert not without.orientations


@pytest.mark.parametrize("name", ["nyuv2", "sunrgbd", "scannet", "hypersim"])
def test_statistics_are_those_of_the_authors(name: str, tmp_path: Path) -> None:
    minis.WRITERS[name](tmp_path)
    info = open_views(tmp_path, "train").info
    assert (info.depth_mean, info.depth_std) == DEPTH_STATISTICS[name]


def test_class_lists_are_the_published_ones(tmp_path: Path) -> None:
    minis.write_scannet(tmp_path / "scannet")
    minis.write_sunrgbd(tmp_path / "sunrgbd")
    twenty = open_views(tmp_path / "scannet", "train", options=ViewOptions(classes=20)).info
    assert twenty.classes[12:] == (
        "desk", "curtain", "refrigerator", "shower curtain", "toilet", "sink", "bathtub", "otherfurniture"
    )  # fmt: skip
    assert tuple(twenty.colors[12]) == (247, 182, 210)  # desk, class 14 of the palette of 40
    assert twenty.stuff == (0, 1)
    sun = open_views(tmp_path / "sunrgbd", "train").info
    assert len(sun.classes) == 37
    assert sun.classes[-1] == "bag"
    assert tuple(sun.colors[0]) == (128, 0, 0)
    assert sun.stuff == (0, 1, 21)


def test_official_counts(tmp_path: Path) -> None:
    for name, counts in {
        "nyuv2": {"train": 795, "test": 654},
        "sunrgbd": {"train": 5285, "test": 5050},
        "nyudv2_list": {"train": 795, "val": 654},
        "sunrgbd_list": {"train": 5285, "test": 5050},
        "deliver": {"train": 3983, "val": 2005},
    }.items():
        minis.WRITERS[name](tmp_path / name)
        for split, count in counts.items():
            assert open_views(tmp_path / name, split).info.official_count == count
    minis.write_scannet(tmp_path / "scannet")
    assert open_views(tmp_path / "scannet", "train").info.official_scenes == 1201


def test_nyuv2_has_raw_and_refined_depth_and_scenes(tmp_path: Path) -> None:
    minis.write_nyuv2(tmp_path)
    refined = first_view(tmp_path, refined_depth=True)
    assert refined.depth is not None
    assert refined.depth[0, 1] > 0
    assert SCENES[refined.scene] == "living room"
    assert refined.intrinsics is None  # not of the size that the calibration is for


def test_sun_rgbd_drops_three_bits_and_what_is_beyond_eight_metres(tmp_path: Path) -> None:
    minis.write_sunrgbd(tmp_path)
    raw, refined = first_view(tmp_path), first_view(tmp_path, refined_depth=True)
    assert raw.depth is not None
    assert refined.depth is not None
    assert raw.depth[-1, -1] == 0
    assert refined.depth[-1, -1] == 8.0
    assert raw.intrinsics is not None
    assert raw.intrinsics.fx == pytest.approx(0.9 * minis.SIZE[1])
    assert raw.intrinsics.fy == pytest.approx(1.2 * minis.SIZE[0])


def test_scannet_takes_each_hundredth_frame_and_resizes_depth(tmp_path: Path) -> None:
    minis.write_scannet(tmp_path)
    assert len(open_views(tmp_path, "train", options=ViewOptions(every=100))) == 2
    view = first_view(tmp_path)
    assert view.depth is not None
    assert view.depth.shape == (48, 64)
    assert np.unique(view.depth) == pytest.approx([0.0, 1.5, 3.0])
    assert view.intrinsics is not None
    assert (view.intrinsics.width, view.intrinsics.height) == (64, 48)
    assert SCENES[view.scene] == "office"


def test_hypersim_keeps_the_farthest_value(tmp_path: Path) -> None:
    minis.write_hypersim(tmp_path)
    view = first_view(tmp_path)
    assert view.depth is not None
    assert view.depth[-1, -1] == pytest.approx(65.535)


def test_what_is_larger_than_the_mask_is_cut_to_its_middle(tmp_path: Path) -> None:
    minis.write_nyudv2_list(tmp_path)
    larger = minis.color((minis.SIZE[0] + 4, minis.SIZE[1] + 6))
    larger[2, 3] = 0
    minis.write_png(tmp_path / "rgb" / "000003.png", larger)
    view = first_view(tmp_path)
    assert view.shape == minis.SIZE
    assert not view.color[0, 0].any()


def test_deliver_has_modalities_of_one_size_and_conditions(tmp_path: Path) -> None:
    minis.write_deliver(tmp_path)
    views = open_views(tmp_path, "train", options=ViewOptions(condition="fog"))
    assert [views.name(index) for index in range(len(views))] == ["fog/train/MAP_1_point102/000001"]
    view = views.view(0)
    assert {name: image.shape for name, image in view.modalities.items()} == dict.fromkeys(
        ("hha", "event", "lidar"), (*minis.SIZE, 3)
    )
    assert view.semantic[2, 2] == IGNORED


def test_void_may_be_the_first_class_of_an_own_folder(tmp_path: Path) -> None:
    minis.write_own_folder(tmp_path)
    minis.write_text(tmp_path / "classes.txt", "void\nfloor\nrobot\ndock\n")
    views = open_views(tmp_path, "train")
    assert views.info.classes == ("floor", "robot", "dock")
    assert views.view(0).semantic[0, 0] == minis.CLASS - 1
    assert views.view(0).semantic[-1, 0] == IGNORED


def test_an_own_folder_without_lists_is_one_split(tmp_path: Path) -> None:
    minis.write_own_folder(tmp_path)
    for split in ("train", "val"):
        (tmp_path / f"{split}.txt").unlink()
    (tmp_path / "camera-intrinsics.txt").write_text("20 0 16\n0 20 12\n0 0 1\n")
    assert find_splits(tmp_path, "folder") == ("all",)
    views = open_views(tmp_path, "all")
    assert len(views) == 3
    camera = views.view(0).intrinsics
    assert camera is not None
    assert camera.fx == 20


def test_labels_may_be_indices_into_a_palette(tmp_path: Path) -> None:
    minis.write_own_folder(tmp_path)
    path = tmp_path / "label" / "a.png"
    plain = first_view(tmp_path).semantic
    image = Image.fromarray(minis.labels(0, 255), mode="P")
    image.putpalette([value for color in range(256) for value in (color, 255 - color, 7)])
    image.save(path)
    assert np.array_equal(first_view(tmp_path).semantic, plain)
    path.write_bytes(path.read_bytes()[:-60])
    with pytest.raises(UserError, match=r"a\.png is not a whole PNG"):
        first_view(tmp_path)
