"""The diagnostic status of a node that works on images."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from diagnostic_msgs.msg import DiagnosticStatus

from monodepth_ros.nodes.frame_statistics import TIMEOUT, FrameMetrics
from monodepth_ros.nodes.reporting_node import Status

NO_SUBSCRIBER = "no subscriber"
_OK, _WARN, _ERROR = DiagnosticStatus.OK, DiagnosticStatus.WARN, DiagnosticStatus.ERROR


def frame_status(
    metrics: FrameMetrics,
    facts: Mapping[str, str],
    unavailable_reason: str = "",
    warnings: Sequence[str] = (),
    image_source: str = "",
) -> tuple[bytes, str, dict[str, str]]:
    """Level, message and values. ``facts`` are values of the whole run, such as the model.

    ERROR while every image fails. WARN in these cases, otherwise OK:

    - no image arrives for two seconds; ``image_source`` describes where they should come from
    - nothing is published for two seconds although there is a subscriber
    - some images have failed lately
    - the stamps of the images are in the future
    - an input is missing (``unavailable_reason``), or there are other ``warnings``
    """
    level, message = _verdict(metrics, unavailable_reason, warnings, image_source)
    values = {
        "input rate (Hz)": f"{metrics.input_rate:.1f}",
        "output rate (Hz)": f"{metrics.output_rate:.1f}",
        "seconds without an image": _seconds(metrics.seconds_without_image),
        "seconds without a result": _seconds(
            0.0 if metrics.idle else metrics.seconds_without_result
        ),
        "latency median (ms)": _milliseconds(metrics.latency_median),
        "latency 95th percentile (ms)": _milliseconds(metrics.latency_p95),
        "images received": str(metrics.received),
        "images dropped": str(metrics.dropped),
        "images failed": str(metrics.failed),
        "images without output": str(metrics.withheld),
        "last error": metrics.last_error or "none",
        **facts,
    }
    return level, message, values


def overall_status(
    metrics: Mapping[str, FrameMetrics], cameras: Mapping[str, Status], warnings: Sequence[str]
) -> tuple[bytes, str, dict[str, str]]:
    """Level, message and values of a node with several cameras, whose statuses are ``cameras``.

    The level is the worst one. Rates are those of all cameras together, latencies and waiting those
    of the camera where they are longest.
    """
    problems = {name: status for name, status in cameras.items() if status[0] != _OK}
    level = max([*(level for level, _, _ in problems.values()), _WARN if warnings else _OK])
    rate = sum(each.output_rate for each in metrics.values())
    messages = [f"{name}: {message}" for name, (_, message, _) in problems.items()]
    idle = all(message == NO_SUBSCRIBER for _, message, _ in cameras.values())
    values = {
        "cameras": ", ".join(cameras),
        "input rate (Hz)": f"{sum(each.input_rate for each in metrics.values()):.1f}",
        "output rate (Hz)": f"{rate:.1f}",
    }
    for key, field in (("median", "latency_median"), ("95th percentile", "latency_p95")):
        latencies = [getattr(each, field) for each in metrics.values()]
        known = [latency for latency in latencies if not math.isnan(latency)]
        values[f"latency {key} (ms)"] = _milliseconds(max(known, default=math.nan))
    well = NO_SUBSCRIBER if idle else f"{rate:.1f} Hz"
    return level, "; ".join([*messages, *warnings]) or well, values


def _verdict(
    metrics: FrameMetrics, unavailable_reason: str, warnings: Sequence[str], image_source: str
) -> tuple[bytes, str]:
    if metrics.seconds_without_image >= metrics.active_seconds:
        level = _OK if metrics.active_seconds <= TIMEOUT else _WARN
        return level, f"no image received yet{image_source}"
    if metrics.seconds_without_image > TIMEOUT:
        return _WARN, f"no image for {metrics.seconds_without_image:.0f} s{image_source}"
    if metrics.idle or metrics.withheld_reason == NO_SUBSCRIBER:
        warns = unavailable_reason and metrics.active_seconds > TIMEOUT
        return (_WARN, unavailable_reason) if warns else (_OK, NO_SUBSCRIBER)
    if metrics.output_rate == 0 or metrics.seconds_without_result > TIMEOUT:
        return _verdict_without_result(metrics)
    if metrics.recent_failures:
        return _WARN, f"some images fail: {metrics.last_error}"
    if metrics.latency_median < 0:
        return _WARN, "image stamps are ahead of this machine's clock"
    if warnings:
        return _WARN, "; ".join(warnings)
    return _OK, f"{metrics.output_rate:.1f} Hz"


def _verdict_without_result(metrics: FrameMetrics) -> tuple[bytes, str]:
    seconds = metrics.seconds_without_result
    if metrics.failing:
        return _ERROR, f"every image fails: {metrics.last_error}"
    level = _OK if seconds <= TIMEOUT else _WARN
    if metrics.withheld_reason:
        return level, f"nothing is published: {metrics.withheld_reason}"
    if level == _WARN:
        return level, f"nothing is published: one image takes more than {seconds:.0f} s"
    return level, "processing the first image"


def _seconds(seconds: float) -> str:
    return f"{seconds:.1f}" if math.isfinite(seconds) else "unknown"


def _milliseconds(seconds: float) -> str:
    return "unknown" if math.isnan(seconds) else f"{1000 * seconds:.1f}"
