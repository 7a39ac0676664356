"""Files of an uncertainty: uncertainty.json with figures, curves and ranges, and plots of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from monodepth_ros.evaluation import report_files as files
from monodepth_ros.evaluation.uncertainty.calibration import LEVELS
from monodepth_ros.evaluation.uncertainty.image import ImageUncertainty
from monodepth_ros.evaluation.uncertainty.sparsification import PIXEL_ERRORS, REMOVED
from monodepth_ros.evaluation.uncertainty.summary import (
    figures,
    mean_curves,
    ranges,
    shares_within,
)

SPARSIFICATION, CALIBRATION = "sparsification.png", "calibration.png"
_LABELS = {"confidence": "by confidence", "oracle": "by true error (oracle)"}


def write_uncertainty(folder: Path, images: Sequence[ImageUncertainty]) -> dict[str, str]:
    """Write uncertainty.json and the plots; the plots' names and captions."""
    shares = shares_within([part for image in images for part in image.ranges])
    files.write_json(
        folder / "uncertainty.json",
        {
            **figures(images),
            "ranges": ranges(images),
            "removed": REMOVED.tolist(),
            "curves": {
                name: {key: curve.tolist() for key, curve in mean_curves(images, name).items()}
                for name in PIXEL_ERRORS
            },
            "predicted_share": list(LEVELS),
            "share_within": [None if np.isnan(share) else share for share in shares.tolist()],
        },
    )
    _plot_sparsification(folder / SPARSIFICATION, images)
    plots = {SPARSIFICATION: "error of depth as the least confident pixels are removed"}
    if np.isfinite(shares).all():
        _plot_calibration(folder / CALIBRATION, shares.tolist())
        plots[CALIBRATION] = "share of the ground truth within the predicted intervals"
    return plots


def _plot_sparsification(path: Path, images: Sequence[ImageUncertainty]) -> None:
    figure = Figure(figsize=(4 * len(PIXEL_ERRORS), 3.5), layout="constrained")
    for number, name in enumerate(PIXEL_ERRORS, start=1):
        title = name.replace("not_a1", "1 - a1")
        axes = figure.add_subplot(1, len(PIXEL_ERRORS), number, title=title)
        axes.set_xlabel("share of pixels removed")
        axes.axhline(1.0, color="grey", linestyle=":", label="at random")
        for key, curve in mean_curves(images, name).items():
            axes.plot(REMOVED, curve, label=_LABELS[key])
        axes.set_ylim(bottom=0)
        if number == 1:
            axes.set_ylabel("error left / error of all")
            axes.legend()
    files.save_figure(path, figure)


def _plot_calibration(path: Path, shares: Sequence[float]) -> None:
    figure = Figure(figsize=(4.5, 4), layout="constrained")
    axes = figure.add_subplot(xlabel="predicted share", ylabel="share of the truth", aspect="equal")
    axes.plot([0, 1], [0, 1], color="grey", linestyle=":", label="calibrated")
    axes.plot(LEVELS, shares, marker="o", label="model")
    axes.set(xlim=(0, 1), ylim=(0, 1))
    axes.legend()
    files.save_figure(path, figure)
