"""The environment variables of the processes of a graph: Fast DDS profile, domain, reach of discovery."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import socket
from collections.abc import Mapping
from pathlib import Path

from rgbd_perception.errors import UserError
from rgbd_perception.resources import share_file

PROFILE = "config/fastdds_profile.xml"
PROFILE_VARIABLE = "FASTDDS_DEFAULT_PROFILES_FILE"
HUMBLE_PROFILE_VARIABLE = "FASTRTPS_DEFAULT_PROFILES_FILE"
"""The old name, which Humble needs and later distributions warn about."""

LARGEST_DOMAIN = 232
"""Above it the ports of DDS leave the range of 16 bits."""
_DOMAINS = range(1, 100)
"""Domain ids whose ports lie below the range that Linux gives to outgoing connections."""


def fastdds_environment(environment: Mapping[str, str] | None = None) -> dict[str, str]:
    """The variable that makes Fast DDS read the shipped profile; empty where the user has chosen one already.

    environment  what is set; None: that of this process

    Raises UserError where the profile is not installed.
    """
    environment = os.environ if environment is None else environment
    if environment.get(PROFILE_VARIABLE) or environment.get(HUMBLE_PROFILE_VARIABLE):
        return {}
    is_humble = environment.get("ROS_DISTRO") == "humble"
    return {HUMBLE_PROFILE_VARIABLE if is_humble else PROFILE_VARIABLE: str(share_file(PROFILE))}


def require_usable_environment(environment: Mapping[str, str] | None = None) -> None:
    """Raises UserError for variables with which ROS 2 ends the whole process instead of saying so.

    environment  what is set; None: that of this process
    """
    environment = os.environ if environment is None else environment
    domain = environment.get("ROS_DOMAIN_ID", "")
    if domain and not (domain.isdecimal() and int(domain) <= LARGEST_DOMAIN):
        raise UserError(
            f"expected ROS_DOMAIN_ID as a whole number from 0 to {LARGEST_DOMAIN}, got '{domain}': unset it, "
            "or export another one"
        )
    middleware = environment.get("RMW_IMPLEMENTATION", "")
    if middleware and _rclpy_is_a_wheel() and not _is_installed(f"ros-{middleware.replace('_', '-')}"):
        raise UserError(
            f"RMW_IMPLEMENTATION is {middleware}, which the installed ROS wheels do not have: "
            "unset RMW_IMPLEMENTATION"
        )


def _rclpy_is_a_wheel() -> bool:
    """Whether the rclpy that would be imported is that of the wheels, not one of a ROS that was sourced."""
    spec = importlib.util.find_spec("rclpy")
    if spec is None or spec.origin is None or not _is_installed("ros-rclpy"):
        return False
    wheel = importlib.metadata.distribution("ros-rclpy").locate_file("rclpy")
    return Path(spec.origin).parent == Path(str(wheel))


def _is_installed(distribution: str) -> bool:
    try:
        importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


def private_graph_environment(environment: Mapping[str, str] | None = None) -> dict[str, str]:
    """The variables of a graph that keeps to this machine and meets no other graph on it.

    What the user has set (a domain, a reach of discovery, a profile) is left as it is.
    """
    environment = os.environ if environment is None else environment
    added = fastdds_environment(environment)
    if not environment.get("ROS_DOMAIN_ID"):
        added["ROS_DOMAIN_ID"] = str(unused_domain())
    if not environment.get("ROS_AUTOMATIC_DISCOVERY_RANGE"):
        added["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "LOCALHOST"
    return added


def unused_domain() -> int:
    """A domain id that no participant on this machine uses at the moment, another one for most processes."""
    start = os.getpid() % len(_DOMAINS)
    candidates = [*_DOMAINS[start:], *_DOMAINS[:start]]
    return next((domain for domain in candidates if _is_unused(domain)), candidates[0])


def _is_unused(domain: int) -> bool:
    """Whether the port of the domain's first participant (RTPS: 7400 + 250 domain + 10) is free."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind(("127.0.0.1", 7400 + 250 * domain + 10))
        except OSError:
            return False
    return True
