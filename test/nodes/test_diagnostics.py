from __future__ import annotations

from dataclasses import replace

import pytest

pytest.importorskip("diagnostic_msgs", reason="no ROS 2 messages: install the extra [ros]")

from diagnostic_msgs.msg import DiagnosticStatus

from monodepth_ros.nodes.diagnostics import NO_SUBSCRIBER, frame_status, overall_status
from monodepth_ros.nodes.frame_statistics import FrameMetrics

WELL = FrameMetrics(
    input_rate=30.0,
    output_rate=14.8,
    latency_median=0.0412,
    latency_p95=0.0631,
    received=300,
    dropped=152,
    seconds_without_image=0.03,
    seconds_without_result=0.05,
)


def test_the_figures_of_a_node_that_is_well() -> None:
    level, message, values = frame_status(WELL, {"model": "demo"})
    assert (level, message) == (DiagnosticStatus.OK, "14.8 Hz")
    assert values["latency median (ms)"] == "41.2"
    assert values["latency 95th percentile (ms)"] == "63.1"
    assert values["images dropped"] == "152" and values["last error"] == "none"
    assert values["model"] == "demo"


@pytest.mark.parametrize(
    ("metrics", "level", "message"),
    [
        (
            replace(WELL, active_seconds=2.1, seconds_without_image=2.1),
            "WARN",
            "no image received yet",
        ),
        (replace(WELL, seconds_without_image=12.4), "WARN", "no image for 12 s"),
        (
            replace(WELL, recent_failures=3, last_error="too dark"),
            "WARN",
            "some images fail: too dark",
        ),
        (
            replace(WELL, output_rate=0.0, failing=True, recent_failures=9, last_error="no K"),
            "ERROR",
            "every image fails: no K",
        ),
        (
            replace(
                WELL, seconds_without_result=2.1, failing=True, recent_failures=9, last_error="no K"
            ),
            "ERROR",
            "every image fails: no K",
        ),
        (
            replace(WELL, seconds_without_result=2.1, withheld_reason="covered lens"),
            "WARN",
            "nothing is published: covered lens",
        ),
        (
            replace(WELL, seconds_without_result=7.2),
            "WARN",
            "nothing is published: one image takes more than 7 s",
        ),
        (replace(WELL, latency_median=-0.5), "WARN", "ahead of this machine's clock"),
    ],
)
def test_what_is_not_well_is_said(metrics: FrameMetrics, level: str, message: str) -> None:
    said_level, said, _ = frame_status(metrics, {})
    assert said_level == getattr(DiagnosticStatus, level)
    assert message in said


def test_an_unknown_latency_is_called_so() -> None:
    unknown = replace(WELL, latency_median=float("nan"), latency_p95=float("nan"))
    assert "unknown" in frame_status(unknown, {})[2].values()


def test_a_failure_of_long_ago_is_counted_and_no_trouble_any_more() -> None:
    failed = replace(WELL, failed=3, last_error="no camera_info received yet")
    level, _, values = frame_status(failed, {})
    assert level == DiagnosticStatus.OK
    assert values["images failed"] == "3"


def test_nobody_subscribing_is_no_trouble() -> None:
    idle = replace(
        WELL, output_rate=0.0, seconds_without_result=90.0, idle=True, failed=3, last_error="no K"
    )
    assert frame_status(idle, {})[:2] == (DiagnosticStatus.OK, NO_SUBSCRIBER)
    measures_scale = replace(
        WELL, output_rate=0.0, seconds_without_result=90.0, withheld_reason=NO_SUBSCRIBER
    )
    assert frame_status(measures_scale, {})[:2] == (DiagnosticStatus.OK, NO_SUBSCRIBER)
    level, message, _ = frame_status(idle, {}, unavailable_reason="metres are not known")
    assert (level, message) == (DiagnosticStatus.WARN, "metres are not known")


def test_what_keeps_results_back_is_said() -> None:
    waiting = replace(
        WELL, output_rate=0.0, seconds_without_result=2.1, withheld_reason="metres are not known"
    )
    level, message, _ = frame_status(waiting, {})
    assert (level, message) == (DiagnosticStatus.WARN, "nothing is published: metres are not known")


@pytest.mark.parametrize(
    ("metrics", "unavailable_reason", "message"),
    [
        (replace(WELL, active_seconds=1.9, seconds_without_image=1.9), "", "no image received yet"),
        (
            replace(WELL, output_rate=0.0, seconds_without_result=1.9, withheld_reason="no K"),
            "",
            "nothing is published: no K",
        ),
        (replace(WELL, active_seconds=1.9, idle=True), "metres are not known", NO_SUBSCRIBER),
    ],
)
def test_two_seconds_without_a_result_are_no_trouble_yet(
    metrics: FrameMetrics, unavailable_reason: str, message: str
) -> None:
    assert frame_status(metrics, {}, unavailable_reason)[:2] == (DiagnosticStatus.OK, message)


def test_the_first_image_may_take_its_time() -> None:
    working = replace(WELL, output_rate=0.0, seconds_without_result=1.5)
    assert frame_status(working, {})[0] == DiagnosticStatus.OK


def test_what_is_to_be_noticed_is_said_of_a_node_that_publishes() -> None:
    level, message, _ = frame_status(WELL, {}, warnings=["by parameters", "TF is old"])
    assert (level, message) == (DiagnosticStatus.WARN, "by parameters; TF is old")


def test_whoever_should_send_images_is_named() -> None:
    silent = replace(WELL, active_seconds=5.0, seconds_without_image=5.0)
    _, message, _ = frame_status(silent, {}, image_source=" on /image_raw, which nobody publishes")
    assert message == "no image received yet on /image_raw, which nobody publishes"


def of_cameras(**cameras: FrameMetrics) -> tuple[bytes, str, dict[str, str]]:
    statuses = {name: frame_status(metrics, {}) for name, metrics in cameras.items()}
    return overall_status(cameras, statuses, [])


def test_the_node_of_several_cameras_is_as_well_as_the_worst() -> None:
    slow = replace(WELL, output_rate=5.0, latency_median=0.2, latency_p95=0.3)
    level, message, values = of_cameras(front=WELL, rear=slow)
    assert (level, message) == (DiagnosticStatus.OK, "19.8 Hz")
    assert values["cameras"] == "front, rear"
    assert (values["input rate (Hz)"], values["output rate (Hz)"]) == ("60.0", "19.8")
    assert values["latency median (ms)"] == "200.0"
    assert values["latency 95th percentile (ms)"] == "300.0"

    silent = replace(WELL, seconds_without_image=9.0, latency_median=float("nan"))
    failing = replace(WELL, output_rate=0.0, failing=True, last_error="bad encoding")
    level, message, values = of_cameras(front=WELL, left=silent, rear=failing)
    assert level == DiagnosticStatus.ERROR
    assert message == "left: no image for 9 s; rear: every image fails: bad encoding"
    assert values["latency median (ms)"] == "41.2"


def test_the_node_of_cameras_without_subscribers_is_idle() -> None:
    idle = replace(WELL, idle=True, output_rate=0.0)
    assert of_cameras(front=idle, rear=idle)[:2] == (DiagnosticStatus.OK, NO_SUBSCRIBER)
    assert of_cameras(front=idle, rear=WELL)[:2] == (DiagnosticStatus.OK, "14.8 Hz")


def test_how_long_a_stream_is_silent_is_in_seconds() -> None:
    values = frame_status(replace(WELL, seconds_without_image=3.25), {})[2]
    assert values["seconds without an image"] == "3.2"
    assert values["seconds without a result"] == "0.1"
    assert frame_status(replace(WELL, idle=True), {})[2]["seconds without a result"] == "0.0"
