"""A node's figures as diagnostics tell them."""

from __future__ import annotations

import math
from collections.abc import Mapping

from diagnostic_msgs.msg import DiagnosticStatus

from monodepth_ros.nodes.frame_statistics import Figures

SILENCE = 2.0  # seconds without an image after which a node warns


def frame_status(
    figures: Figures, facts: Mapping[str, str], waits_for: str = ""
) -> tuple[bytes, str, dict[str, str]]:
    """Level, message and values: the figures, and ``facts`` of the whole run, such as the model.

    ERROR while there is work and none of it succeeds; WARN when no images come, when some have
    failed lately, when results are kept back because the node ``waits_for`` something, or when
    clocks differ; otherwise OK.
    """
    level, message = _verdict(figures, waits_for)
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
    return level, message, values


def _verdict(figures: Figures, waits_for: str) -> tuple[bytes, str]:
    if figures.received == 0:
        return DiagnosticStatus.WARN, "no image has come yet"
    if figures.silence > SILENCE:
        return DiagnosticStatus.WARN, f"no image for {figures.silence:.0f} s"
    if figures.offered and figures.lately_failed and figures.output_rate == 0:
        return DiagnosticStatus.ERROR, f"no image gives a result: {figures.last_error}"
    if figures.lately_failed:
        return DiagnosticStatus.WARN, f"some images fail: {figures.last_error}"
    if waits_for and figures.output_rate == 0:
        return DiagnosticStatus.WARN, f"nothing is published: {waits_for}"
    if figures.latency_median < 0:
        return DiagnosticStatus.WARN, "image stamps are ahead of this machine's clock"
    return DiagnosticStatus.OK, f"{figures.output_rate:.1f} Hz"


def _milliseconds(seconds: float) -> str:
    return "unknown" if math.isnan(seconds) else f"{1000 * seconds:.1f}"
