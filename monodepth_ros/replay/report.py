"""The folder that a replay leaves: metrics, tables, a trajectory, plots, and a page of all of it.

Nothing here depends on when or how fast it was made, but for the files that begin with `timing`.
"""

from __future__ import annotations

import html
import json
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from monodepth_ros.errors import UserError
from monodepth_ros.evaluation import report_files as files
from monodepth_ros.evaluation.covariance_file import write_covariances
from monodepth_ros.evaluation.odometry_consistency import SPANS
from monodepth_ros.evaluation.trajectory import Trajectory, write_trajectory
from monodepth_ros.evaluation.uncertainty.report import write_uncertainty
from monodepth_ros.inference.odometry.registry import METHODS
from monodepth_ros.replay.record import ReplayRecord
from monodepth_ros.stamps import SECOND

_ERROR_OVER_TIME = "relative error of depth over time, median-scaled"
METRICS, FRAMES = "metrics.json", "frames.csv"
_STYLE = (
    "body{font-family:sans-serif;max-width:70em;margin:2em auto;padding:0 1em}"
    "table{border-collapse:collapse}td,th{padding:.2em .8em;text-align:right}"
    "td:first-child,th:first-child{text-align:left}tr:nth-child(even){background:#f2f2f2}"
    "img{max-width:100%}"
)
# What each figure is, in the order of the page. Those in metres are of what was brought to the
# ground truth's scale, so they are metres for relative models too.
_MEANINGS = {
    "frames": "frames replayed",
    "frames_left_out": "frames left out, see below",
    "frames_start": "first images, and first ones of another camera",
    "frames_restart": "images from which odometry began anew",
    "frames_motion": "images with motion",
    "frames_standstill": "images without motion: the pose is kept",
    "frames_bridge": "images after a short pause: the last velocity was assumed to go on",
    "frames_gap": "images after a long pause: the pose is kept, its uncertainty grows",
    "frames_none": "images not tracked: late, repeated or without contrast",
    **{f"motions_{name}": f"motions measured by method {name}" for name in METHODS},
    "abs_rel": "mean relative error of depth, median-scaled",
    "rmse": "root mean square error of depth, median-scaled, m",
    "a1": "share of pixels within 25 %",
    "aurg_abs_rel": "gain of confidence: 0 at random, the true error has about 0.6",
    "within_68": "share of the ground truth within the predicted 68 % interval",
    "within_95": "share of the ground truth within the predicted 95 % interval",
    "depth_seq_scale_std": "spread of depth's scale over the bag, relative",
    "ate_m": "trajectory error (ATE) after 7-DoF alignment, m",
    "length_m": "length of the ground-truth trajectory, m",
    "rpe_m": "translation error of a step after that alignment, m",
    "rpe_deg": "rotation error of a step, degrees",
    **{
        f"nees_{span}": f"NEES of motions over {span} frames; 6 where the covariance is true"
        for span in SPANS
    },
    **{
        f"nees_{span}_{end}": f"{end} 95 % bound of nees_{span} for a true covariance"
        for span in SPANS
        for end in ("lower", "upper")
    },
    "scale": "factor by which the alignment scaled odometry, m per unit of the model",
    "pose_depth_log_ratio_median": "|log| of odometry's scale over depth's, median",
    "pose_depth_log_ratio_std": "spread of log of odometry's scale over depth's",
    "pose_depth_log_ratio_offset": "log of odometry's scale over depth's, median",
}


def write_replay_report(
    folder: Path,
    title: str,
    facts: Mapping[str, str],
    record: ReplayRecord,
    pictures: Mapping[str, str],
    milliseconds: NDArray[np.float64],
) -> dict[str, object]:
    """Write all files; what metrics.json holds.

    ``facts`` say what was replayed by what; ``pictures`` are files in the folder already and their
    captions; ``milliseconds`` of computing, a value for each frame.
    """
    metrics = record.metrics()
    summary = {**record.summary(), "intrinsics": facts.get("intrinsics", "measured")}
    files.write_json(folder / METRICS, summary)
    _write_frames(folder / FRAMES, record)
    _write_trajectories(folder, record)
    plots = {**_plots(folder, record), "timing.png": "time to compute a frame"}
    files.save_lines(
        folder / "timing.png", {"computing": milliseconds}, "seconds", "ms", record.seconds()
    )
    median, p95 = np.percentile(milliseconds, (50, 95)) if len(milliseconds) else (np.nan, np.nan)
    timing = {"median_ms": float(median), "p95_ms": float(p95)}
    files.write_json(folder / "timing.json", timing)
    rows = [(name, metrics[name], _MEANINGS[name]) for name in _MEANINGS if name in metrics]
    body = [
        _table(("", ""), {**facts, **_scale_and_truth(record)}.items()),
        _table(("metric", "value", ""), ((n, f"{v:.4g}", meaning) for n, v, meaning in rows)),
        "".join(f"<p>{html.escape(line)}</p>" for line in record.account()),
        *(_image(file, caption) for file, caption in {**plots, **pictures}.items()),
    ]
    files.write_text(folder / "report.html", _page(title, body))
    return summary


def _scale_and_truth(record: ReplayRecord) -> dict[str, str]:
    """The unit of what the model says, and what it is measured against."""
    known = record.truth()
    unit = "metres" if record.metric else "relative: that of the model, unknown in metres"
    depths, poses = known["frames_with_depth"], known["frames_with_pose"]
    told = f"depth of {depths}, pose of {poses} of {len(record.frames)} frames"
    rows = {"unit": unit, "ground truth": told if depths or poses else "none: no errors are known"}
    if depths:
        rows["depth is compared by"] = record.protocol.describe()
    if "nearest_m" in known:
        range_ = f"{known['nearest_m']:.3g} to {known['farthest_m']:.3g} m"
        rows["range of that ground truth"] = range_
    return rows


def write_comparison(folder: Path, replays: Sequence[Path]) -> dict[str, dict[str, float]]:
    """A page with the metrics and plots of several replays of the same frames beside each other.

    UserError for a folder that is no replay, or one of other frames.
    """
    metrics: dict[str, dict[str, float]] = {}
    series: dict[str, NDArray[np.float64]] = {}
    stamps: list[str] | None = None
    for replay in replays:
        name = replay.name if replay.name not in metrics else str(replay)
        metrics[name], seconds, errors, own = _read_replay(replay)
        if stamps is not None and own != stamps:
            raise UserError(f"{replay}: not a replay of the same frames as {replays[0]}")
        stamps, series[name] = own, errors
    known = [name for name in _MEANINGS if any(name in found for found in metrics.values())]
    rows = [
        (name, *(f"{found[name]:.4g}" if name in found else "" for found in metrics.values()))
        for name in known
    ]
    body = [_table(("metric", *metrics), rows)]
    if any(np.isfinite(errors).any() for errors in series.values()):
        files.save_lines(folder / "compared_error.png", series, "seconds", "abs_rel", seconds)
        body.append(_image("compared_error.png", _ERROR_OVER_TIME))
    files.write_text(folder / "compare.html", _page("Replays compared", body))
    files.write_json(folder / "compare.json", metrics)
    return metrics


def _read_replay(
    folder: Path,
) -> tuple[dict[str, float], NDArray[np.float64], NDArray[np.float64], list[str]]:
    """Metrics, seconds, abs_rel of each frame, and the stamps."""
    try:
        metrics = json.loads((folder / METRICS).read_text())
        lines = (folder / FRAMES).read_text().splitlines()
        columns = lines[0].split(",")
        rows = [dict(zip(columns, line.split(","), strict=True)) for line in lines[1:]]
        seconds = np.array([float(row["seconds"]) for row in rows])
        errors = np.array([float(row["abs_rel"] or "nan") for row in rows])
        known = {key: value for key, value in metrics.items() if isinstance(value, (int, float))}
        return known, seconds, errors, [row["stamp_ns"] for row in rows]
    except (OSError, ValueError, KeyError, IndexError) as error:
        raise UserError(f"{folder}: not the folder of a replay: {error}") from None


def _write_frames(path: Path, record: ReplayRecord) -> None:
    names = ("abs_rel", "rmse", "a1")
    files.write_csv(
        path,
        ("stamp_ns", "seconds", "event", "method", *names, "scale_of_depth"),
        (
            (
                frame.stamp,
                f"{second:.6f}",
                frame.event,
                frame.method,
                *(f"{frame.metrics[name]:.6g}" if frame.metrics else "" for name in names),
                f"{frame.ratio:.6g}" if np.isfinite(frame.ratio) else "",
            )
            for frame, second in zip(record.frames, record.seconds(), strict=True)
        ),
    )


def _write_trajectories(folder: Path, record: ReplayRecord) -> None:
    """odometry.tum and its covariance; odometry_2.tum and so on too where the clock was set."""
    tracked = [frame for frame in record.frames if frame.pose is not None]
    for number, segment in enumerate(sorted({frame.segment for frame in tracked}), start=1):
        of_segment = [frame for frame in tracked if frame.segment == segment]
        name = "odometry" if number == 1 else f"odometry_{number}"
        keys = _growing(np.array([frame.stamp for frame in of_segment]) / SECOND)
        poses = np.stack([frame.pose for frame in of_segment if frame.pose is not None])
        trajectory = Trajectory(keys, poses)
        write_trajectory(trajectory, folder / f"{name}.tum")
        stated = [frame.covariance for frame in of_segment if frame.covariance is not None]
        if len(stated) == len(of_segment):
            write_covariances(folder / f"{name}_covariance.csv", trajectory, np.stack(stated))


def _growing(seconds: NDArray[np.float64]) -> NDArray[np.float64]:
    """Stamps a few nanoseconds apart are one number in seconds: each is made the next number."""
    for k in range(1, len(seconds)):
        seconds[k] = max(seconds[k], np.nextafter(seconds[k - 1], np.inf))
    return seconds


def _plots(folder: Path, record: ReplayRecord) -> dict[str, str]:
    """Files and their captions, of what there is truth for."""
    plots = {}
    over_time = partial(files.save_lines, x_label="seconds", x=record.seconds())
    errors = record.series("abs_rel")
    if np.isfinite(errors).any():
        over_time(folder / "error_over_time.png", {"abs_rel": errors}, y_label="abs_rel")
        plots["error_over_time.png"] = _ERROR_OVER_TIME
        errors_at = record.error_map()
        if errors_at is not None:
            _error_map(folder / "error_map.png", errors_at)
            plots["error_map.png"] = "where in the image depth errs: mean relative error"
        label = "m per m" if record.metric else "m per unit of the model"
        over_time(folder / "scale_over_time.png", {"depth": record.series("ratio")}, y_label=label)
        plots["scale_over_time.png"] = (
            "scale of depth: median of the ground truth over median of the estimate"
        )
    if record.uncertainties:
        plots |= write_uncertainty(folder, record.uncertainties)
    if any(frame.pose is not None for frame in record.frames):
        plots["trajectory.png"] = _from_above(folder / "trajectory.png", record)
    return plots


def _error_map(path: Path, errors: NDArray[np.float64]) -> None:
    figure = Figure(figsize=(6, 4), layout="constrained")
    axes = figure.add_subplot(xticks=[], yticks=[])
    shown = axes.imshow(errors, vmin=0, vmax=0.5, cmap="viridis")
    figure.colorbar(shown, label="relative error", shrink=0.8)
    files.save_figure(path, figure)


def _from_above(path: Path, record: ReplayRecord) -> str:
    """x to the right and z forward of the first camera; the estimate brought to the truth, if any.

    Returns the caption.
    """
    estimate, truth, alignment = record.aligned()
    unit = "m" if record.metric or alignment is not None else "unit of the model"
    if alignment is None:
        poses = {"estimate": np.stack([f.pose for f in record.frames if f.pose is not None])}
    else:
        first = np.linalg.inv(truth[0])
        aligned = first @ alignment.apply_to_poses(estimate)
        poses = {"ground truth": first @ truth, "estimate, aligned": aligned}
    files.save_from_above(path, {name: found[:, :3, 3] for name, found in poses.items()}, unit)
    told = ", aligned to the ground truth (7 DoF)" if alignment is not None else ""
    told += f", in {unit if unit != 'm' else 'metres'}"
    if len({frame.segment for frame in record.frames}) > 1:
        told += "; where the clock was set, it goes on from where it was"
    return f"trajectory from above the first camera{told}"


def _table(head: Sequence[str], rows: object) -> str:
    lines = [head, *rows]  # type: ignore[misc]
    cells = ("".join(f"<td>{html.escape(str(cell))}</td>" for cell in row) for row in lines)
    return "<table>" + "".join(f"<tr>{row}</tr>" for row in cells) + "</table>"


def _image(file: str, caption: str) -> str:
    return f'<h3>{html.escape(caption)}</h3><img src="{html.escape(file)}" alt="">'


def _page(title: str, body: Sequence[str]) -> str:
    name = html.escape(title)
    head = f'<meta charset="utf-8"><title>{name}</title><style>{_STYLE}</style>'
    content = f"<head>{head}</head><body><h1>{name}</h1>{''.join(body)}</body>"
    return f"<!doctype html><html>{content}</html>\n"
