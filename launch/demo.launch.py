"""The graph of `rgbd-perception demo` by launch: a recording, perception and mapping in one process.

ros2 launch rgbd_perception demo.launch.py source:=synthetic:7 rviz:=true
ros2 service call /mapping/query_text rgbd_perception/srv/QueryText "{texts: ['a place to sit']}"
"""

from __future__ import annotations

from launch.actions import DeclareLaunchArgument, SetEnvironmentVariable
from launch.conditions import IfCondition
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node

from launch import LaunchDescription
from rgbd_perception.resources import share_file
from rgbd_perception.ros.environment import fastdds_environment

ARGUMENTS = (
    ("source", "synthetic", "synthetic[:SEED], a folder or a bag"),
    ("fps", "0.0", "frames per second of the camera; 0.0: as recorded"),
    ("loop", "false", "true: play again and again"),
    ("rviz", "false", "true: start RViz too"),
    ("rviz_config", str(share_file("rviz/rgbd_perception.rviz")), "configuration of RViz"),
)

FRAMES = (("frame", "perception/frame"), ("labels", "perception/labels"))


def generate_launch_description() -> LaunchDescription:
    """See the module."""
    return LaunchDescription(
        [
            *(
                DeclareLaunchArgument(name, default_value=value, description=text)
                for name, value, text in ARGUMENTS
            ),
            *(SetEnvironmentVariable(name, value) for name, value in fastdds_environment().items()),
            Node(
                package="rgbd_perception",
                executable="container",
                output="screen",
                arguments=["--nodes", "replay", "perception", "mapping"],
                parameters=[
                    str(share_file("config/perception.yaml")),
                    str(share_file("config/mapping.yaml")),
                    {
                        "source": LaunchConfiguration("source"),
                        "fps": LaunchConfiguration("fps"),
                        "loop": LaunchConfiguration("loop"),
                        "pose_source": "pose",
                    },
                ],
                remappings=FRAMES,
            ),
            Node(
                package="rviz2",
                executable="rviz2",
                arguments=["-d", LaunchConfiguration("rviz_config")],
                condition=IfCondition(LaunchConfiguration("rviz")),
            ),
        ]
    )
