"""Runs of odometry drawn: trajectories from above, errors of steps, scale over frames."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from odometry_run import Run

from monodepth_ros.evaluation.odometry_metrics import relative_pose_errors, try_to_align
from monodepth_ros.evaluation.report_files import save_figure
from monodepth_ros.evaluation.scale.drift import log_ratios


def plot(path: Path, runs: Sequence[Run]) -> None:
    """A file of four axes, all runs in each; those that cannot be aligned are left out."""
    figure = Figure(figsize=(14, 9), layout="constrained")
    above, shift, turn, scale = figure.subplots(2, 2).flat
    drawn = False
    for run in runs:
        known = np.array([pose is not None for pose in run.truth])
        truth = np.array([pose for pose in run.truth if pose is not None])
        estimate = np.array(run.poses)[known]
        alignment = try_to_align(estimate, truth)
        if alignment is None:
            continue
        home = np.linalg.inv(truth[0])
        aligned = home @ alignment.apply_to_poses(estimate)
        if not drawn:
            above.plot(*(home @ truth)[:, [0, 2], 3].T, color="black", label="truth")
            drawn = True
        (line,) = above.plot(*aligned[:, [0, 2], 3].T, label=run.name)
        metres, radians = relative_pose_errors(aligned, home @ truth)
        style = dict(label=run.name, color=line.get_color(), linewidth=0.8)
        frames = np.flatnonzero(known)
        shift.plot(frames[1:], 1000 * metres, **style)
        turn.plot(frames[1:], np.degrees(radians), **style)
        middle, _, ratios = log_ratios(estimate, truth)
        if len(ratios):
            scale.plot(middle, 100 * (ratios - np.median(ratios)), **style)
    path.parent.mkdir(parents=True, exist_ok=True)
    above.set(xlabel="x [m]", ylabel="z [m]", aspect="equal", title=path.stem)
    above.set_adjustable("datalim")
    shift.set(xlabel="frame", ylabel="translation error of a step [mm]")
    turn.set(xlabel="frame", ylabel="rotation error of a step [degrees]")
    scale.set(xlabel="frame", ylabel="log of length over true length, without its median [%]")
    for axes in (above, shift, turn, scale):
        axes.grid(alpha=0.3)
    for axes in (shift, turn):
        axes.set_yscale("log")
    if drawn:
        above.legend()
    save_figure(path, figure)
