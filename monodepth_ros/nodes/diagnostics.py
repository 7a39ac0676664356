"""A node's figures as diagnostics tell them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from diagnostic_msgs.msg import DiagnosticStatus

from monodepth_ros.nodes.frame_statistics import SILENCE, Figures

NO_SUBSCRIBER = "no subscriber"
_OK, _WARN, _ERROR = DiagnosticStatus.OK, DiagnosticStatus.WARN, DiagnosticStatus.ERROR


def frame_status(
    figures: Figures,
    facts: Mapping[str, str],
    waits_for: str = "",
    notices: Sequence[str] = (),
    awaited: str = "",
) -> tuple[bytes, str, dict[str, str]]:
    """Level, message and values: the figures, and ``facts`` of the whole run, such as the model.

    ERROR while there is work and all of it fails. WARN when no images come for two seconds
    (``awaited`` says of whom), when nothing is published for as long and somebody subscribes, when
    some images have failed lately, when clocks differ, when the node ``waits_for`` something, and
    for each of ``notices``. Otherwise OK.
    """
    level, message = _verdict(figures, waits_for, notices, awaited)
    values = {
        "input rate (Hz)": f"{figures.input_rate:.1f}",
        "output rate (Hz)": f"{figures.output_rate:.1f}",
        "latency median (ms)": _milliseconds(figures.latency_median),
        "latency 95th percentile (ms)": _milliseconds(figures.latency_p95),
        "images received": str(figures.received),
        "images dropped": str(figures.dropped),
        "images failed": str(figures.failed),
        "images held back": str(figures.held_back),
        "last error": figures.last_error or "none",
        **facts,
    }
    return level, message, values


def _verdict(
    figures: Figures, waits_for: str, notices: Sequence[str], awaited: str
) -> tuple[bytes, str]:
    if figures.silence >= figures.listening:
        level = _OK if figures.listening <= SILENCE else _WARN
        return level, f"no image has come yet{awaited}"
    if figures.silence > SILENCE:
        return _WARN, f"no image for {figures.silence:.0f} s{awaited}"
    if figures.idle or figures.withheld == NO_SUBSCRIBER:
        waits = waits_for and figures.listening > SILENCE
        return (_WARN, waits_for) if waits else (_OK, NO_SUBSCRIBER)
    if figures.output_rate == 0 or figures.quiet > SILENCE:
        return _verdict_of_quiet(figures)
    if figures.lately_failed:
        return _WARN, f"some images fail: {figures.last_error}"
    if figures.latency_median < 0:
        return _WARN, "image stamps are ahead of this machine's clock"
    if notices:
        return _WARN, "; ".join(notices)
    return _OK, f"{figures.output_rate:.1f} Hz"


def _verdict_of_quiet(figures: Figures) -> tuple[bytes, str]:
    if figures.failing:
        return _ERROR, f"no image gives a result: {figures.last_error}"
    level = _OK if figures.quiet <= SILENCE else _WARN
    if figures.withheld:
        return level, f"nothing is published: {figures.withheld}"
    if level == _WARN:
        return level, f"nothing is published: one image takes more than {figures.quiet:.0f} s"
    return level, "the first image is being worked on"


def _milliseconds(seconds: float) -> str:
    return "unknown" if math.isnan(seconds) else f"{1000 * seconds:.1f}"
