"""How far tracked points are trusted to stand still: what comes where a mover was is suspect."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from monodepth_ros.inference.odometry.mapping.landmarks import Floats, Integers
from monodepth_ros.inference.points.tracks import Tracks, shared_rows

_NEIGHBOURS = 5  # points that a new one is judged by
_GAIN = 0.15  # of what is missing from full trust, for each image in which a point agrees
_LEAST = 0.02  # so that there is a motion where all are suspect


class Trust:
    """Between 0 and 1 for each tracked point.

    A new point is trusted as those around it are, the ones counted in that were removed in the
    image before, as they did not agree with the camera's motion. It earns trust by agreeing.
    """

    def __init__(self) -> None:
        self._ids: Integers = np.empty(0, np.int64)
        self._values: Floats = np.empty(0)
        self._removed: Floats = np.empty((0, 2))

    def of(self, tracks: Tracks) -> Floats:
        """Of all points (N,) of the next image."""
        values = np.ones(len(tracks))
        here, before = shared_rows(tracks.ids, self._ids)
        values[here] = self._values[before]
        new = np.ones(len(tracks), np.bool_)
        new[here] = False
        if new.any() and len(self._ids):
            known = np.concatenate([tracks.pixels[here], self._removed])
            trusted = np.concatenate([values[here], np.zeros(len(self._removed))])
            values[new] = _around(known, trusted, tracks.pixels[new])
        self._ids, self._values = tracks.ids, values
        return np.maximum(values, _LEAST)

    def note(self, tracks: Tracks, known: NDArray[np.bool_], agreed: NDArray[np.bool_]) -> None:
        """Which of the landmarks among the points agreed; the others are about to be removed."""
        rows = np.flatnonzero(known)
        self._removed = tracks.pixels[rows[~agreed]]
        self._values[rows[agreed]] += _GAIN * (1 - self._values[rows[agreed]])


def _around(known: Floats, values: Floats, at: Floats) -> Floats:
    """The mean value of the known points nearest to each of the pixels ``at``."""
    if not len(known):
        return np.ones(len(at))
    apart = ((at[:, None] - known) ** 2).sum(2)
    nearest = np.argsort(apart, axis=1)[:, :_NEIGHBOURS]
    return np.asarray(values[nearest].mean(1))
