"""The environment of the processes of a graph: the Fast DDS profile, and where the package's data files are."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from rgbd_perception.errors import UserError

PROFILE = "config/fastdds_profile.xml"
PROFILE_VARIABLES = ("FASTDDS_DEFAULT_PROFILES_FILE", "FASTRTPS_DEFAULT_PROFILES_FILE")
"""The second is the name in ROS 2 Humble."""


def find_shared_file(name: str) -> Path:
    """The path of a data file such as ``config/mapping.yaml``: in the source tree, a colcon install or a pip install.

    Raises UserError that names the places.
    """
    prefixes = [Path(prefix) for prefix in os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep) if prefix]
    places = [Path(__file__).resolve().parents[2]]
    places += [prefix / "share" / "rgbd_perception" for prefix in [*prefixes, Path(sys.prefix)]]
    for place in places:
        if (place / name).is_file():
            return place / name
    looked = ", ".join(str(place) for place in places)
    raise UserError(f"expected {name} in one of {looked}, found it in none: install rgbd_perception again")


def fastdds_environment(environment: Mapping[str, str] | None = None) -> dict[str, str]:
    """The variables that make Fast DDS read the shipped profile; empty where the user has chosen one already.

    environment  what is set; None: that of this process
    """
    environment = os.environ if environment is None else environment
    if any(environment.get(name) for name in PROFILE_VARIABLES):
        return {}
    return dict.fromkeys(PROFILE_VARIABLES, str(find_shared_file(PROFILE)))
