"""From what a user typed as a source to frames: ``synthetic[:SEED]``, a folder, a bag file."""

from __future__ import annotations

from pathlib import Path

from rgbd_perception.errors import UserError
from rgbd_perception.sources.base import Source
from rgbd_perception.sources.hololens import HololensSource, is_hololens
from rgbd_perception.sources.options import SourceOptions
from rgbd_perception.sources.tsdf_fusion import TsdfFusionSource, is_tsdf_fusion
from rgbd_perception.sources.tum import TumSource, is_tum

_SYNTHETIC = "synthetic"
_LAYOUTS = (
    "frame-*.color.png|jpg with .depth.png and .pose.txt (7-Scenes, tsdf-fusion), rgb.txt with depth.txt "
    "(TUM RGB-D), images/ with depth/ and poses.txt (deep-video-mvs), metadata.yaml, *.db3 or *.mcap "
    "(rosbag2)"
)
_BAG_ENDINGS = (".db3", ".mcap")


def open_source(spec: str, options: SourceOptions | None = None) -> Source:
    """Open ``synthetic[:SEED]``, a folder in one of the layouts or a rosbag2 file or folder.

    The layout is recognised by what is in the folder. Raises UserError, naming what was looked for, where
    there is none, and where what the layout needs (intrinsics, poses, topics) is missing.
    """
    options = options or SourceOptions()
    name, _, seed = spec.partition(":")
    if name == _SYNTHETIC:
        return _open_synthetic(seed, options)
    path = Path(spec).expanduser()
    if not path.exists():
        raise UserError(f"expected synthetic[:SEED], a folder or a bag file, '{spec}' does not exist")
    try:
        return _open_file(path, options) if path.is_file() else _open_folder(path, options)
    except OSError as error:
        raise UserError(f"cannot read the source {path}: {error.strerror or error}") from error


def _open_synthetic(seed: str, options: SourceOptions) -> Source:
    if seed and not seed.isdecimal():
        raise UserError(f"expected synthetic or synthetic:SEED with a whole number, got 'synthetic:{seed}'")
    from rgbd_perception.sources.synthetic import SyntheticSource

    return SyntheticSource(int(seed or 0), options=options)


def _open_file(path: Path, options: SourceOptions) -> Source:
    if path.suffix not in _BAG_ENDINGS:
        raise UserError(f"expected a folder or a .db3 or .mcap file, got {path}: give the folder it is in")
    return _open_bag(path, options)


def _open_folder(folder: Path, options: SourceOptions) -> Source:
    if is_tsdf_fusion(folder):
        return TsdfFusionSource(folder, options)
    if is_tum(folder):
        return TumSource(folder, options)
    if is_hololens(folder):
        return HololensSource(folder, options)
    if _is_bag(folder):
        return _open_bag(folder, options)
    raise UserError(f"found no frames in {folder}: looked for {_LAYOUTS}{_hint(folder)}")


def _open_bag(path: Path, options: SourceOptions) -> Source:
    from rgbd_perception.sources.rosbag2 import BagSource  # only bags need the rosbags library

    return BagSource(path, options)


def _is_bag(folder: Path) -> bool:
    return any(path.suffix in _BAG_ENDINGS or path.name == "metadata.yaml" for path in folder.iterdir())


def _hint(folder: Path) -> str:
    """Data sets are often unpacked one folder too high; say which one was probably meant."""
    for inner in sorted(folder.iterdir()):
        if inner.is_dir() and any(test(inner) for test in (is_tsdf_fusion, is_tum, is_hololens, _is_bag)):
            return f"; did you mean {inner}?"
    return ""
