"""The motion between two images from matched points, and what kind of motion it can be.

Rotation and direction come from the essential matrix (Nister's five points in OpenCV's MAGSAC,
then our own robust minimum over all matches). A turn without parallax and a plane fit worse
constrained models as well; which one to believe is decided by GRIC (Torr, 1998).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from monodepth_ros.geometry.camera import PinholeCamera
from monodepth_ros.geometry.lens import rays
from monodepth_ros.geometry.rigid_motion import Matrix, rigid, rotation_angle
from monodepth_ros.inference.points.epipolar import (
    Rays,
    depths,
    parallaxes,
    refined,
    sampson,
    turn_error,
    turns_of,
)

Kind = Literal["general", "planar", "rotation", "too_few"]
MIN_MATCHES = 8  # five make a motion, three more say whether it holds
_REACH = 3.0  # times the noise; matches further off are no inliers
# Dimensions of the matches (of 4) that a motion allows, and its parameters.
_FREEDOM: dict[Kind, tuple[int, int]] = {"general": (3, 5), "planar": (2, 8), "rotation": (2, 3)}
_TURNS = 100  # pairs of matches that a turn is tried from
_GRID = 6  # cells along a side by which the spread of matches is measured
_ALIKE = 0.8  # two motions with more inliers in common are one
_MIN_RIVAL = 0.2  # of all matches: a second motion of fewer is not looked for


@dataclass(frozen=True)
class TwoView:
    """What matches say of the motion between two images.

    ``T_first_second`` 4x4 has a translation of length 1, or 0 for a turn and for too few matches.
    ``inliers`` (N,) are the matches that agree with it. ``parallax`` is their median angle in
    radians between the rays of one point, ``error`` their root mean square in pixels. ``rivals``
    are other motions that the same matches allow: of a body that moves by itself, or the second one
    that a plane leaves open. ``sure`` is False where nothing tells which is the camera's.
    """

    kind: Kind
    T_first_second: Matrix
    inliers: NDArray[np.bool_]
    parallax: float = 0.0
    error: float = float("nan")
    information: Matrix | None = None
    rivals: tuple[Matrix, ...] = ()
    sure: bool = True
    reason: str = ""


@dataclass(frozen=True)
class _Matches:
    """Matched rays ``(N, 3)``, the cell of the image each lies in, and their noise as rays."""

    first: Rays
    second: Rays
    cells: NDArray[np.int64]
    noise: float
    focal: float

    @classmethod
    def of(
        cls,
        first: NDArray[np.float64],
        second: NDArray[np.float64],
        camera: PinholeCamera,
        noise: float,
    ) -> _Matches:
        """Of pixels ``(N, 2)``."""
        focal = camera.focal
        size = np.array([camera.width, camera.height])
        x, y = np.clip(second * _GRID / size, 0, _GRID - 1).astype(np.int64).T
        return cls(rays(camera, first), rays(camera, second), y * _GRID + x, noise / focal, focal)

    def __len__(self) -> int:
        return len(self.first)

    def __getitem__(self, kept: NDArray[np.bool_]) -> _Matches:
        return replace(
            self, first=self.first[kept], second=self.second[kept], cells=self.cells[kept]
        )

    def spread(self, chosen: NDArray[np.bool_]) -> int:
        """In how many cells of the image the chosen matches lie."""
        return len(np.unique(self.cells[chosen]))

    def why_too_few(self) -> str:
        """Why no motion can be known; empty if it can."""
        distinct = len(np.unique(np.column_stack([self.first, self.second]), axis=0))
        if distinct < MIN_MATCHES:
            return f"{distinct} distinct matches; {MIN_MATCHES} are needed"
        for points in (self.first, self.second):
            off_line = np.linalg.svd(points - points.mean(0), compute_uv=False)[1]
            if off_line < 2 * self.noise * np.sqrt(len(points)):
                return "all matches lie on a line or in a point"
        return ""


@dataclass(frozen=True)
class _Hypothesis:
    """A motion and how well each match fits it: the squared error over the squared noise."""

    kind: Kind
    T: Matrix
    squared: NDArray[np.float64]

    @property
    def inliers(self) -> NDArray[np.bool_]:
        return np.asarray(self.squared < _REACH**2)


def _gric(hypothesis: _Hypothesis) -> float:
    """Torr's criterion: how badly a motion fits, and how much it can fit. The least is the best."""
    dimension, parameters = _FREEDOM[hypothesis.kind]
    count = len(hypothesis.squared)
    misfit = np.minimum(hypothesis.squared, 2.0 * (4 - dimension)).sum()
    return float(misfit + np.log(4) * dimension * count + np.log(4 * count) * parameters)


def two_view(
    first: NDArray[np.float64],
    second: NDArray[np.float64],
    camera: PinholeCamera,
    prior: Matrix | None = None,
    noise: float = 0.5,
) -> TwoView:
    """The motion between matched pixels ``(N, 2)`` of two images of a camera without distortion.

    ``noise`` is their standard deviation in pixels. ``prior`` (4x4, of any length) is a motion that
    was expected: it tells the camera's motion from that of a mover and one solution of a plane from
    the other. Without it, the one whose matches are spread over more of the image is taken.
    """
    count = len(first)
    usable = np.isfinite(np.column_stack([first, second])).all(1)
    matches = _Matches.of(first[usable], second[usable], camera, noise)
    inliers = np.zeros(count, np.bool_)
    if reason := matches.why_too_few():
        return TwoView("too_few", np.eye(4), inliers, reason=reason)
    tried = [_turn(matches, prior), *_general(matches, prior), *_planar(matches)]
    best = min(tried, key=_gric)
    rivals = _rivals(matches, best, tried, prior)
    chosen, sure = _camera_motion(matches, best, rivals, prior)
    inliers[usable] = chosen.inliers
    if inliers.sum() < MIN_MATCHES:
        reason = f"{inliers.sum()} matches agree on a motion; {MIN_MATCHES} are needed"
        return TwoView("too_few", np.eye(4), inliers, reason=reason)
    kept = matches[chosen.inliers]
    return TwoView(
        chosen.kind,
        chosen.T,
        inliers,
        parallax=float(np.median(parallaxes(chosen.T, kept.first, kept.second))),
        error=noise * float(np.sqrt(chosen.squared[chosen.inliers].mean())),
        rivals=tuple(rival.T for rival in [best, *rivals] if rival is not chosen),
        sure=sure,
    )


def _turn(matches: _Matches, prior: Matrix | None) -> _Hypothesis:
    """The turn that most matches agree with: of pairs of them, then by weighted least squares."""
    generator = np.random.default_rng(0)
    pairs = generator.integers(0, len(matches), (_TURNS, 2))
    known = [np.eye(3)] if prior is None else [np.eye(3), prior[:3, :3]]
    tried = np.concatenate([known, turns_of(matches.first[pairs], matches.second[pairs])])
    scale = np.sqrt(2) * matches.noise  # both images have noise

    def squared(R: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(((turn_error(R, matches.first, matches.second) / scale) ** 2).sum(-1))

    R = tried[np.log1p(squared(tried)).sum(-1).argmin()]
    for _ in range(5):
        R = turns_of(matches.first, matches.second, 1.0 / (1.0 + squared(R)))
    return _Hypothesis("rotation", rigid(R), squared(R))


def _general(matches: _Matches, prior: Matrix | None) -> Iterator[_Hypothesis]:
    """Motions by the essential matrix, started from five points and from what was expected."""
    starts = list(_five_point(matches))
    if prior is not None and np.linalg.norm(prior[:3, 3]) > 0:
        t = prior[:3, 3]
        starts.append(rigid(prior[:3, :3], t / np.linalg.norm(t)))
    for T in starts:
        for reach in (3 * _REACH, _REACH):
            near = np.abs(sampson(T, matches.first, matches.second)) < reach * matches.noise
            if near.sum() >= MIN_MATCHES:
                T, _ = refined(T, matches.first[near], matches.second[near], matches.noise)
        yield _hypothesis_general(matches, T)


def _hypothesis_general(matches: _Matches, T: Matrix, kind: Kind = "general") -> _Hypothesis:
    """The motion with the sign of its direction by which the points lie before both cameras.

    Those behind count as far off, if their parallax is more than noise.
    """
    squared = (sampson(T, matches.first, matches.second) / matches.noise) ** 2
    seen = parallaxes(T, matches.first, matches.second) > _REACH * matches.noise
    behind = np.logical_or(*(depth < 0 for depth in depths(T, matches.first, matches.second)))
    inliers = squared < _REACH**2
    if (behind & seen & inliers).sum() * 2 > (seen & inliers).sum():
        T = rigid(T[:3, :3], -T[:3, 3])
        behind = np.logical_or(*(depth < 0 for depth in depths(T, matches.first, matches.second)))
    return _Hypothesis(kind, T, np.where(behind & seen, np.inf, squared))


def _five_point(matches: _Matches) -> Iterator[Matrix]:
    """Motions that OpenCV's robust solver finds, of both turns that its matrix allows."""
    first, second = (points[:, :2] * matches.focal for points in (matches.first, matches.second))
    K = np.diag([matches.focal, matches.focal, 1.0])
    reach = 2 * matches.noise * matches.focal
    # E of OpenCV takes the first rays to lines of the second ones.
    found, _ = cv2.findEssentialMat(second, first, K, cv2.USAC_ACCURATE, 0.999, reach)
    if found is None or found.shape[0] < 3 or not np.isfinite(found).all():
        return
    one, other, t = cv2.decomposeEssentialMat(found[:3])
    for R in (one, other):
        yield rigid(R, t[:, 0])


def _planar(matches: _Matches) -> Iterator[_Hypothesis]:
    """Motions past a plane, by the homography of most matches."""
    first, second = (points[:, :2] * matches.focal for points in (matches.first, matches.second))
    reach = 2 * matches.noise * matches.focal
    H, _ = cv2.findHomography(second, first, cv2.USAC_ACCURATE, reach)
    if H is None or not np.isfinite(H).all():
        return
    K = np.diag([matches.focal, matches.focal, 1.0])
    seen = matches.second @ (np.linalg.inv(K) @ H @ K).T
    error = (matches.first[:, :2] - seen[:, :2] / seen[:, 2:]) / matches.noise
    squared = (error * error).sum(1) / 2
    near = squared < _REACH**2
    _, turns, directions, normals = cv2.decomposeHomographyMat(H, K)
    for R, t, normal in zip(turns, directions, normals, strict=True):
        length = np.linalg.norm(t)
        if length == 0 or near.sum() < MIN_MATCHES:
            continue
        before = (matches.second[near] @ normal[:, 0] > 0).mean()
        if before > 0.9:
            yield _Hypothesis("planar", rigid(R, t[:, 0] / length), squared)


def _rivals(
    matches: _Matches, best: _Hypothesis, tried: list[_Hypothesis], prior: Matrix | None
) -> list[_Hypothesis]:
    """Other motions that many of the same matches allow."""
    rivals = []
    rest = ~best.inliers
    if rest.sum() > max(2 * MIN_MATCHES, _MIN_RIVAL * len(matches)):
        others = matches[rest]
        if not others.why_too_few():
            second = min([_turn(others, prior), *_general(others, prior)], key=_gric)
            rivals.append(_evaluated(matches, second.T))
    if prior is not None:  # a motion that mixes both may fit most matches
        general = [one for one in tried if one.kind == "general" and one is not best]
        many = [one for one in general if one.inliers.mean() > _MIN_RIVAL]
        rivals += [one for one in many if _share_alike(one, best) < _ALIKE]
    if best.kind == "planar":
        rivals += [twin for twin in tried if twin.kind == "planar" and twin is not best]
    if best.kind == "general":
        turn = next(one for one in tried if one.kind == "rotation")
        # All that has parallax is compact: it may as well be a mover before a camera that turns.
        by_parallax = best.inliers & ~turn.inliers
        if 2 * matches.spread(by_parallax) < matches.spread(turn.inliers):
            rivals.append(turn)
    return rivals


def _share_alike(one: _Hypothesis, other: _Hypothesis) -> float:
    """The share of the inliers of either motion that are inliers of both."""
    either = (one.inliers | other.inliers).sum()
    return float((one.inliers & other.inliers).sum() / max(1, either))


def _evaluated(matches: _Matches, T: Matrix) -> _Hypothesis:
    """How all matches fit a motion, a turn if it has no translation."""
    if np.linalg.norm(T[:3, 3]) > 0:
        return _hypothesis_general(matches, T)
    error = turn_error(T[:3, :3], matches.first, matches.second) / matches.noise
    return _Hypothesis("rotation", T, (error * error).sum(1) / 2)


def _camera_motion(
    matches: _Matches, best: _Hypothesis, rivals: list[_Hypothesis], prior: Matrix | None
) -> tuple[_Hypothesis, bool]:
    """Which of several motions is the camera's, and whether that is known.

    The one that is nearer to the prior. Without a prior, the one whose matches are spread over more
    of the image: a mover is compact.
    """
    chosen, sure = best, True
    for rival in rivals:
        preference = _preference(matches, chosen, rival, prior)
        sure &= abs(preference) > np.log(1.5)
        chosen = rival if preference < 0 else chosen
    return chosen, sure


def _preference(
    matches: _Matches, one: _Hypothesis, other: _Hypothesis, prior: Matrix | None
) -> float:
    """By how much one motion is rather the camera's than the other; negative if it is less."""
    if prior is not None:
        # Two hundredths of a radian: no prior is better known.
        mine, others = (_distance(motion.T, prior) + 0.02 for motion in (one, other))
        return float(np.log(others / mine))
    exclusive = one.inliers & ~other.inliers, other.inliers & ~one.inliers
    if min(only.sum() for only in exclusive) < MIN_MATCHES:  # the same matches allow both
        return 0.0
    return float(np.log(matches.spread(one.inliers) / matches.spread(other.inliers)))


def _unit(T: Matrix) -> Matrix:
    """The motion with a translation of length 1 or 0."""
    length = np.linalg.norm(T[:3, 3])
    return rigid(T[:3, :3], T[:3, 3] / length if length > 0 else T[:3, 3])


def _distance(one: Matrix, other: Matrix) -> float:
    """Angle between two rotations plus that between two directions, in radians."""
    turn = float(rotation_angle(one[:3, :3].T @ other[:3, :3]))
    a, b = (_unit(T)[:3, 3] for T in (one, other))
    if not a.any() or not b.any():
        return turn + (0.0 if a.any() == b.any() else np.pi / 4)
    return turn + float(np.arccos(np.clip(a @ b, -1.0, 1.0)))
