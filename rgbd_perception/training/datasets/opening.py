"""From a path to labelled views: the layout is recognised by what is there, or named."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Protocol, cast

from rgbd_perception.errors import UserError
from rgbd_perception.training.datasets.options import ViewOptions
from rgbd_perception.training.datasets.views import LabelledViews

AUTO = "auto"


class LayoutModule(Protocol):
    """What each file of a layout offers."""

    EXPECTED_SPLITS: tuple[str, ...]
    """The splits that a whole data set has; empty where that is the user's choice."""

    def is_here(self, root: Path) -> bool:
        """Whether ``root`` looks like this layout."""

    def splits(self, root: Path) -> tuple[str, ...]:
        """The splits that are there."""

    def open_split(self, root: Path, split: str, options: ViewOptions) -> LabelledViews:
        """One of them. Raises UserError."""


LAYOUTS: Mapping[str, tuple[str, str]] = {
    "synthetic": ("generated", "synthetic:SEED, no folder but rooms rendered when they are asked for"),
    "shards": ("shard_views", "shard_*/shard.json, as `distill` renders them"),
    "rooms": ("rooms", "frame-*.label.png, as `synth` writes them"),
    "list": (
        "list_layout",
        "train.txt with color, mask and depth parted by tabs (GeminiFusion, TokenFusion)",
    ),
    "deliver": ("deliver", "img/<condition>/<split>, hha, event, lidar, semantic"),
    "scannet": ("scannet", "<split>/semantic_refined_40 or _20, prepared"),
    "sunrgbd": ("sunrgbd", "<split>/semantic, prepared"),
    "nyuv2": ("nyuv2", "<split>/semantic_40, prepared"),
    "hypersim": ("hypersim", "<split>/semantic_40 with ids of three parts, prepared"),
    "folder": ("own_folder", "classes.txt, color, label, depth: your own images"),
}
"""Name to module and to what it looks like, in the order in which they are tried."""


def below(base: Path, folder: str | Path) -> Path:
    """The data set ``folder`` below ``base``; one that is no folder (``synthetic:SEED``) as it is."""
    return Path(folder) if layout_module("synthetic").is_here(Path(folder)) else base / folder


def layout_module(layout: str) -> LayoutModule:
    """The module of a layout by name."""
    if layout not in LAYOUTS:
        raise UserError(f"expected a layout of {AUTO}, {', '.join(LAYOUTS)}, got {layout!r}")
    return cast(LayoutModule, import_module(f"{__package__}.{LAYOUTS[layout][0]}"))


def find_layout(root: Path) -> str:
    """Name of the layout of ``root``. Raises UserError, naming what was looked for, where it has none."""
    try:
        found = (name for name in LAYOUTS if layout_module(name).is_here(root))
        if name := next(found, None):
            return name
    except OSError as error:
        raise UserError(f"cannot read {root}: {error.strerror or error}") from None
    if not root.is_dir():
        raise UserError(f"expected a folder with a data set, {root} is none")
    wanted = "; ".join(f"{name}: {looks}" for name, (_, looks) in LAYOUTS.items())
    raise UserError(f"found no data set in {root}; looked for {wanted}")


def find_splits(root: Path, layout: str) -> tuple[str, ...]:
    """The splits of ``root``. Raises UserError where there is none."""
    there = layout_module(layout).splits(root)
    if not there:
        raise UserError(f"found no split in {root} of layout {layout}: {LAYOUTS[layout][1]}")
    return there


def open_views(
    root: Path, split: str, layout: str = AUTO, options: ViewOptions | None = None
) -> LabelledViews:
    """A split of a data set. Raises UserError, one line, for whatever is wrong with it as a whole."""
    name = find_layout(root) if layout == AUTO else layout
    there = find_splits(root, name)
    if split not in there:
        raise UserError(f"{root} ({name}) has no split {split!r}: expected one of {', '.join(there)}")
    return layout_module(name).open_split(root, split, options or ViewOptions())
