"""What a camera tracker assumes of motions and images, and the noise that it states."""

from __future__ import annotations

from dataclasses import dataclass


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
