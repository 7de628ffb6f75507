"""Perception and mapping on a robot.

The defaults are the topics of a RealSense camera, started with registered depth:

    ros2 launch realsense2_camera rs_launch.py align_depth.enable:=true
    ros2 launch rgbd_perception perception.launch.py pose_source:=tf map_frame:=map

Another camera: name its topics, for example a Kinect or an Orbbec

    ros2 launch rgbd_perception perception.launch.py color:=/rgb/image_raw depth:=/depth_to_rgb/image_raw \
        camera_info:=/rgb/camera_info
"""

from __future__ import annotations

from launch.actions import DeclareLaunchArgument, SetEnvironmentVariable
from launch.conditions import IfCondition, UnlessCondition
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node

from launch import LaunchDescription
from rgbd_perception.resources import share_file
from rgbd_perception.ros.environment import fastdds_environment

ARGUMENTS = (
    ("color", "/camera/camera/color/image_raw", "topic of the color images"),
    (
        "depth",
        "/camera/camera/aligned_depth_to_color/image_raw",
        "topic of the depth images, registered to color",
    ),
    ("camera_info", "/camera/camera/color/camera_info", "topic of the camera info of the color images"),
    ("pose_source", "tf", "tf, pose (PoseStamped) or odometry"),
    ("pose", "pose", "topic of the poses, with pose_source:=pose"),
    ("odometry", "odom", "topic of the odometry, with pose_source:=odometry"),
    ("map_frame", "map", "fixed frame, z up, that the map is in"),
    ("perception_parameters", str(share_file("config/perception.yaml")), "parameter file of perception"),
    ("mapping_parameters", str(share_file("config/mapping.yaml")), "parameter file of mapping"),
    ("container", "true", "true: both nodes in one process, frames by reference; false: two processes"),
    ("rviz", "false", "true: start RViz too"),
    ("rviz_config", str(share_file("rviz/rgbd_perception.rviz")), "configuration of RViz"),
)

CAMERA = (("color/image", "color"), ("depth/image", "depth"), ("color/camera_info", "camera_info"))
POSES = (("pose", "pose"), ("odometry", "odometry"))
FRAMES = (("frame", "perception/frame"), ("labels", "perception/labels"))


def generate_launch_description() -> LaunchDescription:
    """See the module."""
    camera = [(name, LaunchConfiguration(argument)) for name, argument in CAMERA]
    poses = [(name, LaunchConfiguration(argument)) for name, argument in POSES]
    perception_parameters = [LaunchConfiguration("perception_parameters")]
    mapping_parameters = [
        LaunchConfiguration("mapping_parameters"),
        {"pose_source": LaunchConfiguration("pose_source"), "map_frame": LaunchConfiguration("map_frame")},
    ]
    in_container = LaunchConfiguration("container")
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
                parameters=[*perception_parameters, *mapping_parameters],
                remappings=[*camera, *poses, *FRAMES],
                condition=IfCondition(in_container),
            ),
            Node(
                package="rgbd_perception",
                executable="perception",
                name="perception",
                output="screen",
                parameters=perception_parameters,
                remappings=camera,
                condition=UnlessCondition(in_container),
            ),
            Node(
                package="rgbd_perception",
                executable="mapping",
                name="mapping",
                output="screen",
                parameters=mapping_parameters,
                remappings=[*poses, *FRAMES],
                condition=UnlessCondition(in_container),
            ),
            Node(
                package="rviz2",
                executable="rviz2",
                arguments=["-d", LaunchConfiguration("rviz_config")],
                condition=IfCondition(LaunchConfiguration("rviz")),
            ),
        ]
    )
