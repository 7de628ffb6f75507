"""Checks of the ROS 2 side of this machine: rclpy, our messages, Fast DDS and its shared memory."""

from __future__ import annotations

import contextlib
import importlib
import importlib.metadata
import importlib.util
import os
import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator, Mapping
from pathlib import Path

from rgbd_perception.doctor.finding import FAIL, Finding, fail, ok, warn
from rgbd_perception.errors import UserError
from rgbd_perception.ros.environment import (
    HUMBLE_PROFILE_VARIABLE,
    PROFILE_VARIABLE,
    fastdds_environment,
    require_usable_environment,
)

SMALLEST_SEGMENT = 16 << 20
"""Bytes of shared memory below which images of a common camera do not fit several times."""
LARGEST_REST = 1 << 30
"""Bytes that killed processes may leave in /dev/shm, which is memory, before we say so."""
SMALLEST_SHM = 512 << 20
"""Bytes of /dev/shm that three processes with segments of 128 MB and their queues can live with."""
TYPE_SUPPORT = "rgbd_perception.rgbd_perception_s__rosidl_typesupport_c"


def ros_findings() -> Iterator[Finding]:
    """All checks of this module; only the first where ROS 2 would end this process."""
    environment = check_environment(os.environ)
    yield environment
    if environment.status == FAIL:
        return
    yield check_rclpy()
    if importlib.util.find_spec("rclpy") is not None:
        yield check_messages()
        yield check_wheel_set(installed_ros_wheels())
        yield check_fastdds_profile(os.environ)
        yield check_shared_memory(Path("/dev/shm"))


def check_environment(environment: Mapping[str, str]) -> Finding:
    """Variables that let every ROS 2 process end at its start."""
    check = "ROS variables"
    try:
        require_usable_environment(environment)
    except UserError as error:
        return fail(check, str(error), "in ~/.bashrc too, where it is set there")
    names = ("ROS_DISTRO", "ROS_DOMAIN_ID", "RMW_IMPLEMENTATION", "ROS_AUTOMATIC_DISCOVERY_RANGE")
    set_ = [f"{name}={environment[name]}" for name in names if environment.get(name)]
    return ok(check, ", ".join(set_) or "none is set")


def check_rclpy() -> Finding:
    """ROS 2 from wheels, from an installation, or not at all."""
    advice = "source /opt/ros/<distro>/setup.bash, or pip install 'rgbd_perception[ros]' (x86-64 Linux)"
    try:
        import rclpy
    except ImportError as error:
        if importlib.util.find_spec("rclpy") is None:
            return warn("rclpy", "ROS 2 is not installed; map, query and eval work without", advice)
        return fail("rclpy", f"rclpy cannot be loaded: {error}", advice)
    try:
        origin = f"ros-rclpy {importlib.metadata.version('ros-rclpy')} (wheels)"
    except importlib.metadata.PackageNotFoundError:
        origin = f"ROS 2 {os.environ.get('ROS_DISTRO', 'of unknown version')}"
    return ok("rclpy", f"{origin} at {rclpy.__path__[0]}")


def check_messages() -> Finding:
    """Our messages exist and their type support loads, with every library it is linked to."""
    advice = "pip: pip install --force-reinstall --no-deps rgbd_perception; colcon: source install/setup.bash"
    try:
        importlib.import_module("rgbd_perception.msg")
        importlib.import_module("rgbd_perception.srv")
        importlib.import_module(TYPE_SUPPORT)
    except ImportError as error:
        return fail("messages", f"rgbd_perception/PerceptionFrame cannot be loaded: {error}", advice)
    return ok("messages", "rgbd_perception/PerceptionFrame and its type support load")


def installed_ros_wheels() -> dict[str, tuple[str, list[str]]]:
    """Name, version and requirements of every installed ``ros-*`` wheel."""
    wheels = {}
    for distribution in importlib.metadata.distributions():
        name = distribution.metadata["Name"].lower().replace("_", "-")
        if name.startswith("ros-"):
            wheels[name] = (distribution.version, distribution.requires or [])
    return wheels


def check_wheel_set(wheels: Mapping[str, tuple[str, list[str]]]) -> Finding:
    """Wheels of two ROS releases in one environment import well and then crash or stay silent."""
    if not wheels:
        return ok("wheel set", "ROS 2 is not from wheels")
    broken = []
    for name, (_, requirements) in sorted(wheels.items()):
        for requirement in requirements:
            match = re.match(r"(ros-[\w-]+)\s*~=\s*([\d.]+)", requirement)
            if match is None or match.group(1) not in wheels:
                continue
            version = wheels[match.group(1)][0]
            if not _compatible(version, match.group(2)):
                broken.append(f"{name} wants {match.group(1)} {match.group(2)}, installed is {version}")
    if broken:
        more = f" and {len(broken) - 1} more" if len(broken) > 1 else ""
        return fail("wheel set", broken[0] + more, "pip install --force-reinstall 'rgbd_perception[ros]'")
    return ok("wheel set", f"{len(wheels)} ros-* wheels fit each other")


def _compatible(version: str, wanted: str) -> bool:
    """Whether ``version ~= wanted`` (PEP 440) for versions of plain numbers."""
    have, want = ([int(part) for part in re.findall(r"\d+", text)] for text in (version, wanted))
    return have >= want and have[: len(want) - 1] == want[:-1]


def check_fastdds_profile(environment: Mapping[str, str]) -> Finding:
    """Fast DDS loses images with its default of 512 kB of shared memory."""
    check = "Fast DDS profile"
    middleware = environment.get("RMW_IMPLEMENTATION", "rmw_fastrtps_cpp")
    if "fastrtps" not in middleware:
        return ok(check, f"not needed with {middleware}")
    shipped = fastdds_environment({"ROS_DISTRO": environment.get("ROS_DISTRO", "")})
    advice = " ".join(f"export {name}={path}" for name, path in shipped.items())
    chosen = environment.get(PROFILE_VARIABLE) or environment.get(HUMBLE_PROFILE_VARIABLE)
    if not chosen:
        return warn(
            check,
            "not set in this shell (the launch files and the demo set it for their own processes)",
            f"for the camera driver and everything else that handles images: {advice}",
        )
    try:
        sizes = [
            int(node.text or 0)
            for node in ElementTree.parse(chosen).iter()
            if node.tag.endswith("segment_size")
        ]
    except (OSError, ElementTree.ParseError, ValueError) as error:
        return fail(check, f"{chosen} cannot be used: {error}", advice)
    if not sizes or max(sizes) < SMALLEST_SEGMENT:
        return warn(
            check, f"{chosen} has no shared-memory segment of 16 MB or more: images will be lost", advice
        )
    return ok(check, f"{chosen}: shared-memory segment of {max(sizes) >> 20} MB")


def check_shared_memory(folder: Path) -> Finding:
    """Docker gives a container 64 MB, less than one segment of the profile."""
    try:
        status = os.statvfs(folder)
    except OSError as error:
        return warn(
            "shared memory", f"{folder}: {error.strerror}", "images go over UDP, slower and with losses"
        )
    total, free = status.f_blocks * status.f_frsize, status.f_bavail * status.f_frsize
    detail = f"{folder} has {total >> 20} MB, {free >> 20} MB free"
    if total < SMALLEST_SHM:
        return fail("shared memory", detail, "images will be lost; in Docker: docker run --shm-size=1g")
    left = left_behind(folder, Path("/proc"))
    if free < SMALLEST_SHM // 2 or left > LARGEST_REST:
        return warn(
            "shared memory",
            f"{detail}, {left >> 20} MB left behind by ROS 2 processes that were killed",
            f"stop all ROS 2 processes, then: rm -f {folder}/fastdds_* {folder}/fastrtps_*",
        )
    return ok("shared memory", detail)


def left_behind(folder: Path, processes: Path) -> int:
    """Bytes of Fast DDS's segments in ``folder`` that none of the ``processes`` (/proc) we may look at has
    mapped."""
    mapped: set[str] = set()
    for maps in processes.glob("[0-9]*/maps"):
        with contextlib.suppress(OSError):  # it has ended, or is another user's
            mapped.update(re.findall(rf"{re.escape(str(folder))}/\S+", maps.read_text()))
    segments = (path for pattern in ("fastdds_*", "fastrtps_*") for path in folder.glob(pattern))
    total = 0
    for path in segments:
        with contextlib.suppress(OSError):
            if str(path) not in mapped:
                total += path.stat().st_blocks * 512
    return total
