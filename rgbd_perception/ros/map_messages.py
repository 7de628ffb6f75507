"""Map contents to messages: point clouds, objects with their boxes, an occupancy grid, markers."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from builtin_interfaces.msg import Duration
from geometry_msgs.msg import Point, Pose, Quaternion, Vector3
from nav_msgs.msg import MapMetaData
from nav_msgs.msg import OccupancyGrid as OccupancyGridMessage
from numpy.typing import NDArray
from sensor_msgs.msg import PointCloud2, PointField
from std_msgs.msg import ColorRGBA, Header
from visualization_msgs.msg import Marker, MarkerArray

from rgbd_perception.geometry import make_pose
from rgbd_perception.mapping import Answer, Region
from rgbd_perception.mapping import MapObject as MappedObject
from rgbd_perception.mapping.export.occupancy import OccupancyGrid
from rgbd_perception.msg import MapObject, MapObjectArray
from rgbd_perception.ros.messages import to_bytes, to_stamp

_POINT_TYPES = {
    "<f4": PointField.FLOAT32,
    "<u4": PointField.UINT32,
    "<u2": PointField.UINT16,
    "|u1": PointField.UINT8,
}
_TEXT_HEIGHT = 0.12


def pack_points(header: Header, columns: dict[str, NDArray[np.generic]]) -> PointCloud2:
    """An unordered PointCloud2 of named columns, each (N,), of float32, uint32, uint16 or uint8.

    Written with numpy: sensor_msgs_py is not on PyPI, and this is one copy.
    """
    dtype = np.dtype([(name, values.dtype.newbyteorder("<")) for name, values in columns.items()])
    count = len(next(iter(columns.values())))
    points = np.empty(count, dtype=dtype)
    for name, values in columns.items():
        points[name] = values
    layout: Mapping[str, Any] = dtype.fields or {}
    fields = [
        PointField(name=name, offset=layout[name][1], datatype=_POINT_TYPES[layout[name][0].str], count=1)
        for name in columns
    ]
    return PointCloud2(
        header=header,
        height=1,
        width=count,
        fields=fields,
        is_bigendian=False,
        point_step=dtype.itemsize,
        row_step=dtype.itemsize * count,
        data=to_bytes(points.view(np.uint8)),
        is_dense=True,
    )


def colored_points(
    centers: NDArray[np.floating], colors: NDArray[np.uint8]
) -> dict[str, NDArray[np.generic]]:
    """Columns x y z rgb of (N, 3) positions in metres and (N, 3) uint8 colours.

    ``rgb`` is 0x00RRGGBB in the bits of a float32, as PCL and RViz read it.
    """
    rgb = colors.astype(np.uint32)
    packed = (rgb[:, 0] << 16) | (rgb[:, 1] << 8) | rgb[:, 2]
    position = centers.astype(np.float32)
    return {"x": position[:, 0], "y": position[:, 1], "z": position[:, 2], "rgb": packed.view(np.float32)}


def box_region(answer: Answer, margin: float) -> Region:
    """The box of an answer, grown by ``margin`` metres on all sides."""
    turn = (0.0, 0.0, np.sin(answer.yaw / 2), np.cos(answer.yaw / 2))
    return Region(pose=make_pose(answer.position, turn), size=np.asarray(answer.size) + 2 * margin)


def upright_pose(position: Sequence[float], yaw: float) -> Pose:
    """A pose message: position in metres, turned by ``yaw`` radians about z."""
    x, y, z = (float(value) for value in position)
    return Pose(
        position=Point(x=x, y=y, z=z),
        orientation=Quaternion(z=float(np.sin(yaw / 2)), w=float(np.cos(yaw / 2))),
    )


def yaw_of(pose: Pose) -> float:
    """The turn about z in radians of an upright pose message."""
    return float(2 * np.arctan2(pose.orientation.z, pose.orientation.w))


def pack_answer(answer: Answer, query: str) -> MapObject:
    """One ranked answer to the text ``query``."""
    return MapObject(
        label=answer.label,
        query=query,
        score=float(answer.score),
        pose=upright_pose(answer.position, answer.yaw),
        size=_vector(answer.size),
        voxels=int(answer.voxels),
        last_seen=to_stamp(answer.last_seen_ns),
    )


def pack_object(item: MappedObject) -> MapObject:
    """One object of the map."""
    return MapObject(
        id=int(item.id),
        label=item.label,
        score=float(item.score),
        pose=upright_pose(item.position, item.yaw),
        size=_vector(item.size),
        voxels=int(item.voxels),
        last_seen=to_stamp(int(item.last_seen_ns)),
    )


def pack_objects(header: Header, objects: Iterable[MappedObject]) -> MapObjectArray:
    """The objects of the map at one instant."""
    return MapObjectArray(header=header, objects=[pack_object(item) for item in objects])


def pack_occupancy(header: Header, grid: OccupancyGrid) -> OccupancyGridMessage:
    """A grid for navigation; the time of its loading is that of the header."""
    rows, columns = grid.cells.shape
    info = MapMetaData(
        map_load_time=header.stamp, resolution=float(grid.resolution), width=columns, height=rows
    )
    info.origin = upright_pose((*grid.origin, 0.0), 0.0)
    data = array("b")
    data.frombytes(grid.cells.tobytes())
    return OccupancyGridMessage(header=header, info=info, data=data)


def pack_markers(
    header: Header, objects: Sequence[MapObject], colors: Sequence[Sequence[int]]
) -> MarkerArray:
    """A see-through box and a name for each object; ``colors`` rgb 0..255, one for each object.

    The first marker removes those of the last message, so that objects that are gone disappear.
    """
    markers = [Marker(header=header, action=Marker.DELETEALL)]
    for number, (item, color) in enumerate(zip(objects, colors, strict=True)):
        markers.append(_marker(header, "boxes", number, Marker.CUBE, item.pose, color, alpha=0.35))
        markers[-1].scale = item.size
        above = upright_pose((0, 0, 0), 0)
        above.position.x, above.position.y = item.pose.position.x, item.pose.position.y
        above.position.z = item.pose.position.z + item.size.z / 2 + _TEXT_HEIGHT
        markers.append(
            _marker(header, "names", number, Marker.TEXT_VIEW_FACING, above, (255, 255, 255), alpha=1.0)
        )
        markers[-1].scale = Vector3(z=_TEXT_HEIGHT)
        markers[-1].text = item.query or item.label
    return MarkerArray(markers=markers)


def _marker(
    header: Header, namespace: str, number: int, kind: int, pose: Pose, color: Sequence[int], alpha: float
) -> Marker:
    red, green, blue = (value / 255 for value in color)
    return Marker(
        header=header,
        ns=namespace,
        id=number,
        type=kind,
        action=Marker.ADD,
        pose=pose,
        color=ColorRGBA(r=red, g=green, b=blue, a=alpha),
        lifetime=Duration(),
    )


def _vector(size: Sequence[float]) -> Vector3:
    x, y, z = (float(value) for value in size)
    return Vector3(x=x, y=y, z=z)
