from __future__ import annotations

from dataclasses import replace

import pytest

pytest.importorskip("diagnostic_msgs", reason="no ROS 2 messages: install the extra [ros]")

from diagnostic_msgs.msg import DiagnosticStatus

from monodepth_ros.nodes.diagnostics import frame_status
from monodepth_ros.nodes.frame_statistics import Figures

WELL = Figures(30.0, 14.8, 0.0412, 0.0631, 150, 0, 300, 148, 152, 0, 0.03, "")


def test_the_figures_of_a_node_that_is_well() -> None:
    level, message, values = frame_status(WELL, {"model": "demo"})
    assert (level, message) == (DiagnosticStatus.OK, "14.8 Hz")
    assert values["latency median (ms)"] == "41.2"
    assert values["latency 95th percentile (ms)"] == "63.1"
    assert values["images dropped"] == "152" and values["last error"] == "none"
    assert values["model"] == "demo"


@pytest.mark.parametrize(
    ("figures", "level", "message"),
    [
        (replace(WELL, received=0, silence=float("inf")), "WARN", "no image has come yet"),
        (replace(WELL, silence=12.4), "WARN", "no image for 12 s"),
        (
            replace(WELL, lately_failed=3, last_error="too dark"),
            "WARN",
            "some images fail: too dark",
        ),
        (
            replace(WELL, output_rate=0.0, lately_failed=9, last_error="no K"),
            "ERROR",
            "no image gives a result: no K",
        ),
        (replace(WELL, latency_median=-0.5), "WARN", "ahead of this machine's clock"),
    ],
)
def test_what_is_not_well_is_said(figures: Figures, level: str, message: str) -> None:
    said_level, said, _ = frame_status(figures, {})
    assert said_level == getattr(DiagnosticStatus, level)
    assert message in said


def test_an_unknown_latency_is_called_so() -> None:
    unknown = replace(WELL, latency_median=float("nan"), latency_p95=float("nan"))
    assert "unknown" in frame_status(unknown, {})[2].values()


def test_a_failure_of_long_ago_is_counted_and_no_trouble_any_more() -> None:
    failed = replace(WELL, failed=3, last_error="no camera_info has come yet")
    level, _, values = frame_status(failed, {})
    assert level == DiagnosticStatus.OK
    assert values["images failed"] == "3"


def test_nobody_listening_is_no_trouble() -> None:
    idle = replace(WELL, output_rate=0.0, offered=0, failed=3, last_error="no camera_info")
    assert frame_status(idle, {})[0] == DiagnosticStatus.OK


def test_what_keeps_results_back_is_said() -> None:
    waiting = replace(WELL, output_rate=0.0)
    level, message, _ = frame_status(waiting, {}, waits_for="metres are not known")
    assert (level, message) == (DiagnosticStatus.WARN, "nothing is published: metres are not known")
