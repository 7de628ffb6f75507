"""What a map can be told: one frozen dataclass, the same names as the ROS parameters of the mapping node."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any

from rgbd_perception.errors import UserError
from rgbd_perception.mapping.quantities import PRECISIONS


def _option(default: Any, description: str, unit: str = "", minimum: float | None = None) -> Any:
    return field(default=default, metadata={"description": description, "unit": unit, "minimum": minimum})


@dataclass(frozen=True)
class MapConfig:
    """Options of a VoxelMap. Every field carries description, unit and least value as metadata."""

    voxel_size: float = _option(0.05, "edge of a voxel", "m", 0.005)
    min_depth: float = _option(0.2, "nearer measurements are not used", "m", 0.0)
    max_depth: float = _option(6.0, "farther measurements are not fused", "m", 0.1)
    max_voxels: int = _option(2_000_000, "most voxels; see max_map_bytes for what happens then", "", 1)
    max_map_bytes: int = _option(
        0, "memory for voxels, embeddings and hash, never exceeded; 0: what max_voxels need", "bytes", 0
    )
    evict: bool = _option(
        True, "when the map is full, the voxels farthest, oldest and least seen go; else new ones are refused"
    )
    storage: str = _option("compact", "compact, or exact: float32 for everything, for comparisons")
    feature_dims: int = _option(64, "dimensions kept of the embeddings", "", 8)
    feature_tolerance: float = _option(
        0.99, "least cosine between a voxel's embedding and one that it shares with neighbours", "cosine", 0.0
    )
    feature_sharing: int = _option(8, "voxels to a shared embedding that memory is set aside for", "", 1)
    hot_voxels: int = _option(16_384, "voxels in view at once whose embeddings are kept exactly", "", 64)
    weight_limit: float = _option(
        100.0, "observations after which a voxel's mean follows new ones at a fixed pace; 0: never", "", 0.0
    )
    evidence_slots: int = _option(3, "classes remembered per voxel", "", 1)
    evidence_limit: float = _option(
        40.0, "log evidence beyond which older observations are forgotten; 0: never", "nats", 0.0
    )
    carve: bool = _option(True, "remove voxels that are seen through")
    carve_voxels: int = _option(
        50_000, "voxels in view that a frame looks at; where there are more, they take turns", "", 1
    )
    carve_range: float = _option(6.0, "farther voxels are not removed", "m", 0.1)
    carve_misses: int = _option(
        5, "frames that must see through a voxel before it goes; fewer if it was measured in fewer", "", 1
    )
    forget_after_s: float = _option(
        0.0, "voxels that were not measured for this long are removed, in view or not; 0: never", "s", 0.0
    )
    max_linear_speed: float = _option(
        0.0, "a pose that needs a faster camera is dropped as pose_jump; 0: not checked", "m/s", 0.0
    )
    max_angular_speed: float = _option(0.0, "likewise for rotation; 0: not checked", "rad/s", 0.0)
    pose_jump_patience: int = _option(
        10, "successive dropped poses that agree with each other after which the jump is believed", "", 1
    )
    min_weight: float = _option(
        0.3, "voxels observed less than this are left out of answers and objects", "", 0.0
    )
    min_object_voxels: int = _option(4, "smaller groups of voxels are no answer and no object", "", 1)
    gap_voxels: int = _option(1, "empty voxels that a group of voxels may bridge (at most 3)", "", 0)
    instance_similarity: float = _option(
        0.5, "least cosine between neighbouring voxels of one object", "cosine", -1.0
    )
    fragment_voxels: int = _option(
        30,
        "a group of at most this many voxels joins a like object of another class that it touches; 0: never",
        "",
        0,
    )
    stuff_classes: tuple[str, ...] = _option(("wall", "floor", "ceiling"), "classes that are never objects")
    robot_height: float = _option(1.5, "the robot passes below what is higher above the floor", "m", 0.0)
    step_height: float = _option(0.1, "the robot drives over what is lower above the floor", "m", 0.0)
    find_floor: bool = _option(True, "look for the height of the floor in the map; false: floor_height")
    floor_height: float = _option(0.0, "of the floor in the map frame where find_floor is false", "m")
    threads: int = _option(2, "threads that blend embeddings and score voxels", "", 1)

    def __post_init__(self) -> None:
        for entry in fields(self):
            value, least = getattr(self, entry.name), entry.metadata["minimum"]
            if least is not None and not value >= least:
                raise UserError(f"map option {entry.name} must be at least {least}, got {value}")
        if self.max_depth <= self.min_depth:
            raise UserError(f"max_depth {self.max_depth} must be larger than min_depth {self.min_depth}")
        if self.storage not in PRECISIONS:
            raise UserError(f"map option storage must be {' or '.join(PRECISIONS)}, got {self.storage!r}")
        if self.robot_height < self.step_height:
            raise UserError(
                f"robot_height {self.robot_height} must not be smaller than step_height {self.step_height}"
            )
        if self.gap_voxels > 3:
            raise UserError(f"gap_voxels must be at most 3, got {self.gap_voxels}")
