"""When the frames of a recording were taken; never made up."""

from __future__ import annotations

from collections.abc import Sequence as ListOf

import numpy as np

from monodepth_ros.data.sequence import Sequence
from monodepth_ros.errors import WrongUse


def frame_times(sequence: Sequence) -> list[int | None]:
    """Nanoseconds of each frame, by its stamp, None for single frames without one.

    Where no frame has one, by its number and the rate that somebody stated; WrongUse where nobody
    did: what needs times cannot guess them.
    """
    stamps = [sequence.stamp_ns(index) for index in range(len(sequence))]
    if any(stamp is not None for stamp in stamps):
        return stamps
    rate = sequence.number_rate
    if rate is None:
        raise WrongUse(f"{sequence.name}: its frames have no stamps: give their rate with --fps")
    return [round(sequence.number(index) * 1e9 / rate) for index in range(len(sequence))]


def median_step(stamps: ListOf[int | None]) -> float | None:
    """Seconds from frame to frame; None where there are fewer than two."""
    steps = np.diff([stamp for stamp in stamps if stamp is not None])
    steps = steps[steps > 0]
    return float(np.median(steps)) / 1e9 if steps.size else None
