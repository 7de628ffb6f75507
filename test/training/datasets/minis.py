"""Miniature copies of the data sets in their exact layouts, written when a test asks for one.

Every writer makes ``train`` and a held-out split of a few small images and returns nothing; pixel (0, 0) has
known values: class 3 (0-based), depth ``DEPTH`` metres, instance 258, color ``COLOR``; pixel (0, 1) is void.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

SIZE = (24, 32)
DEPTH = 1.5
CLASS = 3
INSTANCE = 258
COLOR = (200, 40, 10)
ANGLE = 0.75
CAMERA = {"fx": 0.9, "fy": 1.2, "cx": 0.5, "cy": 0.5}
"""Divided by width and height."""

Image = NDArray[Any]


def write_png(path: Path, image: Image) -> None:
    """``image`` in OpenCV's order of channels."""
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), image)


def write_text(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def color(size: tuple[int, int] = SIZE) -> Image:
    """One color, in OpenCV's order; flat, so that JPEG keeps it nearly."""
    image = np.empty((*size, 3), np.uint8)
    image[:] = COLOR[::-1]
    return image


def labels(first: int, void: int, size: tuple[int, int] = SIZE) -> Image:
    """Class 3 everywhere, class 0 in the lower half, one pixel of void; ``first`` is written for class 0."""
    image = np.full(size, CLASS + first, np.uint8)
    image[size[0] // 2 :] = first
    image[0, 1] = void
    return image


def depth(per_metre: float = 1000.0, size: tuple[int, int] = SIZE) -> Image:
    """DEPTH in the upper half, 3 m below, a hole at (0, 1)."""
    image = np.full(size, round(DEPTH * per_metre), np.uint16)
    image[size[0] // 2 :] = round(3.0 * per_metre)
    image[0, 1] = 0
    return image


def instances() -> Image:
    """INSTANCE in the upper half."""
    image = np.full(SIZE, INSTANCE, np.uint16)
    image[SIZE[0] // 2 :] = 0
    return image


def write_lists(root: Path, splits: dict[str, list[str]]) -> None:
    """``<split>.txt`` for each."""
    for split, names in splits.items():
        write_text(root / f"{split}.txt", "".join(f"{name}\n" for name in names))


def write_nyuv2(root: Path) -> None:
    splits = {"train": ["0002", "0003"], "test": ["0000"]}
    write_lists(root, splits)
    write_text(root / "creation_meta.json", "{}")
    for split, names in splits.items():
        for name in names:
            folder = root / split
            write_png(folder / "rgb" / f"{name}.png", color())
            write_png(folder / "depth_raw" / f"{name}.png", depth())
            write_png(folder / "depth" / f"{name}.png", np.maximum(depth(), 1))
            write_png(folder / "semantic_40" / f"{name}.png", labels(1, 0))
            write_png(folder / "instance" / f"{name}.png", instances())
            write_text(folder / "orientations" / f"{name}.json", json.dumps({str(INSTANCE): ANGLE}))
            write_text(folder / "scene_class" / f"{name}.txt", "living_room")


def write_sunrgbd(root: Path) -> None:
    splits = {"train": ["kv2/kinect2data/00001", "xtion/sun3d/00002"], "test": ["realsense/lg/00003"]}
    write_lists(root, splits)
    for split, names in splits.items():
        for name in names:
            folder = root / split
            write_png(folder / "rgb" / f"{name}.jpg", color())
            raw = depth() << 3
            raw[-1, -1] = 8100 << 3
            write_png(folder / "depth_raw" / f"{name}.png", raw)
            write_png(folder / "depth" / f"{name}.png", raw)
            write_png(folder / "semantic" / f"{name}.png", labels(1, 0))
            write_png(folder / "instance_panopticndt" / f"{name}.png", instances())
            write_text(
                folder / "orientations_panopticndt" / f"{name}.json", json.dumps({str(INSTANCE): ANGLE})
            )
            write_text(folder / "intrinsics" / f"{name}.json", json.dumps(CAMERA))


def write_scannet(root: Path) -> None:
    """Color twice as large as depth: its hole is at (0, 2)."""
    size = (48, 64)
    scenes = {"train": ["scene0000_00", "scene0001_00"], "valid": ["scene0011_00"]}
    for split, names in scenes.items():
        ids = [f"structureio_968x1296/{scene}/{frame:05d}" for scene in names for frame in (0, 50)]
        write_lists(root, {split: ids, f"{split}_every_100th": ids[::2]})
        folder = root / split
        for name in ids:
            write_png(folder / "rgb" / f"{name}.jpg", color(size))
            write_png(folder / "depth" / f"{name}.png", depth())
            for count in (20, 40):
                write_png(folder / f"semantic_refined_{count}" / f"{name}.png", labels(1, 0, size))
            write_png(folder / "instance_refined" / f"{name}.png", instances().repeat(2, 0).repeat(2, 1))
        for scene in names:
            camera = folder / "rgb_intrinsics" / "structureio_968x1296" / f"{scene}.json"
            write_text(camera, json.dumps(CAMERA))
            write_text(folder / "scene_class" / "structureio_968x1296" / f"{scene}.txt", "office")


def write_hypersim(root: Path) -> None:
    for split, scene in (("train", "ai_001_001"), ("valid", "ai_003_001"), ("test", "ai_005_001")):
        name = f"{scene}/cam_00/0000"
        write_lists(root, {split: [name]})
        folder = root / split
        write_png(folder / "rgb" / f"{name}.png", color())
        far = depth()
        far[-1, -1] = 65535
        write_png(folder / "depth" / f"{name}.png", far)
        write_png(folder / "semantic_40" / f"{name}.png", labels(1, 0))
        ids = instances()
        write_png(
            folder / "instance" / f"{name}.png",
            np.dstack([ids % 256, ids // 256, labels(1, 0)]).astype(np.uint8),
        )
        write_text(folder / "orientations" / f"{name}.json", json.dumps({str(INSTANCE): ANGLE}))
        write_text(folder / "rgb_intrinsics" / scene / "cam_00.json", json.dumps(CAMERA))


def write_nyudv2_list(root: Path) -> None:
    """Masks of 8 bits from 0, void 255; depth of 16 bits."""
    for split, numbers in (("train", (3, 4)), ("val", (1,))):
        lines = []
        for number in numbers:
            paths = tuple(f"{folder}/{number:06d}.png" for folder in ("rgb", "masks", "depth"))
            lines.append("\t".join(paths))
            for path, image in zip(paths, (color(), labels(0, 255), depth()), strict=True):
                write_png(root / path, image)
        write_lists(root, {split: lines})


def write_sunrgbd_list(root: Path) -> None:
    """Labels from 1, void 0; depth in three equal channels of 8 bits."""
    for split in ("train", "test"):
        paths = (f"RGB/{split}_0.jpg", f"labels/{split}_0.png", f"Depth/{split}_0.png")
        write_lists(root, {split: ["\t".join(paths)]})
        eight_bits = np.repeat(depth(100.0).astype(np.uint8)[..., None], 3, axis=2)
        for path, image in zip(paths, (color(), labels(1, 0), eight_bits), strict=True):
            write_png(root / path, image)


def write_deliver(root: Path) -> None:
    """Labels in the red channel of four; events at half the resolution."""
    for split in ("train", "val"):
        for condition, number in (("fog", 1), ("sun", 2)):
            end = Path(condition) / split / "MAP_1_point102"

            def path(folder: str, kind: str, end: Path = end, number: int = number) -> Path:
                return root / folder / end / f"{number:06d}_{kind}_front.png"

            write_png(path("img", "rgb"), color())
            red = np.zeros((*SIZE, 4), np.uint8)
            red[..., 2] = labels(1, 0)
            red[2, 2, 2] = 255
            write_png(path("semantic", "semantic"), red)
            write_png(path("hha", "depth"), color())
            write_png(path("event", "event"), color((SIZE[0] // 2, SIZE[1] // 2)))
            write_png(path("lidar", "lidar"), depth(10.0).astype(np.uint8))


def write_own_folder(root: Path) -> None:
    write_text(root / "classes.txt", "wall\nfloor\nrobot\ndock\n")
    for name in ("a", "b", "c"):
        write_png(root / "color" / f"{name}.png", color())
        write_png(root / "depth" / f"{name}.png", depth())
        write_png(root / "label" / f"{name}.png", labels(0, 255))
    write_lists(root, {"train": ["a", "b"], "val": ["c"]})


def write_rooms(root: Path) -> None:
    """Two rooms of two frames, without the generator."""
    for room in ("seed-1", "seed-2"):
        folder = root / room
        write_text(folder / "camera-intrinsics.txt", "20 0 16\n0 20 12\n0 0 1\n")
        write_text(folder / "objects.json", json.dumps({"label_names": ["wall", "floor", "bed", "chair"]}))
        for frame in range(2):
            stem = f"frame-{frame:06d}"
            write_png(folder / f"{stem}.color.png", color())
            write_png(folder / f"{stem}.depth.png", depth())
            write_png(folder / f"{stem}.instance.png", instances())
            label = labels(0, 0).astype(np.uint16)
            label[0, 1] = 65535
            write_png(folder / f"{stem}.label.png", label)


WRITERS = {
    "nyuv2": write_nyuv2,
    "sunrgbd": write_sunrgbd,
    "scannet": write_scannet,
    "hypersim": write_hypersim,
    "nyudv2_list": write_nyudv2_list,
    "sunrgbd_list": write_sunrgbd_list,
    "deliver": write_deliver,
    "own_folder": write_own_folder,
    "rooms": write_rooms,
}
LAYOUT = {"nyudv2_list": "list", "sunrgbd_list": "list", "own_folder": "folder"}
"""Name of the layout where it is not that of the writer."""
