"""``rgbd-perception export-map``: a map file in the formats of other programs."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rgbd_perception.cli.compiling import compiling_is_said
from rgbd_perception.cli.output import add_json_argument, text_output, write_json
from rgbd_perception.errors import UserError

if TYPE_CHECKING:
    from rgbd_perception.mapping import VoxelMap

NAME = "export-map"
HELP = "a map file as point cloud, occupancy grid or list of objects"
EPILOG = """examples:
  rgbd-perception export-map room.rgbdmap --to room.ply
  rgbd-perception export-map room.rgbdmap --to room.pcd --min-weight 1
  rgbd-perception export-map room.rgbdmap --to room.yaml --robot-height 0.6     with room.pgm, for map_server
  rgbd-perception export-map room.rgbdmap --to things.json

formats:
  ply, pcd    binary; of every voxel x y z (metres, map frame), color, label (names in the header), weight
  occupancy   the .yaml and .pgm of map_server: voxels within --step-height of the floor are free, those from
              there up to --robot-height above it are occupied, all else is unknown
  objects     JSON: every object with label, score, box centre, size along its own axes, yaw
"""

_SUFFIXES = {
    ".ply": "ply",
    ".pcd": "pcd",
    ".yaml": "occupancy",
    ".yml": "occupancy",
    ".pgm": "occupancy",
    ".json": "objects",
}
_FORMATS = ("ply", "pcd", "occupancy", "objects")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("map", type=Path, metavar="MAP", help="a map file")
    parser.add_argument("--to", type=Path, required=True, metavar="FILE", help="the file to write")
    parser.add_argument("--format", choices=_FORMATS, help="default: what the suffix of FILE says")
    parser.add_argument(
        "--min-weight",
        type=float,
        metavar="W",
        help="leave out voxels that were observed less (default 0.3, as answers do)",
    )
    parser.add_argument(
        "--robot-height", type=float, metavar="M", help="the robot passes below what is higher (default 1.5)"
    )
    parser.add_argument(
        "--step-height", type=float, metavar="M", help="the robot drives over what is lower (default 0.1)"
    )
    parser.add_argument(
        "--floor-height", type=float, metavar="Z", help="of the floor in the map frame (default: is found)"
    )
    add_json_argument(parser)


def run(args: argparse.Namespace) -> int:
    """Write the file; 0 on success."""
    with text_output(args.json), compiling_is_said():
        report = _export(args)
        for name in report["files"]:
            print(f"wrote {name}")
        print(", ".join(f"{key} {value}" for key, value in report["counts"].items()))
    write_json(args.json, report)
    return 0


def _export(args: argparse.Namespace) -> dict[str, Any]:
    target = args.format or _format_of(args.to)
    if args.to.exists() and args.map.exists() and args.to.samefile(args.map):
        raise UserError(f"expected --to to be another file than the map {args.map}")
    from rgbd_perception.mapping import MapConfig, VoxelMap
    from rgbd_perception.mapping.atomic_files import atomic_files

    names = ("min_weight", "robot_height", "step_height", "floor_height")
    given = {name: getattr(args, name) for name in names if getattr(args, name) is not None}
    config = replace(MapConfig(), find_floor=args.floor_height is None, **given)
    voxel_map = VoxelMap.load(args.map, config)
    contents, counts = _contents(voxel_map, target, args.to)
    with atomic_files(list(contents)) as files:
        for file, content in zip(files, contents.values(), strict=True):
            file.write(content)
    return {
        "map": str(args.map),
        "format": target,
        "files": [str(path) for path in contents],
        "bytes": sum(map(len, contents.values())),
        "frame_id": voxel_map.frame_id,
        "counts": counts,
    }


def _format_of(path: Path) -> str:
    if path.suffix.lower() not in _SUFFIXES:
        raise UserError(
            f"expected --to FILE with one of the suffixes {', '.join(_SUFFIXES)}, got '{path.name}': "
            "rename it or give --format"
        )
    return _SUFFIXES[path.suffix.lower()]


def _contents(voxel_map: VoxelMap, target: str, path: Path) -> tuple[dict[Path, bytes], dict[str, Any]]:
    """The files to be written, and what is in them in numbers."""
    names = voxel_map.vocabulary.names if voxel_map.vocabulary else ()
    if target == "objects":
        from rgbd_perception.mapping.export.objects_json import objects_json_bytes

        objects = voxel_map.objects()
        return {path: objects_json_bytes(objects, voxel_map.frame_id, names)}, {"objects": len(objects)}
    if target == "occupancy":
        return _occupancy_contents(voxel_map, path)
    from rgbd_perception.mapping.export.pcd import pcd_bytes
    from rgbd_perception.mapping.export.ply import ply_bytes
    from rgbd_perception.mapping.export.points import Cloud

    voxels = voxel_map.voxels(voxel_map.config.min_weight)
    cloud = Cloud(voxels, names, voxel_map.frame_id, voxel_map.config.voxel_size)
    content = ply_bytes(cloud) if target == "ply" else pcd_bytes(cloud)
    return {path: content}, {"voxels": len(voxels.centers)}


def _occupancy_contents(voxel_map: VoxelMap, path: Path) -> tuple[dict[Path, bytes], dict[str, Any]]:
    """The picture first: whoever finds a new description finds the picture that it describes."""
    from rgbd_perception.mapping.export.map_server import pgm_bytes, yaml_bytes
    from rgbd_perception.mapping.export.occupancy import FREE, OCCUPIED, UNKNOWN

    grid = voxel_map.occupancy()
    picture = path.with_suffix(".pgm")
    description = path if path.suffix.lower() in (".yaml", ".yml") else path.with_suffix(".yaml")
    rows, columns = grid.cells.shape
    counts = {
        "columns": columns,
        "rows": rows,
        **{
            name: int((grid.cells == value).sum())
            for name, value in (("free", FREE), ("occupied", OCCUPIED), ("unknown", UNKNOWN))
        },
        "floor_height": round(grid.floor_height, 3),
    }
    return {picture: pgm_bytes(grid), description: yaml_bytes(grid, picture.name)}, counts
