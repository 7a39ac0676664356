"""What a camera tracker assumes of motions and images, and the noise that it states."""

from __future__ import annotations

from dataclasses import dataclass, replace

_GAP_RATIO = 1.5  # times the usual step; a longer step is a gap
_MAX_STEP = 2.0  # seconds between images; motions over longer steps are not measured


@dataclass(frozen=True)
class TrackerSettings:
    """Limits of what counts as a motion, and the standard deviations of a step.

    The noise of a step is proportional to its translation and its rotation: a rotation looks much
    like a sideways translation, so it adds to the noise of both. The ratios are measured, see
    docs/odometry.md.
    """

    standstill_threshold_px: float = 0.25  # network pixels; smaller image motion is standstill
    max_image_gap: float = 0.5  # seconds; the network has not learnt motions over longer gaps
    max_extrapolation_time: float = 2.0  # seconds for which the last velocity is extrapolated
    min_contrast: float = 0.01  # standard deviation of [0, 1]; images with less are rejected
    max_gap_duration: float = 60.0  # seconds; a longer gap adds no more covariance
    clock_change_gap: float = 2.0  # seconds that are assumed to have passed when a clock is set
    translation_noise: float = 0.3  # standard deviation as a fraction of the translation
    rotation_noise: float = 0.25  # standard deviation as a fraction of the rotation
    translation_noise_per_radian: float = 0.5  # metres per radian of rotation
    min_translation_noise: float = 0.005  # metres
    min_rotation_noise: float = 0.005  # radians
    max_speed: float = 2.0  # m/s and rad/s that are assumed while images are missing


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
