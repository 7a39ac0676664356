"""A node's figures as the standard diagnostic message."""

from __future__ import annotations

import math
from collections.abc import Mapping

from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue

from monodepth_ros.nodes.frame_statistics import Figures

SILENCE = 2.0  # seconds without an image after which a node warns


def diagnostics(
    name: str, hardware_id: str, figures: Figures, facts: Mapping[str, str], stamp: Time
) -> DiagnosticArray:
    """One status: the figures, and ``facts`` that hold for the whole run, such as the model.

    ERROR when the node could not be configured, or images come and none of them gives a result;
    WARN when none come, when some fail, or when the latency is not known to be positive (clocks
    that differ); otherwise OK.
    """
    level, message = _verdict(figures)
    status = DiagnosticStatus(level=level, name=name, message=message, hardware_id=hardware_id)
    values = {
        "input rate (Hz)": f"{figures.input_rate:.1f}",
        "output rate (Hz)": f"{figures.output_rate:.1f}",
        "latency median (ms)": _milliseconds(figures.latency_median),
        "latency 95th percentile (ms)": _milliseconds(figures.latency_p95),
        "images received": str(figures.received),
        "images dropped": str(figures.dropped),
        "images failed": str(figures.failed),
        "last error": figures.last_error or "none",
        **facts,
    }
    status.values = [KeyValue(key=key, value=value) for key, value in values.items()]
    array = DiagnosticArray()
    array.header.stamp = stamp
    array.status = [status]
    return array


def _verdict(figures: Figures) -> tuple[bytes, str]:
    if figures.received == 0 and figures.failed:
        return DiagnosticStatus.ERROR, figures.last_error
    if figures.received == 0:
        return DiagnosticStatus.WARN, "no image has come yet"
    if figures.silence > SILENCE:
        return DiagnosticStatus.WARN, f"no image for {figures.silence:.0f} s"
    if figures.output_rate == 0 and figures.failed:
        return DiagnosticStatus.ERROR, f"no image gives a result: {figures.last_error}"
    if figures.failed:
        return DiagnosticStatus.WARN, f"{figures.failed} images failed: {figures.last_error}"
    if figures.latency_median < 0:
        return DiagnosticStatus.WARN, "image stamps are ahead of this machine's clock"
    return DiagnosticStatus.OK, f"{figures.output_rate:.1f} Hz"


def _milliseconds(seconds: float) -> str:
    return "unknown" if math.isnan(seconds) else f"{1000 * seconds:.1f}"
