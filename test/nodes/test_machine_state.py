"""Heat and power from files as Linux has them."""

import math
from pathlib import Path

import pytest

pytest.importorskip("rclpy", reason="no ROS 2: install the extra [ros]")

from monodepth_ros.nodes.machine_state import power, temperature


def test_the_hottest_zone_counts(tmp_path: Path) -> None:
    assert math.isnan(temperature(tmp_path))
    for number, text in enumerate(("45000\n", "61500\n", "unreadable")):
        zone = tmp_path / f"thermal_zone{number}"
        zone.mkdir()
        (zone / "temp").write_text(text)
    assert temperature(tmp_path) == 61.5


def test_power_is_that_of_all_sensors(tmp_path: Path) -> None:
    assert math.isnan(power("", tmp_path))
    of_a_pc, of_a_jetson = tmp_path / "hwmon0", tmp_path / "hwmon1"
    of_a_pc.mkdir()
    of_a_jetson.mkdir()
    (of_a_pc / "power1_input").write_text("12000000")
    (of_a_jetson / "in1_input").write_text("5000")  # millivolts
    (of_a_jetson / "curr1_input").write_text("1500")  # milliamperes
    assert power("", tmp_path) == pytest.approx(12.0 + 7.5)
    assert power(str(of_a_pc / "power1_input"), tmp_path) == 12.0
    assert math.isnan(power(str(tmp_path / "none"), tmp_path))
