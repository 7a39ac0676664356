"""How far an engine is from torch in single precision on the same images, and how far it may be."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from monodepth_ros.errors import UserError
from monodepth_ros.inference.engines.base import Engine, Frames, Rgb, depth_and_variance
from monodepth_ros.networks.registry import Ambiguity

# Mean relative difference of depth above which an engine is refused.
TOLERANCE = {"fp32": 1e-4, "bf16": 0.01, "fp16": 0.01, "int8": 0.02}
# Motions are small beside the numbers that a pose network adds up for them.
_MOTION_FACTOR = 5.0
# Mean relative difference of standard deviations, which on new places are right to a third at best
# (docs/confidence.md).
STDDEV_TOLERANCE = {"fp32": 1e-3, "bf16": 0.25, "fp16": 0.25, "int8": 0.25}


@dataclass(frozen=True)
class Agreement:
    """Relative differences of depth (``abs_rel``, ``a1`` as in evaluations) and of motion.

    ``motion`` is the larger one of the rotations' and the translations', each over all pairs of
    frames; None without a pose network or with one frame alone. ``stddev`` is that of the standard
    deviation of log depth; None where a model tells none.
    """

    precision: str
    frames: int
    abs_rel: float
    a1: float
    worst_frame: str
    worst_abs_rel: float
    motion: float | None
    stddev: float | None = None

    @property
    def refusal(self) -> str:
        """Why the engine must not be used; empty where it may be."""
        said = refusal(self.precision, self.abs_rel, self.motion)
        return said or stddev_refusal(self.precision, self.stddev)


def refusal(precision: str, depth: float, motion: float | None = None) -> str:
    """Why an engine with these relative differences from torch fp32 must not be used, or ''."""
    limit = TOLERANCE[precision]
    for what, found, allowed in (
        ("depth", depth, limit),
        ("motion", motion, _MOTION_FACTOR * limit),
    ):
        if said := _told(precision, what, found, allowed):
            return said
    return ""


def stddev_refusal(precision: str, stddev: float | None) -> str:
    """The same of the standard deviation of log depth, None where a model tells none."""
    return _told(precision, "standard deviation", stddev, STDDEV_TOLERANCE[precision])


def _told(precision: str, what: str, found: float | None, allowed: float) -> str:
    if found is None or found <= allowed:
        return ""
    return f"{what} differs from torch fp32 by {found:.2g}, {precision} may by {allowed:g}"


def depth_ratio(
    found: NDArray[np.float32], expected: NDArray[np.float32], ambiguity: Ambiguity
) -> NDArray[np.float64]:
    """Depth found over depth expected, of inverse depths, at the pixels (N,) with an expected one.

    It is infinite where none is found. Where the shift of inverse depth is unknown, it is taken as
    the mean of those expected: a sky at 0 has no depth to compare.
    """
    found, expected = found.astype(np.float64), expected.astype(np.float64)
    if ambiguity == "scale_and_shift":
        found, expected = found + (shift := expected.mean()), expected + shift
    known = (expected > 0) & np.isfinite(expected)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.asarray(expected[known] / found[known], np.float64)
    ratio[~(ratio > 0)] = np.inf
    return ratio


def compare(engine: Engine, expected: Engine, frames: Iterable[tuple[str, Rgb]]) -> Agreement:
    """Run both engines on named images, uint8 HxWx3, in their order; neighbours give a motion."""
    engines = (engine, expected)
    names: list[str] = []
    ratios: list[tuple[float, float]] = []
    motions: list[list[NDArray[np.float32]]] = []
    spreads: list[float] = []
    former: list[Frames] | None = None
    for name, rgb in frames:
        seen = [one.prepare(rgb[None]) for one in engines]
        found, wanted = map(depth_and_variance, engines, seen)
        names.append(name)
        maps = found.inverse_depth[0], wanted.inverse_depth[0]
        ratios.append(_depth_difference(depth_ratio(*maps, expected.card.ambiguity)))
        if wanted.log_variance is not None:
            spreads.append(stddev_difference(found.log_variance, wanted.log_variance))
        if former is not None and engine.has_motion:
            pairs = zip(engines, former, seen, strict=True)
            motions.append([one.motion(first, second)[0] for one, first, second in pairs])
        former = seen
    if not names:
        raise UserError("no frames to compare engines on")
    abs_rel, a1 = np.array(ratios).T
    worst = int(abs_rel.argmax())
    return Agreement(
        engine.precision,
        len(names),
        float(abs_rel.mean()),
        float(a1.mean()),
        names[worst],
        float(abs_rel[worst]),
        _motion_difference(np.array(motions)) if motions else None,
        float(np.mean(spreads)) if spreads else None,
    )


def stddev_difference(found: NDArray[np.float32] | None, expected: NDArray[np.float32]) -> float:
    """Mean relative difference of standard deviations, by log variances; infinite without one."""
    if found is None:
        return np.inf
    with np.errstate(over="ignore"):
        ratio = np.exp((found.astype(np.float64) - expected) / 2)
    difference = float(np.abs(ratio - 1).mean())
    return difference if np.isfinite(difference) else np.inf


def _depth_difference(ratio: NDArray[np.float64]) -> tuple[float, float]:
    """``abs_rel`` and ``a1`` of `depth_ratio`; NaN where no depth is expected."""
    if not len(ratio):
        return np.nan, np.nan
    return float(np.abs(ratio - 1).mean()), float((np.maximum(ratio, 1 / ratio) < 1.25).mean())


def _motion_difference(motions: NDArray[np.float32]) -> float:
    """Of ``(N, 2, 6)``, found and expected: mean length of the difference over that expected."""
    parts = motions.astype(np.float64).reshape(-1, 2, 2, 3)  # rotation and translation
    found, expected = parts[:, 0], parts[:, 1]
    difference, length = (
        np.linalg.norm(part, axis=-1).mean(0) for part in (found - expected, expected)
    )
    return float((difference / np.maximum(length, np.finfo(float).tiny)).max())
