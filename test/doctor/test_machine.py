"""Checks of the machine: each tells a good state from a bad one."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from rgbd_perception.cli.main import main
from rgbd_perception.doctor import machine, ros_install
from rgbd_perception.doctor.finding import FAIL, OK, WARN

PROFILE = """<?xml version="1.0"?><dds xmlns="http://www.eprosima.com"><profiles><transport_descriptors>
<transport_descriptor><segment_size>{size}</segment_size></transport_descriptor>
</transport_descriptors></profiles></dds>"""


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    from safetensors.numpy import save_file

    path = tmp_path / "weights.safetensors"
    save_file({"a": np.zeros((3, 5), np.float32), "b": np.ones(7, np.float16)}, path, metadata={"model": "x"})
    return path


def test_whole_weights(weights: Path) -> None:
    finding = machine.check_weights(weights)
    assert finding.status == OK
    assert "2 tensors" in finding.detail


def test_weights_cut_at_any_byte(weights: Path) -> None:
    content = weights.read_bytes()
    for length in range(len(content)):
        weights.write_bytes(content[:length])
        assert machine.check_weights(weights).status == FAIL, length


def test_missing_weights(tmp_path: Path) -> None:
    finding = machine.check_weights(tmp_path / "none.safetensors")
    assert finding.status == FAIL
    assert "distill" in finding.advice


def test_this_python_and_its_numpy_are_fine() -> None:
    assert machine.check_python().status == OK
    assert machine.check_numpy_and_cv_bridge().status in (OK, WARN)


@pytest.mark.parametrize(
    ("size", "status"),
    [(128 << 20, OK), (512 << 10, WARN), ("128 MB", FAIL)],
    ids=["shipped", "default", "broken"],
)
def test_fastdds_profile(tmp_path: Path, size: object, status: str) -> None:
    profile = tmp_path / "profile.xml"
    profile.write_text(PROFILE.format(size=size))
    assert ros_install.check_fastdds_profile({"FASTDDS_DEFAULT_PROFILES_FILE": str(profile)}).status == status
    # The name of Humble.
    assert (
        ros_install.check_fastdds_profile({"FASTRTPS_DEFAULT_PROFILES_FILE": str(profile)}).status == status
    )


def test_fastdds_profile_that_is_not_set_or_not_there(tmp_path: Path) -> None:
    unset = ros_install.check_fastdds_profile({})
    assert unset.status == WARN
    assert "export FASTDDS_DEFAULT_PROFILES_FILE=" in unset.advice
    gone = ros_install.check_fastdds_profile({"FASTDDS_DEFAULT_PROFILES_FILE": str(tmp_path / "gone.xml")})
    assert gone.status == FAIL


def test_fastdds_profile_is_not_needed_with_another_middleware() -> None:
    assert ros_install.check_fastdds_profile({"RMW_IMPLEMENTATION": "rmw_cyclonedds_cpp"}).status == OK


def test_the_shipped_profile_is_good(repository: Path) -> None:
    shipped = repository / "config" / "fastdds_profile.xml"
    assert ros_install.check_fastdds_profile({"FASTDDS_DEFAULT_PROFILES_FILE": str(shipped)}).status == OK


def test_wheels_of_one_set_and_of_two() -> None:
    kilted = {
        "ros-rclpy": (
            "9.1.2",
            ["ros-rcl~=10.1.3", "ros-rmw-fastrtps-cpp~=9.3.3; extra == 'fastrtps'", "pyyaml"],
        ),
        "ros-rcl": ("10.1.4", []),
    }
    assert ros_install.check_wheel_set(kilted).status == OK
    mixed = ros_install.check_wheel_set(kilted | {"ros-rcl": ("9.2.5", [])})
    assert mixed.status == FAIL
    assert "ros-rclpy wants ros-rcl 10.1.3, installed is 9.2.5" in mixed.detail
    assert ros_install.check_wheel_set({}).status == OK


def test_shared_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Docker:
        f_blocks, f_bavail, f_frsize = 64 << 8, 60 << 8, 4096

    monkeypatch.setattr("os.statvfs", lambda _: Docker)
    finding = ros_install.check_shared_memory(tmp_path)
    assert finding.status == FAIL
    assert "has 64 MB" in finding.detail
    assert "--shm-size" in finding.advice


def test_segments_of_killed_processes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that a living process has mapped, and files of others, do not count."""
    shm, processes = tmp_path / "shm", tmp_path / "proc"
    for name in ("fastdds_used", "fastdds_left", "fastrtps_left", "sem.other"):
        shm.mkdir(exist_ok=True)
        (shm / name).write_bytes(b"x" * 8192)
    (processes / "12").mkdir(parents=True)
    (processes / "12" / "maps").write_text(f"7f00-7f01 rw-s 0 00:1a 3 {shm}/fastdds_used\n")
    assert ros_install.left_behind(shm, processes) == 2 * 8192

    monkeypatch.setattr(ros_install, "LARGEST_REST", 8192)
    finding = ros_install.check_shared_memory(shm)
    assert finding.status == WARN
    assert "left behind" in finding.detail
    assert f"{shm}/fastdds_*" in finding.advice


def test_no_shared_memory_at_all(tmp_path: Path) -> None:
    assert ros_install.check_shared_memory(tmp_path / "none").status == WARN


@pytest.mark.parametrize(
    ("variables", "status", "said"),
    [
        ({}, OK, "none is set"),
        ({"ROS_DOMAIN_ID": "232", "RMW_IMPLEMENTATION": "rmw_fastrtps_cpp"}, OK, "ROS_DOMAIN_ID=232"),
        ({"ROS_DOMAIN_ID": "233"}, FAIL, "from 0 to 232, got '233'"),
        ({"ROS_DOMAIN_ID": "robot"}, FAIL, "from 0 to 232, got 'robot'"),
    ],
)
def test_variables_of_ros(variables: dict[str, str], status: str, said: str) -> None:
    finding = ros_install.check_environment(variables)
    assert finding.status == status
    assert said in finding.detail


@pytest.mark.skipif("ros-rclpy" not in ros_install.installed_ros_wheels(), reason="ROS is not from wheels")
def test_a_middleware_that_the_wheels_lack() -> None:
    finding = ros_install.check_environment({"RMW_IMPLEMENTATION": "rmw_cyclonedds_cpp"})
    assert finding.status == FAIL
    assert "unset RMW_IMPLEMENTATION" in finding.detail


def test_a_process_that_ros_would_end_says_why(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ROS_DOMAIN_ID", "999")
    report = tmp_path / "report.json"
    assert main(["doctor", "--graph", "1", "--json", str(report)]) == 1
    (failed,) = (f for f in json.loads(report.read_text())["findings"] if f["status"] == FAIL)
    assert failed["check"] == "ROS variables"


def test_our_messages_load() -> None:
    pytest.importorskip("rclpy")
    assert ros_install.check_rclpy().status == OK
    assert ros_install.check_messages().status == OK
    assert ros_install.check_wheel_set(ros_install.installed_ros_wheels()).status == OK
