"""The files in ``config/``: every parameter with default, unit and description, from the dataclasses.

python -m rgbd_perception.ros.parameter_files config/     writes them anew; a test compares them
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import yaml

from rgbd_perception.mapping import MapConfig
from rgbd_perception.ros.mapping_parameters import MappingParameters
from rgbd_perception.ros.parameters import ParameterDescription, describe
from rgbd_perception.ros.perception_parameters import PerceptionParameters

NODE_PARAMETERS: dict[str, tuple[type, ...]] = {
    "perception": (PerceptionParameters,),
    "mapping": (MappingParameters, MapConfig),
}
"""The dataclasses that each node declares."""


def parameter_file(node: str) -> str:
    """The content of ``config/<node>.yaml``."""
    lines = [
        f"# Parameters of the node {node} and their defaults.",
        "# Made by `python -m rgbd_perception.ros.parameter_files`.",
        # Not the node's name: rclpy finds only `/**` and the exact name, and the name may be remapped.
        "/**:",
        "  ros__parameters:",
    ]
    for config_class in NODE_PARAMETERS[node]:
        for row in describe(config_class):
            lines += [f"    # {_comment(row)}", f"    {row.name}: {_value(row.default)}"]
    return "\n".join(lines) + "\n"


def main(arguments: Sequence[str]) -> int:
    """Write the files into the folder that is given."""
    folder = Path(arguments[0]) if arguments else Path("config")
    for node in NODE_PARAMETERS:
        (folder / f"{node}.yaml").write_text(parameter_file(node), encoding="utf-8")
    return 0


def _comment(row: ParameterDescription) -> str:
    limits = f" ({row.limits})" if row.limits else ""
    unit = f" [{row.unit}]" if row.unit else ""
    return f"{row.description}{limits}{unit}"


def _value(default: object) -> str:
    plain = list(default) if isinstance(default, tuple) else default
    return yaml.safe_dump(plain, default_flow_style=True, width=1000).removesuffix("...\n").strip()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
