"""What odometry takes for a gap in a recording whose images are far apart."""

from __future__ import annotations

from dataclasses import replace

from monodepth_ros.inference.tracker_settings import TrackerSettings

_LONGER_THAN_USUAL = 1.5  # a step longer than this many usual ones is a gap
_FARTHEST = 2.0  # seconds between images, above which nothing is to be expected


def settings_for_step(
    step: float | None, settings: TrackerSettings | None = None
) -> tuple[TrackerSettings, str | None]:
    """Settings for images that are usually ``step`` seconds apart, and what to say of a change.

    Motions over a longer time than usual are measured where all steps are so long, as of every
    20th frame of a video; else each of them would be a gap.
    """
    settings = settings or TrackerSettings()
    if step is None or _LONGER_THAN_USUAL * step <= settings.max_image_gap:
        return settings, None
    told = f"images are {step:.2g} s apart, more than odometry is made for"
    if step > _FARTHEST:
        return settings, f"{told}: every step counts as a gap; take more of them"
    longest = _LONGER_THAN_USUAL * step
    changed = replace(
        settings,
        max_image_gap=longest,
        max_extrapolation_time=max(settings.max_extrapolation_time, 2 * longest),
    )
    return changed, (
        f"{told}: steps of up to {longest:.2g} s are measured instead of"
        f" {settings.max_image_gap:g} s, with less accuracy"
    )
