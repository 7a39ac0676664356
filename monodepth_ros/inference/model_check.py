"""A model's health: files as hashed, weights that load, outputs that can be depth."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from monodepth_ros.errors import UserError
from monodepth_ros.inference.depth_estimator import DepthEstimator, DepthPrediction
from monodepth_ros.inference.engines.agreement import Agreement, compare
from monodepth_ros.inference.engines.base import Rgb
from monodepth_ros.inference.engines.registry import load_engine

# A network that has collapsed says the same everywhere, or sits at one end of its range.
MIN_SPREAD = 1.02  # 95th over 5th percentile of depth on a real frame
MAX_SATURATED = 0.5  # fraction of pixels within 1 % of the nearest or farthest depth


@dataclass(frozen=True)
class Finding:
    """One thing that was checked."""

    check: str
    passed: bool
    detail: str


def check_model(
    folder: str | os.PathLike[str],
    frames: Iterable[tuple[str, Rgb]] = (),
    device: str = "auto",
    precision: str = "fp32",
    engine: str = "auto",
    threads: int = 0,
    compared: Iterable[tuple[str, Rgb]] | None = None,
) -> list[Finding]:
    """Load the model in ``folder`` and run it on random pixels and on the named ``frames``.

    Finite outputs are required of both; on frames depth must also vary and not saturate. On
    ``compared`` frames depth and motion must be those of torch in fp32, as near as `agreement`
    demands. A model that does not load is one finding that did not pass.
    """
    try:
        estimator = DepthEstimator(load_engine(folder, engine, device, precision, None, threads))
        if compared is not None:
            reference = load_engine(folder, "torch", device, "fp32", None, threads)
    except UserError as error:
        return [Finding("load", False, str(error))]
    networks = "depth and pose" if estimator.engine.has_motion else "depth"
    noise = np.random.default_rng(0).integers(0, 256, (2, *estimator.size, 3), dtype=np.uint8)
    findings = [
        Finding("load", True, f"hashes agree, {networks} on {estimator.engine.device}"),
        _check_finite("random pixels", estimator, estimator.estimate(noise[0])),
        *(_check_depth(name, estimator, rgb) for name, rgb in frames),
    ]
    if estimator.engine.has_motion:
        findings.append(_check_motion(estimator, *noise))
    if compared is not None:
        findings.append(_check_agreement(compare(estimator.engine, reference, compared)))
    return findings


def _check_agreement(found: Agreement) -> Finding:
    motion = "" if found.motion is None else f", motion {found.motion:.2g} of its length"
    detail = (
        f"abs_rel {found.abs_rel:.2g}, a1 {found.a1:.4f}{motion};"
        f" worst frame {found.worst_frame}: abs_rel {found.worst_abs_rel:.2g}"
    )
    name = f"{found.precision} against torch fp32, {found.frames} frames"
    return Finding(name, not found.refusal, "; ".join(filter(None, (found.refusal, detail))))


def _check_finite(name: str, estimator: DepthEstimator, prediction: DepthPrediction) -> Finding:
    """Only a network without a farthest depth may leave out pixels, as in the sky, but not all."""
    known = np.isfinite(prediction.depth)
    invalid = known.size - int(known.sum())
    without = f"{invalid} of {known.size} pixels are invalid"
    if invalid and (estimator.card.output == "disparity" or not known.any()):
        return Finding(name, False, without)
    told = f"depth {_range(prediction.depth[known])}"
    return Finding(name, True, f"{told}; {without}" if invalid else told)


def _check_depth(name: str, estimator: DepthEstimator, rgb: Rgb) -> Finding:
    prediction = estimator.estimate(rgb)
    finite = _check_finite(name, estimator, prediction)
    if not finite.passed:
        return finite
    depth = prediction.depth[np.isfinite(prediction.depth)]
    near, far = np.percentile(depth, [5, 95])
    if far < MIN_SPREAD * near:
        return Finding(name, False, f"collapsed: depth is {_range(depth)} all over")
    lowest, highest = estimator.card.min_depth, estimator.card.max_depth
    saturated = float(np.mean((depth < 1.01 * lowest) | (depth > 0.99 * highest)))
    if prediction.scale == "relative" and saturated > MAX_SATURATED:
        return Finding(name, False, f"{saturated:.0%} of the pixels are at the end of the range")
    return finite


def _check_motion(estimator: DepthEstimator, first: Rgb, second: Rgb) -> Finding:
    engine = estimator.engine
    motion = engine.motion(engine.prepare(first[None]), engine.prepare(second[None]))
    finite = bool(np.isfinite(motion).all())
    return Finding("motion of random pixels", finite, "finite" if finite else "not finite")


def _range(depth: NDArray[np.float32]) -> str:
    return f"{depth.min():.3g} to {depth.max():.3g}, median {np.median(depth):.3g}"
