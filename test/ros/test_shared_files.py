"""config/, launch/ and rviz/ name only what the nodes have: parameters, topics, executables."""

from __future__ import annotations

import ast
import xml.etree.ElementTree as ElementTree
from dataclasses import fields

import pytest
import yaml

from rgbd_perception.ros.environment import (
    HUMBLE_PROFILE_VARIABLE,
    PROFILE_VARIABLE,
    fastdds_environment,
    private_graph_environment,
)
from rgbd_perception.ros.parameter_files import NODE_PARAMETERS, parameter_file
from rgbd_perception.ros.replay_node import ReplayParameters

NODE_SOURCES = ("perception_node", "perception_outputs", "mapping_node", "mapping_outputs", "pose_source")


@pytest.fixture(scope="module")
def topics(repository):
    """Every topic name that the nodes publish or subscribe to, as written in their source."""
    names = set()
    for source in NODE_SOURCES:
        tree = ast.parse((repository / f"rgbd_perception/ros/{source}.py").read_text())
        for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
            function = call.func.attr if isinstance(call.func, ast.Attribute) else ""
            if function in ("create_subscription", "create_publisher", "_create"):
                names |= {arg.value for arg in call.args if isinstance(arg, ast.Constant)}
    return names


class LaunchFile:
    """What a launch file says, read without the package `launch`, which is not on PyPI."""

    def __init__(self, path):
        self._tree = ast.parse(path.read_text())
        self.constants = {
            node.targets[0].id: node.value for node in self._tree.body if isinstance(node, ast.Assign)
        }

    def pairs(self, name):
        """A constant of pairs of strings."""
        return ast.literal_eval(self.constants[name])

    def arguments(self):
        """Names of the launch arguments."""
        return {entry.elts[0].value for entry in self.constants["ARGUMENTS"].elts}

    def used_arguments(self):
        """Arguments that something in the file refers to."""
        pairs = [name for name in ("CAMERA", "POSES") if name in self.constants]
        named = {argument for name in pairs for _, argument in self.pairs(name)}
        calls = [node for node in ast.walk(self._tree) if isinstance(node, ast.Call)]
        called = [call for call in calls if getattr(call.func, "id", "") == "LaunchConfiguration"]
        return named | {call.args[0].value for call in called if isinstance(call.args[0], ast.Constant)}

    def executables(self):
        """Executables of this package."""
        nodes = [node for node in ast.walk(self._tree) if isinstance(node, ast.Call)]
        found = set()
        for node in nodes:
            words = {word.arg: word.value for word in node.keywords}
            if getattr(node.func, "id", "") == "Node" and words["package"].value == "rgbd_perception":
                found.add(words["executable"].value)
        return found

    def parameters(self):
        """Keys of the parameter dictionaries."""
        dictionaries = [node for node in ast.walk(self._tree) if isinstance(node, ast.Dict)]
        return {key.value for dictionary in dictionaries for key in dictionary.keys}


@pytest.fixture(params=["perception.launch.py", "demo.launch.py"])
def launch_file(request, repository):
    return LaunchFile(repository / "launch" / request.param)


def declared(*classes):
    return {item.name for config_class in classes for item in fields(config_class)}


def test_launch_files_name_things_that_exist(launch_file, topics, repository):
    assert launch_file.executables()
    for executable in launch_file.executables():
        assert (repository / "scripts/nodes" / executable).is_file()
    assert launch_file.used_arguments() == launch_file.arguments()
    assert launch_file.parameters() <= declared(ReplayParameters, *sum(NODE_PARAMETERS.values(), ()))
    for name in ("CAMERA", "POSES", "FRAMES"):
        if name in launch_file.constants:
            assert {topic for topic, _ in launch_file.pairs(name)} <= topics
    for _, target in launch_file.pairs("FRAMES"):
        assert target.replace("perception/", "~/") in topics


def test_rviz_shows_topics_that_are_published(repository, topics):
    config = yaml.safe_load((repository / "rviz/rgbd_perception.rviz").read_text())
    shown = [d["Topic"]["Value"] for d in config["Visualization Manager"]["Displays"] if "Topic" in d]
    assert len(shown) >= 4
    for topic in shown:
        _, node, name = topic.split("/")
        assert node in NODE_PARAMETERS
        assert f"~/{name}" in topics


@pytest.mark.parametrize("node", NODE_PARAMETERS)
def test_parameter_files_are_the_defaults_of_the_dataclasses(node, repository):
    text = (repository / f"config/{node}.yaml").read_text()
    assert text == parameter_file(node), "run python -m rgbd_perception.ros.parameter_files"
    values = yaml.safe_load(text)["/**"]["ros__parameters"]
    for config_class in NODE_PARAMETERS[node]:
        for item in fields(config_class):
            default = list(item.default) if isinstance(item.default, tuple) else item.default
            assert values.pop(item.name) == default
    assert not values


def test_parameters_of_the_same_name_mean_the_same():
    """In the container one parameter file reaches all nodes."""
    seen = {}
    for config_class in sum(NODE_PARAMETERS.values(), ()):
        for item in fields(config_class):
            first = seen.setdefault(item.name, item)
            assert first.default == item.default, item.name
            assert first.metadata["description"] == item.metadata["description"], item.name


def test_fast_dds_profile_has_room_for_images(repository):
    root = ElementTree.parse(repository / "config/fastdds_profile.xml").getroot()
    names = {"d": "http://www.eprosima.com"}
    assert int(root.find(".//d:segment_size", names).text) == 128 * 2**20
    assert int(root.find(".//d:maxMessageSize", names).text) == 32 * 2**20
    assert root.find(".//d:useBuiltinTransports", names).text == "false"
    kinds = [item.text for item in root.findall(".//d:transport_descriptor/d:type", names)]
    assert kinds == ["SHM", "UDPv4"]
    assert root.find(".//d:participant", names).get("is_default_profile") == "true"


def test_profile_is_set_unless_the_user_has_one():
    (name, path), *more = fastdds_environment({}).items()
    assert (name, more) == (PROFILE_VARIABLE, [])
    assert path.endswith("fastdds_profile.xml")
    assert list(fastdds_environment({"ROS_DISTRO": "humble"})) == [HUMBLE_PROFILE_VARIABLE]
    assert fastdds_environment({PROFILE_VARIABLE: "mine.xml"}) == {}
    assert fastdds_environment({HUMBLE_PROFILE_VARIABLE: "mine.xml"}) == {}


def test_private_graph_keeps_what_the_user_chose():
    chosen = {"ROS_DOMAIN_ID": "7", "ROS_AUTOMATIC_DISCOVERY_RANGE": "SUBNET", PROFILE_VARIABLE: "mine.xml"}
    assert private_graph_environment(chosen) == {}
    free = private_graph_environment({})
    assert 1 <= int(free["ROS_DOMAIN_ID"]) <= 101
    assert free["ROS_AUTOMATIC_DISCOVERY_RANGE"] == "LOCALHOST"
