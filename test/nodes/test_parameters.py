from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("rclpy", reason="no ROS 2: install the extra [ros]")

import rclpy
from rclpy.node import Node
from rclpy.parameter import Parameter

from monodepth_ros.errors import UserError
from monodepth_ros.nodes.parameter_sources import names_for_any_node
from monodepth_ros.nodes.parameters import ParameterSpec, declare_parameters

SPECS = (
    ParameterSpec("model", "demo", "which model"),
    ParameterSpec("encoding", "32FC1", "of depth", False, choices=("32FC1", "16UC1")),
    ParameterSpec("stride", 1, "of points", False, bounds=(1, 16)),
    ParameterSpec("scale", 1.0, "metres per unit", False, bounds=(0.001, 1000.0)),
)


@pytest.fixture(autouse=True)
def ros(ros_environment: dict[str, str]) -> Iterator[None]:
    rclpy.init()
    yield
    rclpy.try_shutdown()


def declared(**given: object) -> Node:
    node = Node("node", parameter_overrides=[Parameter(n, value=v) for n, v in given.items()])
    try:
        declare_parameters(node, SPECS)
    except UserError:
        node.destroy_node()
        raise
    return node


def test_given_values_and_descriptions() -> None:
    node = declared(stride=4)
    assert node.get_parameter("stride").value == 4
    assert node.get_parameter("model").value == "demo"
    described = node.describe_parameter("encoding")
    assert described.description == "of depth"
    assert described.additional_constraints == "one of 32FC1, 16UC1"
    (bounds,) = node.describe_parameter("stride").integer_range
    assert (bounds.from_value, bounds.to_value) == (1, 16)


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("strid", 4, "unknown parameter strid; node has model, encoding, stride, scale"),
        ("stride", 400, "parameter stride: .*out of range"),
        ("stride", "a", "parameter stride: .*INTEGER"),
        ("encoding", "rgb8", "parameter encoding: 'rgb8' is not one of 32FC1, 16UC1"),
    ],
)
def test_wrong_ones_are_named(name: str, value: object, reason: str) -> None:
    with pytest.raises(UserError, match=reason):
        declared(**{name: value})


def test_changes_take_effect_or_are_refused_with_the_reason() -> None:
    node = declared()
    good, none_of_them, too_large, fixed = node.set_parameters(
        [
            Parameter("stride", value=2),
            Parameter("encoding", value="rgb8"),
            Parameter("scale", value=0.0),
            Parameter("model", value="other"),
        ]
    )
    assert good.successful and node.get_parameter("stride").value == 2
    assert "not one of 32FC1" in none_of_them.reason and not none_of_them.successful
    assert "out of range" in too_large.reason and "read-only" in fixed.reason
    assert node.get_parameter("encoding").value == "32FC1"


def sections(folder: Path, text: str) -> list[str]:
    file = folder / "parameters.yaml"
    file.write_text(text)
    return ["node", "--ros-args", "-r", "__ns:=/front", "--params-file", str(file)]


@pytest.mark.parametrize(
    ("text", "shared"),
    [
        ("/**: {ros__parameters: {frame: map, tf: {rate: 2}}}", {"frame", "tf.rate"}),
        ("/front/*: {ros__parameters: {frame: map}}", {"frame"}),
        ("front: {'*': {ros__parameters: {frame: map}}}", {"frame"}),
        ("/**/node: {ros__parameters: {frame: map}}", set()),
        ("front: {node: {ros__parameters: {frame: map}}}", set()),
        ("/**: {ros__parameters: {frame: a}}\nnode: {ros__parameters: {frame: b}}", set()),
        ("/**: {ros__parameters: {frame: a}}\nother: {ros__parameters: {frame: b}}", {"frame"}),
        ("/**: {ros__parameters: {names: !!python/tuple [a, b]}}", {"names"}),  # as launch writes
        ("/**: [", set()),
        ("7", set()),
    ],
)
def test_sections_for_all_nodes_are_told_from_the_nodes_own(
    tmp_path: Path, text: str, shared: set[str]
) -> None:
    assert names_for_any_node("node", sections(tmp_path, text)) == shared


def test_only_ros_arguments_count(tmp_path: Path) -> None:
    arguments = sections(tmp_path, "/**: {ros__parameters: {frame: map}}")
    assert names_for_any_node("node", [a for a in arguments if a != "--ros-args"]) == set()
    assert names_for_any_node("node", [*arguments[:2], "--", *arguments[2:]]) == set()
    assert names_for_any_node("node", ["node", "--ros-args", "--params-file"]) == set()
    assert names_for_any_node("node", ["node", "--ros-args", "--params-file", "/none"]) == set()


@pytest.mark.parametrize(
    ("section", "ends"), [("/**", False), ("/front/*", False), ("/**/recorder_node", True)]
)
def test_foreign_parameters_for_all_nodes_are_passed_over_and_told(
    start_node: Any, tmp_path: Path, section: str, ends: bool
) -> None:
    """A shared file does not end a node; a misspelt line of its own section does."""
    text = (
        f"{section}: {{ros__parameters: {{robot_radius: 0.3, prefix: mine, folder: {tmp_path}}}}}"
    )
    node = start_node("recorder_node", arguments=sections(tmp_path, text)[2:])
    told = ""
    while "robot_radius" not in told:
        line = node.stdout.readline()
        assert line, told
        told += line
    if ends:
        assert node.wait(20.0) == 2 and "unknown parameter robot_radius" in told
    else:
        assert "sets robot_radius for all nodes: recorder_node has no such parameter" in told
        assert node.poll() is None
