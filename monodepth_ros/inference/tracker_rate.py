"""Tracker settings for recordings with a low image rate."""

from __future__ import annotations

from dataclasses import replace

from monodepth_ros.inference.tracker_settings import TrackerSettings

_GAP_RATIO = 1.5  # times the usual step; a longer step is a gap
_MAX_STEP = 2.0  # seconds between images; motions over longer steps are not measured


def settings_for_step(step: float | None) -> tuple[TrackerSettings, str | None]:
    """Settings for images that are usually ``step`` seconds apart, and a note about a change.

    If all steps are long, as with every 20th frame of a video, motions over longer steps are
    measured; else each step would be a gap.
    """
    settings = TrackerSettings()
    if step is None or _GAP_RATIO * step <= settings.max_image_gap:
        return settings, None
    told = f"images are {step:.2g} s apart, more than odometry is made for"
    if step > _MAX_STEP:
        return settings, f"{told}: every step counts as a gap; take more of them"
    longest = _GAP_RATIO * step
    changed = replace(
        settings,
        max_image_gap=longest,
        max_extrapolation_time=max(settings.max_extrapolation_time, 2 * longest),
    )
    return changed, (
        f"{told}: steps of up to {longest:.2g} s are measured instead of"
        f" {settings.max_image_gap:g} s, with less accuracy"
    )
