"""What the launch files start, by ROS's own launch system and programs that note how they began."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from launch_script import LAUNCH

pytest.importorskip("rclpy", reason="no ROS 2: install the extra [ros]")
pytest.importorskip("launch_ros", reason="launch is not on PyPI")

from launch.actions import DeclareLaunchArgument
from launch.launch_description_sources import PythonLaunchDescriptionSource

from launch import LaunchContext
from monodepth_ros.dds_environment import profile_path

ROOT = Path(__file__).resolve().parents[2]
NODES = ("depth_node", "odometry_node", "recorder_node", "tuner_node")
OLD, NEW = "FASTRTPS_DEFAULT_PROFILES_FILE", "FASTDDS_DEFAULT_PROFILES_FILE"
NOTES_HOW_IT_BEGAN = f"""#!{sys.executable}
import json, os, pathlib, sys, time, yaml
arguments = sys.argv
folder = pathlib.Path(os.environ["NOTES"])
until = time.monotonic() + 30.0
while "play" in arguments and len(list(folder.glob("*.json"))) < 2 and time.monotonic() < until:
    time.sleep(0.05)  # the end of a bag ends the nodes
files = [arguments[i + 1] for i, a in enumerate(arguments) if a == "--params-file"]
known = {{}}
for file in files:
    for section in yaml.full_load(open(file)).values():
        known.update(section["ros__parameters"])
profile = {{name: os.environ[name] for name in ("{OLD}", "{NEW}") if name in os.environ}}
note = dict(arguments=arguments[1:], parameters=known, profile=profile)
file = folder / f"{{len(list(folder.iterdir()))}}_{{os.getpid()}}"
file.write_text(json.dumps(dict(name=pathlib.Path(arguments[0]).name, **note)))
file.rename(file.with_suffix(".json"))
"""
TWO_CAMERAS = f"""
from launch import LaunchDescription
from launch.actions import GroupAction, IncludeLaunchDescription
from launch.launch_description_sources import PythonLaunchDescriptionSource

def camera(**arguments):
    source = PythonLaunchDescriptionSource("{ROOT}/launch/depth.launch.py")
    included = IncludeLaunchDescription(source, launch_arguments=arguments.items())
    return GroupAction([included], scoped=True, forwarding=False)

def generate_launch_description():
    return LaunchDescription([
        camera(namespace="front", image_raw="colour/image_raw", points_stride="2"),
        camera(namespace="rear"),
    ])
"""


@pytest.fixture
def started(
    ros_environment: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Any:
    """Runs a launch file to its end, and gives what it started, or its output where it failed."""
    marker = tmp_path / "share/ament_index/resource_index/packages/monodepth_ros"
    marker.parent.mkdir(parents=True)
    marker.touch()
    programs = [tmp_path / "lib/monodepth_ros" / node for node in NODES]
    programs.append(tmp_path / "bin" / "ros2")
    for program in programs:
        program.parent.mkdir(parents=True, exist_ok=True)
        program.write_text(NOTES_HOW_IT_BEGAN)
        program.chmod(program.stat().st_mode | stat.S_IEXEC)
    (tmp_path / "notes").mkdir()
    monkeypatch.setenv("NOTES", str(tmp_path / "notes"))
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    monkeypatch.setenv("AMENT_PREFIX_PATH", str(tmp_path))
    for name in (OLD, NEW, "ROS_DISTRO"):
        monkeypatch.delenv(name, raising=False)

    def run(file: str | Path, *arguments: str) -> list[dict[str, Any]] | str:
        path = ROOT / "launch" / file if isinstance(file, str) else file
        command = [sys.executable, "-c", LAUNCH, str(path), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60.0)
        if done.returncode or "Traceback" in done.stdout + done.stderr:
            return done.stdout + done.stderr
        notes = sorted((tmp_path / "notes").iterdir())
        return [json.loads(note.read_text()) for note in notes]

    return run


def one(started: list[dict[str, Any]] | str, name: str = "") -> dict[str, Any]:
    assert not isinstance(started, str), started
    (found,) = [note for note in started if not name or note["name"] == name]
    return found


def test_parameters_are_arguments_with_their_types_and_the_rest_stays_with_the_file(
    started: Any, tmp_path: Path
) -> None:
    file = tmp_path / "all.yaml"
    file.write_text("/**/odometry_node: {ros__parameters: {camera_z: 1.5, refine: false}}")
    node = one(
        started(
            "odometry.launch.py", f"params_file:={file}", "method:=refined", "publish_tf:=true",
            "base_frame:=base", "odom_frame:=7", "mounting:=parameters", "scale_factor:=2",
            "scale_source:=fixed", "log_level:=debug", "use_sim_time:=true",
        )
    )  # fmt: skip
    assert node["parameters"] == {
        "camera_z": 1.5, "refine": False, "method": "refined", "publish_tf": True,
        "base_frame": "base", "odom_frame": "7", "mounting": "parameters", "scale_factor": 2.0,
        "scale_source": "fixed", "use_sim_time": True,
    }  # fmt: skip
    assert "--log-level debug" in " ".join(node["arguments"])


@pytest.mark.parametrize(
    ("argument", "told"),
    [
        ("precision:=fp23", "fp23"),
        ("refine:=yes", "yes"),
        ("log_level:=loud", "loud"),
        ("scale_factor:=two", "launch argument scale_factor: 'two' is not a number"),
        ("params_file:=/none.yaml", "launch argument params_file: /none.yaml: no such file"),
    ],
)
def test_a_value_that_is_none_ends_the_launch(started: Any, argument: str, told: str) -> None:
    output = started("odometry.launch.py", argument)
    assert isinstance(output, str) and told in output


def test_every_file_names_its_arguments_and_their_choices() -> None:
    wanted = {"namespace", "params_file", "use_sim_time", "log_level", "respawn", "dds_profile"}
    for file in sorted((ROOT / "launch").glob("*.launch.py")):
        description = PythonLaunchDescriptionSource(str(file)).get_launch_description(
            LaunchContext()
        )
        declared = description.get_launch_arguments_with_include_launch_description_actions()
        arguments = {argument.name: argument for argument, _ in declared}
        assert wanted <= set(arguments), file.name
        assert list(arguments["log_level"].choices) == ["debug", "info", "warn", "error", "fatal"]
        if "odometry" in file.name or "replay" in file.name:
            more = {"publish_tf", "method", "mounting", "base_frame", "odom_frame", "image_raw"}
            assert more <= set(arguments), file.name
            assert list(arguments["mounting"].choices) == ["", "auto", "tf", "parameters"]
        assert all(isinstance(a, DeclareLaunchArgument) for a in arguments.values())


def test_two_cameras_in_groups_of_their_own(started: Any, tmp_path: Path) -> None:
    file = tmp_path / "two.launch.py"
    file.write_text(TWO_CAMERAS)
    front, rear = sorted(started(file), key=lambda note: "__ns:=/rear" in note["arguments"])
    for node, namespace, image in (
        (front, "front", "colour/image_raw"), (rear, "rear", "image_raw"),
    ):  # fmt: skip
        assert f"__ns:=/{namespace}" in node["arguments"]
        assert f"image_raw:={image}" in node["arguments"]
        assert f"image_raw/compressed:={image}/compressed" in node["arguments"]


def test_several_cameras_with_one_model(started: Any) -> None:
    node = one(
        started(
            "depth.launch.py", "namespace:=/", "cameras:=front, rear", "speed:=/odom",
            "image_raw:=colour/image_raw",
        )
    )  # fmt: skip
    assert node["parameters"]["cameras"] == ["front", "rear"]
    for remapped in (
        "front/image_raw:=front/colour/image_raw",
        "rear/image_raw/compressed:=rear/colour/image_raw/compressed",
        "rear/camera_info:=rear/camera_info",
        "speed:=/odom",
    ):
        assert remapped in node["arguments"]
    assert "__ns:=/" in node["arguments"]


def test_cameras_and_the_topic_of_one(started: Any) -> None:
    output = started("depth.launch.py", "cameras:=front,rear", "image_raw:=/front/image_raw")
    assert isinstance(output, str)
    assert "image_raw: /front/image_raw is a topic of one camera" in output


@pytest.mark.parametrize(("distribution", "name"), [("jazzy", OLD), ("kilted", NEW)])
def test_the_profile_is_set_for_the_nodes_alone(
    started: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    distribution: str,
    name: str,
) -> None:
    monkeypatch.setenv("ROS_DISTRO", distribution)
    file = tmp_path / "with_another.launch.py"
    file.write_text(f"""
from launch import LaunchDescription
from launch.actions import ExecuteProcess, IncludeLaunchDescription
from launch.launch_description_sources import PythonLaunchDescriptionSource

def generate_launch_description():
    source = PythonLaunchDescriptionSource("{ROOT}/launch/depth.launch.py")
    return LaunchDescription([
        IncludeLaunchDescription(source), ExecuteProcess(cmd=["ros2", "of", "others"]),
    ])
""")
    notes = started(file)
    assert one(notes, "depth_node")["profile"] == {name: profile_path()}
    assert one(notes, "ros2")["profile"] == {}


def test_the_profile_is_the_users_or_none(started: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    assert one(started("depth.launch.py", "dds_profile:=none"))["profile"] == {}
    monkeypatch.setenv(OLD, "/mine.xml")
    assert started("depth.launch.py")[-1]["profile"] == {OLD: "/mine.xml"}


@pytest.mark.parametrize("namespace", ["front", "/front", "/front/"])
@pytest.mark.parametrize("image", ["image_raw", "/front/image_raw"])
def test_replay_plays_what_the_nodes_listen_to(started: Any, namespace: str, image: str) -> None:
    notes = started(
        "replay.launch.py", "bag:=drive", f"namespace:={namespace}", f"image_raw:={image}"
    )
    arguments = one(notes, "ros2")["arguments"]
    assert arguments[:4] == ["bag", "play", "drive", "--clock"]
    assert arguments[arguments.index("--topics") + 1 :] == [
        "/front/image_raw", "/front/image_raw/compressed", "/front/camera_info", "/front/speed",
        "/tf", "/tf_static",
    ]  # fmt: skip
    for name in ("depth_node", "odometry_node"):
        assert one(notes, name)["parameters"]["use_sim_time"] is True
        assert f"image_raw:={image}" in one(notes, name)["arguments"]


def test_replay_of_a_robots_speed_without_its_transforms(started: Any) -> None:
    notes = started("replay.launch.py", "bag:=drive", "speed:=/wheel/odom", "tf:=false")
    arguments = one(notes, "ros2")["arguments"]
    assert arguments[-2:] == ["/wheel/odom", "/tf_static"]


def test_the_recorder_records_what_replay_needs(started: Any) -> None:
    node = one(
        started("record.launch.py", "speed:=/wheel/odom", "folder:=bags", "use_sim_time:=true")
    )
    assert node["parameters"] == {"folder": "bags", "use_sim_time": True}  # topics: its defaults
    assert "speed:=/wheel/odom" in node["arguments"]


def test_the_recorder_of_a_compressed_camera_and_more(started: Any) -> None:
    node = one(
        started(
            "record.launch.py", "image_transport:=compressed", "extra_topics:=imu, /gps",
            "prefix:=front", "image_raw:=colour/image_raw",
        )
    )  # fmt: skip
    assert node["parameters"]["topics"] == ["image_raw/compressed", "camera_info"]
    assert node["parameters"]["optional_topics"][-2:] == ["imu", "/gps"]
    assert "/tf_static" in node["parameters"]["optional_topics"]
    assert node["parameters"]["prefix"] == "front"
    assert "image_raw/compressed:=colour/image_raw/compressed" in node["arguments"]


def test_the_tuner_takes_simulated_time(started: Any) -> None:
    node = one(
        started("tuner.launch.py", "use_sim_time:=true", "folder:=bags", "training_minutes:=5")
    )
    assert node["parameters"] == {
        "bags_folder": "bags",
        "use_sim_time": True,
        "training_minutes": 5.0,
    }
