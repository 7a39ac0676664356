"""docs/parameters.md and the parameter files say what the nodes declare."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

pytest.importorskip("rclpy", reason="no ROS 2: install the extra [ros]")

from viewer import Viewer

from monodepth_ros.nodes.documentation import INTERFACES, parameter_file, parameters_page

ROOT = Path(__file__).resolve().parents[2]


def test_the_page_of_parameters_is_that_of_today() -> None:
    page = (ROOT / "docs" / "parameters.md").read_text()
    assert "`scale_source`" in page
    assert page == parameters_page(), "run python -m monodepth_ros.nodes.documentation"
    assert "docs/parameters.md" in (ROOT / "README.md").read_text()


@pytest.mark.parametrize("node", INTERFACES)
def test_advanced_parameters_come_last(node: str) -> None:
    advanced = {spec.name: spec.advanced for spec in INTERFACES[node].parameters}
    assert 0 < sum(advanced.values()) < len(advanced)
    text = parameter_file(node)
    section = parameters_page().partition(f"## {node}\n")[2].partition("\n## ")[0]
    for found in (yaml.safe_load(text)[f"/**/{node}"]["ros__parameters"], _names(section)):
        assert [advanced[name] for name in found] == sorted(advanced.values())
        assert len(found) == len(advanced)


def _names(section: str) -> list[str]:
    """The parameters of a node in the order of its tables."""
    rows = section.partition("| parameter |")[2].splitlines()
    return [row.split("`")[1] for row in rows if row.startswith("| `")]


@pytest.mark.parametrize("node", INTERFACES)
def test_parameter_files_are_those_of_today(node: str) -> None:
    text = (ROOT / "config" / f"{node}.yaml").read_text()
    assert text == parameter_file(node), "run python -m monodepth_ros.nodes.documentation"
    values = yaml.safe_load(text)[f"/**/{node}"]["ros__parameters"]
    defaults = {
        spec.name: list(spec.default) if isinstance(spec.default, tuple) else spec.default
        for spec in INTERFACES[node].parameters
    }
    assert values == defaults
    assert all(type(values[name]) is type(default) for name, default in defaults.items())


@pytest.mark.parametrize("node", INTERFACES)
@pytest.mark.parametrize("namespace", ["/", "/front/camera"])
def test_a_node_reads_its_parameter_file_in_every_namespace(
    viewer: Viewer, start_node: Any, tmp_path: Path, node: str, namespace: str
) -> None:
    file = tmp_path / "changed.yaml"
    text = parameter_file(node).replace("model: demo", "model: other_model")
    text = text.replace("[image_raw, camera_info]", "[other_model]")
    file.write_text(text.replace("~/monodepth_bags", str(tmp_path / "bags")))
    start_node(node, arguments=["--params-file", str(file), "-r", f"__ns:={namespace}"])
    name = f"{namespace}/{node}".lstrip("/")
    viewer.until(lambda: "other_model" in viewer.said() and viewer.status.name == name)


@pytest.mark.parametrize("node", INTERFACES)
def test_topics_and_services_are_those_of_the_tables(
    viewer: Viewer, start_node: Any, tmp_path: Path, node: str
) -> None:
    parameters = {
        "recorder_node": [f"folder:={tmp_path}"],
        "tuner_node": [f"folder:={tmp_path}", f"models_folder:={tmp_path}"],
    }
    start_node(node, *parameters.get(node, ["device:=cpu", "scale_source:=speed"]))
    expected = {
        topic.replace("~", node).lstrip("/")
        for topic, *_ in INTERFACES[node].publishes
        if topic != "/tf"
    }

    def published() -> set[str]:
        found = viewer.node.get_publisher_names_and_types_by_node(node, "/")
        return {topic.lstrip("/") for topic, _ in found} - {"rosout", "parameter_events"}

    viewer.until(lambda: node in viewer.node.get_node_names())
    # Topics and services become known one by one.
    viewer.until(lambda: published() == expected | {f"{node}/transition_event"})

    def services() -> set[str]:
        found = viewer.node.get_service_names_and_types_by_node(node, "/")
        return {service.lstrip("/") for service, _ in found}

    wanted = {s.replace("~", node) for s, *_ in INTERFACES[node].services}
    viewer.until(lambda: wanted <= services())
