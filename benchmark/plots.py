"""The plots of docs/performance.md, made of the committed results.

    python benchmark/plots.py

reads ``benchmark/results`` and writes ``docs/images/performance_*.svg``. What was not measured yet
is left out.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("svg")
import matplotlib.pyplot as plt
from matplotlib.axes import Axes

RESULTS = Path(__file__).parent / "results"
IMAGES = Path(__file__).parents[1] / "docs" / "images"
OURS, THEIRS, PLAIN = "#1f77b4", "#d62728", "#9e9e9e"
# Equal files for equal figures.
plt.rcParams |= {"svg.hashsalt": "performance", "svg.fonttype": "none", "font.size": 9}


def main() -> None:
    plots = {"inference": inference, "scaling": scaling, "node": node, "offline": offline}
    for name, plot in plots.items():
        figure = plot()
        if figure is None:
            continue
        path = IMAGES / f"performance_{name}.svg"
        figure.savefig(path, metadata={"Date": None}, bbox_inches="tight")
        plt.close(figure)
        print(path)


def read(name: str) -> dict[str, Any] | None:
    """A committed result, if there is one."""
    path = RESULTS / f"{name}.json"
    return json.loads(path.read_text()) if path.exists() else None


def inference() -> Any:
    """How many times as fast as torch's own each engine is."""
    report = read("inference_1_threads")
    if report is None:
        return None
    figure, axes = plt.subplots(1, len(report["cases"]), figsize=(9, 2.8), squeeze=False)
    for axis, case in zip(axes[0], report["cases"], strict=True):
        rows = [row for row in case["rows"] if "median_ms" in row]
        colours = [_colour(row["contender"]) for row in rows]
        names = [_name(row) for row in rows]
        bars = axis.barh(names, [case["over_eager"][r["contender"]] for r in rows], color=colours)
        axis.bar_label(bars, [f" {row['median_ms']:.1f} ms" for row in rows])
        axis.set_title(case["case"])
        axis.set_xlabel("times as fast as eager torch, one core")
        axis.margins(x=0.25)
        axis.invert_yaxis()
        _plain(axis)
    figure.tight_layout()
    return figure


def scaling() -> Any:
    """Milliseconds against pixels and cameras, images a second against processes."""
    report = read("scaling_resnet18") or read("scaling_demo")
    if report is None:
        return None
    figure, (size, cameras, processes) = plt.subplots(1, 3, figsize=(9, 2.8))
    for name, points in _lines(report["size"], "median_ms").items():
        pixels = [_pixels(amount) for amount, _ in points]
        size.plot(pixels, [ms for _, ms in points], "o-", color=_line_colour(name), label=name)
    size.set(xlabel="thousand pixels", ylabel="ms an image")
    for name, points in _lines(report["cameras"], "median_ms").items():
        xs, ys = zip(*((int(n), ms) for n, ms in points), strict=True)
        cameras.plot(xs, ys, "o-", color=_line_colour(name), label=name)
    cameras.set(xlabel="cameras in a batch", ylabel="ms a batch")
    for name, points in _lines(report["processes"], "images_per_second").items():
        xs, ys = zip(*((int(n), rate) for n, rate in points), strict=True)
        processes.plot(xs, ys, "o-", color=_line_colour(name), label=name)
    processes.set(xlabel="processes", ylabel="images/s together")
    for axis in (size, cameras, processes):
        axis.set_ylim(bottom=0)
        _plain(axis)
    size.legend(frameon=False)
    figure.tight_layout()
    return figure


def node() -> Any:
    """Where the time of a frame goes, besides the network."""
    report = read("node")
    if report is None or "stages_thread_ms" not in report:
        return None
    stages = {
        name: ms
        for name, ms in report["stages_thread_ms"].items()
        if name not in ("network", "whole frame")
    }
    figure, axis = plt.subplots(figsize=(6, 2.2))
    bars = axis.barh(list(stages), list(stages.values()), color=OURS)
    axis.bar_label(bars, [f" {ms:.2f}" for ms in stages.values()])
    axis.set_xlabel("ms a frame besides the network, 640x480, one core")
    axis.margins(x=0.15)
    axis.invert_yaxis()
    _plain(axis)
    figure.tight_layout()
    return figure


def offline() -> Any:
    """Images a second of whole commands."""
    report = read("offline")
    if report is None:
        return None
    tasks = [task for task in ("predict", "evaluate") if "reference" in report.get(task, {})]
    figure, axis = plt.subplots(figsize=(6, 1.8))
    for offset, name, colour in ((-0.2, "reference", THEIRS), (0.2, "ours", OURS)):
        rates = [report[task][name]["images_per_second"] for task in tasks]
        places = [k + offset for k in range(len(tasks))]
        bars = axis.barh(places, rates, 0.38, color=colour, label=name)
        axis.bar_label(bars, [f" {rate:.1f}" for rate in rates])
    axis.set_yticks(range(len(tasks)), [f"{t} {report[t]['images']} images" for t in tasks])
    axis.set_xlabel("images/s, whole command")
    axis.margins(x=0.15)
    axis.legend(frameon=False)
    axis.invert_yaxis()
    _plain(axis)
    figure.tight_layout()
    return figure


def _lines(measured: dict[str, Any], key: str) -> dict[str, list[tuple[str, float]]]:
    """Points of each contender that ran."""
    found: dict[str, list[tuple[str, float]]] = {}
    for amount, result in measured.items():
        for row in result["rows"]:
            if key in row:
                found.setdefault(row["contender"], []).append((amount, row[key]))
    return found


def _pixels(size: str) -> float:
    width, height = map(int, size.split("x"))
    return width * height / 1000


def _name(row: dict[str, Any]) -> str:
    """A contender, and what `auto` has picked."""
    engine = row.get("engine", {})
    if row["contender"] != "auto":
        return str(row["contender"])
    return f"auto: {engine.get('engine', '')} {engine.get('precision', '')}"


def _colour(name: str) -> str:
    return {"eager": PLAIN, "reference": THEIRS}.get(name, OURS)


def _line_colour(name: str) -> str | None:
    return THEIRS if name == "reference" else None


def _plain(axis: Axes) -> None:
    axis.spines[["top", "right"]].set_visible(False)


if __name__ == "__main__":
    main()
