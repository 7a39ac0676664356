"""The seven depth metrics of Eigen et al. (NeurIPS 2014), per image, and their mean over images.

One definition serves arrays and tensors; torch is imported for tensors alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

if TYPE_CHECKING:
    from torch import Tensor

METRIC_NAMES = ("abs_rel", "sq_rel", "rmse", "rmse_log", "a1", "a2", "a3")


def depth_metrics(pred: ArrayLike, truth: ArrayLike) -> dict[str, float]:
    """The seven metrics over paired depths of one image.

    `pred` and `truth` hold positive metres in the same shape, valid pixels only. Computed in
    float64. Raises ValueError when they are empty, differ in shape or hold a depth that is not
    finite and positive.
    """
    p, t = np.asarray(pred, np.float64), np.asarray(truth, np.float64)
    if p.shape != t.shape or p.size == 0:
        raise ValueError(f"metrics need paired depths, got shapes {p.shape} and {t.shape}")
    if not (_usable(p).all() and _usable(t).all()):
        raise ValueError("metrics need finite, positive depths: mask the invalid pixels first")
    return {name: float(value) for name, value in _seven(p, t, np, np.mean).items()}


def _seven(p: Any, t: Any, library: Any, mean: Callable[[Any], Any]) -> dict[str, Any]:
    """The seven formulas, of arrays or tensors; ``mean`` averages over the pixels that count."""
    difference = p - t
    log_difference = library.log(p) - library.log(t)
    ratio = library.maximum(p / t, t / p)
    return {
        "abs_rel": mean(library.abs(difference) / t),
        "sq_rel": mean(difference**2 / t),
        "rmse": library.sqrt(mean(difference**2)),
        "rmse_log": library.sqrt(mean(log_difference**2)),
        **{f"a{k}": mean(ratio < 1.25**k) for k in (1, 2, 3)},
    }


def median_ratio(pred: ArrayLike, truth: ArrayLike) -> float:
    """median(truth) / median(pred): the factor that brings a relative prediction to metres.

    NumPy's median, the mean of the two middle values of an even count, is meant everywhere.
    """
    return float(np.median(np.asarray(truth, np.float64)) / np.median(np.asarray(pred, np.float64)))


def mean_metrics(per_image: Iterable[Mapping[str, float]]) -> dict[str, float]:
    """The mean of each of the seven metrics over images, every image with the same weight."""
    rows = list(per_image)
    if not rows:
        raise ValueError("no image to average metrics over")
    return {name: float(np.mean([row[name] for row in rows])) for name in METRIC_NAMES}


def batch_median_scaled_metrics(
    pred: Tensor, truth: Tensor, min_depth: float, max_depth: float
) -> dict[str, Tensor]:
    """The seven metrics of a batch after median scaling, on its device.

    `pred` and `truth` are Bx1xHxW. Valid are pixels whose truth lies within (min_depth, max_depth)
    and whose prediction is finite and positive; the prediction is scaled by `median_ratio`, then
    clamped to [min_depth, max_depth]: what `evaluate_image` does by a protocol of these limits.
    Returns the metrics and `median_ratio`, each of shape B in float32 (float64 for float64 input),
    NaN for an image without a valid pixel.
    """
    import torch

    p, t = pred.flatten(1), truth.flatten(1)
    valid = (t > min_depth) & (t < max_depth) & torch.isfinite(p) & (p > 0)
    ratio = _masked_median(t, valid) / _masked_median(p, valid)
    p = (p * ratio[:, None]).clamp(min_depth, max_depth).where(valid, torch.ones_like(p))
    t = t.where(valid, torch.ones_like(t))  # masked pixels are perfect: they add 0 to every sum
    count = valid.sum(1).to(p.dtype)

    def mean(value: Tensor) -> Tensor:
        return (value * valid).sum(1) / count

    return {**_seven(p, t, torch, mean), "median_ratio": ratio}


def _usable(depth: NDArray[np.floating]) -> NDArray[np.bool_]:
    return np.isfinite(depth) & (depth > 0)


def _masked_median(values: Tensor, valid: Tensor) -> Tensor:
    """NumPy's median of each row's valid entries (torch.median gives the lower middle value)."""
    import torch

    ordered = values.where(valid, torch.full_like(values, torch.inf)).sort(1).values
    count = valid.sum(1, keepdim=True)
    low = ordered.gather(1, ((count - 1) // 2).clamp(min=0))
    high = ordered.gather(1, (count // 2).clamp(max=values.shape[1] - 1))
    return ((low + high) / 2).where(count > 0, torch.full_like(low, torch.nan)).squeeze(1)
