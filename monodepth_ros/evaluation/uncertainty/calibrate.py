"""Fits a model's error model to recordings with true depth: `monodepth models calibrate`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from monodepth_ros.data.images.file import CorruptFrame
from monodepth_ros.data.sequence import Sequence as Recording
from monodepth_ros.errors import UserError
from monodepth_ros.evaluation.depth_metrics import median_ratio
from monodepth_ros.geometry.image_size import resize_bytes, resize_nearest
from monodepth_ros.inference.engines.base import DepthMaps, Engine, depth_and_variance
from monodepth_ros.inference.uncertainty.evidence import evidence
from monodepth_ros.inference.uncertainty.familiarity import distance, statistics
from monodepth_ros.inference.uncertainty.half_size import halved
from monodepth_ros.inference.uncertainty.terms import WITH_HEAD, WITHOUT_HEAD, error_terms
from monodepth_ros.zoo.card import ErrorModel, Familiar

Values = NDArray[np.float64]

_PIXELS = 4000  # of a frame at most: neighbours say the same
_RIDGE = 1.0  # of standardised terms: chosen on recordings that were not fitted to
_SMALL = 0.1  # of a frame's mean error, added to errors: a logarithm makes much of tiny ones
_MIN_FRAMES = 8
_FAMILIAR = 0.99  # share of the given images that count as familiar
_ONE_SIGMA = 0.6827
_DIGITS = 5


@dataclass(frozen=True)
class RatedFrame:
    """Image statistics of a frame, and where it has a truth, terms (N, K) and errors (N,)."""

    statistics: Values
    names: tuple[str, ...] = ()
    terms: Values | None = None
    errors: Values | None = None


def rated_frames(
    engine: Engine, recordings: Iterable[Recording], every: int
) -> Iterator[RatedFrame]:
    """Every ``every``-th frame of recordings, at the network's size.

    Errors are those of log depth after median scaling, where an image shows something. Frames that
    cannot be read are left out.
    """
    for recording in recordings:
        for index in range(0, len(recording), every):
            try:
                image, truth = recording.image(index), recording.depth(index)
            except CorruptFrame:
                continue
            frames = engine.prepare(image[None])
            yield _rated(frames.pixels()[0], depth_and_variance(engine, frames), truth)


def _rated(
    image: NDArray[np.uint8], maps: DepthMaps, truth: NDArray[np.float32] | None
) -> RatedFrame:
    """At half the size, as the error model works."""
    image = resize_bytes(image[None], maps.inverse_depth.shape[1:])[0]
    found, inverse = statistics(image, maps.inverse_depth[0]), halved(maps.inverse_depth[0])
    if truth is None:
        return RatedFrame(found)
    size = inverse.shape[0], inverse.shape[1]
    true = resize_nearest(truth, size).astype(np.float64)
    shown = evidence(image) == 1
    chosen = np.flatnonzero(np.isfinite(true) & (true > 0) & shown)
    if len(chosen) < 2:
        return RatedFrame(found)
    chosen = chosen[:: -(-len(chosen) // _PIXELS)]
    depth, true = 1 / inverse.ravel()[chosen].astype(np.float64), true.ravel()[chosen]
    errors = np.abs(np.log(median_ratio(depth, true) * depth / true))
    told = maps.log_variance
    names, of_head = (WITHOUT_HEAD, None) if told is None else (WITH_HEAD, told[0])
    terms = error_terms(inverse, names, of_head)
    values = np.stack([term.ravel()[chosen] for term in terms.values()], 1)
    return RatedFrame(found, tuple(terms), values.astype(np.float64), errors)


def fit_error_model(
    frames: Sequence[RatedFrame], further: Sequence[RatedFrame], data: str
) -> ErrorModel:
    """The error model of ``frames``; ``data`` names them on the card.

    Images of ``further`` frames are familiar as well.

    The weights are those of a ridge regression of log errors, each frame's relative to its mean,
    so that what differs between recordings teaches nothing about pixels. The intercept lets 68 % of
    all errors be smaller than the standard deviation. UserError with too few frames.
    """
    known = [frame for frame in frames if frame.errors is not None and frame.errors.any()]
    if len(known) < _MIN_FRAMES:
        raise UserError(
            f"{len(known)} of {len(frames)} frames have true depth to calibrate on:"
            f" {_MIN_FRAMES} are needed"
        )
    weights = _weights(known)
    ratios = [
        frame.errors / np.exp(frame.terms @ weights)
        for frame in known
        if frame.terms is not None and frame.errors is not None
    ]
    intercept = np.log(np.quantile(np.concatenate(ratios), _ONE_SIGMA))
    fitted = dict(zip(known[0].names, weights, strict=True))
    return ErrorModel(
        intercept=round(float(intercept), _DIGITS),
        **{name: round(float(weight), _DIGITS) for name, weight in fitted.items()},
        familiar=_familiar(np.stack([frame.statistics for frame in (*frames, *further)])),
        data=data,
    )


def _weights(frames: Sequence[RatedFrame]) -> Values:
    terms, targets = [], []
    for frame in frames:
        assert frame.terms is not None and frame.errors is not None
        target = np.log(frame.errors / frame.errors.mean() + _SMALL)
        root = 1 / np.sqrt(len(target))  # frames of few and of many pixels count alike
        terms.append(root * (frame.terms - frame.terms.mean(0)))
        targets.append(root * (target - target.mean()))
    x, y = np.concatenate(terms), np.concatenate(targets)
    scale = np.sqrt((x**2).sum(0) / len(frames)) + 1e-9
    x = x / scale
    squares, products = x.T @ x / len(frames), x.T @ y / len(frames)
    weights = np.linalg.solve(squares + _RIDGE * np.eye(x.shape[1]), products)
    # The ridge decides their ratios alone: together they are as large as fits best.
    fitted = weights @ squares @ weights
    share = weights @ products / fitted if fitted > 0 else 1.0
    return np.asarray(share * weights / scale)


def _familiar(found: Values) -> Familiar:
    mean, covariance = found.mean(0), np.cov(found.T) + 1e-6 * np.eye(found.shape[1])
    familiar = Familiar(
        mean=np.round(mean, _DIGITS).tolist(),
        covariance=np.round(covariance, _DIGITS + 2).tolist(),
        limit=1.0,
    )
    limit = np.quantile([distance(one, familiar) for one in found], _FAMILIAR)
    return familiar.model_copy(update={"limit": round(float(limit), _DIGITS)})
