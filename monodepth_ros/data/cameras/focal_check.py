"""Whether the focal length of a recording fits the motion of its images.

Points are followed over pairs of frames; the motion that fits them best is sought under a row of
focal lengths, and the errors of all pairs are added. Only a camera that turns and moves tells its
focal length: a car that drives straight ahead fits all of them, and then nothing is said.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from monodepth_ros.data.cameras.feature_tracks import TrackedPoints, tracks_from
from monodepth_ros.data.sequence import Sequence
from monodepth_ros.geometry.camera import PinholeCamera, resizing_matrix
from monodepth_ros.geometry.focal_profile import focal_profile

SCALES = 2.0 ** (np.arange(-6, 7) / 8)  # of the focal length as stated: 0.59 to 1.68
_STARTS = (0.8, 1.25)  # scales under which motions are sought first
_PAIRS, _FEWEST_PAIRS = 24, 12
_FEWEST_POINTS = 40
_WIDTH = 640  # of the images that the limits were chosen on; points are followed in small images
_CAMERAS = 3  # at most, of different cameras
_DRAWS = 200  # of the bootstrap
# Chosen on 7-Scenes red kitchen and frames 0-119 of hololens_office, see docs/data.md.
_TOLERANCE = 0.10  # a focal length that is less off is not told from a right one
_LEAST_EVIDENCE = 7.0  # of each pair: lens distortion and plain walls alone gave up to 6.7


@dataclass(frozen=True)
class FocalCheck:
    """The focal length that fits best, as a scale of the stated one, and its 90 % interval.

    ``evidence`` is by how much the error of a pair falls from the stated to the best.
    """

    scale: float
    low: float
    high: float
    pairs: int
    evidence: float

    @property
    def is_off(self) -> bool:
        """Whether the stated focal length is clearly wrong."""
        sure = self.pairs >= _FEWEST_PAIRS and self.evidence >= _LEAST_EVIDENCE
        return sure and (self.low > 1 + _TOLERANCE or self.high < 1 / (1 + _TOLERANCE))


def check_focal_length(sequences: Iterable[Sequence]) -> FocalCheck | None:
    """The check of recordings of one camera; None where no pair of frames can be used."""
    recordings = [sequence for sequence in sequences if sequence.is_video and len(sequence) > 1]
    profiles: list[NDArray[np.float64]] = []
    for sequence, starts in _starts(recordings):
        for points in tracks_from(sequence, starts):
            profile = _profile(*_in_small_image(points, sequence.camera))
            if profile is not None:
                profiles.append(profile)
    if not profiles:
        return None  # nothing moves, or nothing can be followed
    errors = np.stack(profiles)
    draws = np.random.default_rng(0).integers(0, len(errors), (_DRAWS, len(errors)))
    low, high = np.percentile([_best_scale(errors[draw].sum(0)) for draw in draws], (5, 95))
    total = errors.sum(0)
    evidence = float(total[len(SCALES) // 2] - total.min()) / len(errors)
    return FocalCheck(_best_scale(total), float(low), float(high), len(errors), evidence)


def focal_warnings(sequences: Iterable[Sequence]) -> list[str]:
    """A line for each camera, of three at most, whose focal length does not fit its images."""
    by_camera: dict[tuple[object, ...], list[Sequence]] = {}
    for sequence in sequences:
        camera = sequence.camera
        key = (camera.width, camera.height, *camera.K.ravel(), *camera.D)
        by_camera.setdefault(key, []).append(sequence)
    warnings = []
    for recordings in list(by_camera.values())[:_CAMERAS]:
        check = check_focal_length(recordings)
        if check is not None and check.is_off:
            warnings.append(_warning(recordings, check))
    return warnings


def _warning(recordings: list[Sequence], check: FocalCheck) -> str:
    camera = recordings[0].camera
    stated = float(camera.K[0, 0])
    degrees = np.degrees(2 * np.arctan(camera.width / 2 / (stated * check.scale)))
    names = ", ".join(sequence.name for sequence in recordings[:3])
    more = f" and {len(recordings) - 3} more" if len(recordings) > 3 else ""
    return (
        f"{names}{more}: a focal length of {stated:.0f} pixels does not fit the motion of the"
        f" images; about {stated * check.scale:.0f} does ({stated * check.low:.0f} to"
        f" {stated * check.high:.0f}, a field of view of {degrees:.0f} degrees). Is K that of"
        " another camera, or of images of another size?"
    )


def _starts(recordings: list[Sequence]) -> Iterator[tuple[Sequence, list[int]]]:
    """Frames spread evenly over all recordings, ascending, none of them a recording's last."""
    total = sum(len(sequence) - 1 for sequence in recordings)
    places = np.unique(np.linspace(0, max(total - 1, 0), _PAIRS).astype(int))
    begin = 0
    for sequence in recordings:
        end = begin + len(sequence) - 1
        yield sequence, [int(place) - begin for place in places if begin <= place < end]
        begin = end


def _in_small_image(
    points: TrackedPoints, camera: PinholeCamera
) -> tuple[TrackedPoints, NDArray[np.float64]]:
    """Points and K in pixels of an image at most ``_WIDTH`` wide: errors are in its pixels."""
    scale = min(1.0, _WIDTH / camera.width)
    first, second = ((pixels + 0.5) * scale - 0.5 for pixels in points)
    return TrackedPoints(first, second), resizing_matrix(scale, scale) @ camera.K


def _profile(points: TrackedPoints, K: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """The error under each of SCALES, of the points that agree on an epipolar geometry."""
    first, second = points
    _, agree = cv2.findFundamentalMat(first, second, cv2.USAC_MAGSAC, 1.0, 0.999, 2000)
    if agree is None or agree.sum() < _FEWEST_POINTS:
        return None
    first, second = (pixels[agree[:, 0] > 0] for pixels in (first, second))
    in_first, in_second = torch.from_numpy(first), torch.from_numpy(second)
    found = []
    for start in _STARTS:
        scaled = np.diag([start, start, 1.0]) @ (K - _centre(K)) + _centre(K)
        E, _ = cv2.findEssentialMat(first, second, scaled, cv2.LMEDS, 0.999)
        if E is None or E.shape != (3, 3):
            continue
        _, R, t, _ = cv2.recoverPose(E, first, second, scaled)
        turn = torch.from_numpy(cv2.Rodrigues(R)[0][:, 0])
        scales = torch.from_numpy(SCALES / start)
        camera = torch.from_numpy(scaled)
        profile = focal_profile(
            in_first, in_second, camera, scales, turn, torch.from_numpy(t[:, 0])
        )
        found.append(profile.numpy())
    return np.min(found, axis=0) if found else None


def _centre(K: NDArray[np.float64]) -> NDArray[np.float64]:
    """The part of K that has no focal length in it."""
    centre = np.zeros((3, 3))
    centre[:2, 2] = K[:2, 2]
    return centre


def _best_scale(errors: NDArray[np.float64]) -> float:
    """Where the error is least, between the grid's points by a parabola."""
    k = int(np.argmin(errors))
    logs = np.log(SCALES)
    if not 0 < k < len(errors) - 1:
        return float(SCALES[k])
    before, at, after = errors[k - 1 : k + 2]
    bend = before - 2 * at + after
    shift = 0.5 * (before - after) / bend if bend > 0 else 0.0
    return float(np.exp(logs[k] + shift * (logs[1] - logs[0])))
