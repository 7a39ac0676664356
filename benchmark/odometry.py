"""How far odometry drifts, method by method, beside the classical peer; what it costs a frame.

    python benchmark/odometry.py --recordings RECORDINGS --worlds WORLDS --part report
    python benchmark/odometry.py --recordings RECORDINGS --only office --methods geometry
    python benchmark/odometry.py --recordings RECORDINGS --movers --methods geometry five-point

Every method of the registry runs in the node's tracker at default settings, on one core, over the
recordings below; so does the peer (common/five_point.py: Lucas-Kanade, five-point, RANSAC), whose
steps have no length. For all, the ATE with the true length of each step tells directions from
lengths. Settings of the package were chosen on the frames of ``--part choose``; what is reported
are others (``report``, 30 frames away or more, of KITTI 5) and ``whole``.

With ``--movers`` a board that moves by itself is pasted into the frames (common/pasted_mover.py).

WORLDS is a folder where synthetic places are rendered by `monodepth synth`, unless they are there.
Figures do not depend on the machine, but for latencies, and for what its engine rounds.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
from common import paths  # noqa: F401 - the programs of common import each other
from machine import describe_machine
from odometry_figures import figures
from odometry_run import PEER, Run, track, track_peer
from odometry_table import table
from pasted_mover import MOVERS, WithMover

from monodepth_ros.data.cameras.capture_settings import CaptureSettings
from monodepth_ros.data.frame_times import frame_times, median_step
from monodepth_ros.data.open_sequence import open_sequence
from monodepth_ros.data.rectification import rectified
from monodepth_ros.data.sequence import Sequence
from monodepth_ros.errors import UserError
from monodepth_ros.evaluation.report_files import finite
from monodepth_ros.inference.engines.registry import load_engine
from monodepth_ros.inference.odometry.registry import METHODS, load_method
from monodepth_ros.share_directory import share_directory
from monodepth_ros.worlds.generate import SequenceRequest, generate

PARTS = ("choose", "report", "whole")
Parts = dict[str, dict[str, dict[str, Any]]]  # part, recording, method: figures


@dataclass(frozen=True)
class Recording:
    """Frames by part, as slices; ``rate`` in Hz where the recording has no stamps.

    ``mover`` is how far away a mover is pasted, in metres; None: none is.
    """

    name: str
    folder: str
    choose: str | None = None
    report: str | None = None
    whole: str | None = None
    rate: float | None = None
    mover: float | None = None


RECORDINGS = (
    Recording("kitchen", "7scenes_redkitchen", "0:300", "350:700", "0:700", mover=1.0),
    Recording("kitchen_every_5th", "7scenes_redkitchen", "0:300:5", "350:700:5", "0:700:5"),
    Recording("office", "hololens_office", "0:100", "130:240", "0:240", rate=10.0, mover=1.2),
    Recording("kitti_06", "kitti_odometry_06_gray", "0:25", "30:51", "0:51", mover=8.0),
    Recording("euroc_standstill", "euroc_v101_standstill", "0:8"),
)
WALK = Recording("demo_walk", "sample_walk", whole="0:150")  # the demo's, in the package


@dataclass(frozen=True)
class Place:
    """A synthetic place, rendered at the size of a small camera."""

    world: str
    seed: int
    part: str
    frames: int = 60

    @property
    def name(self) -> str:
        return f"{self.world}_{self.seed}"

    def rendered(self, worlds: Path) -> Path:
        """Its folder; what is there already is not rendered again."""
        folder = worlds / self.name
        table = folder / "frames.csv"
        if table.exists() and len(table.read_text().splitlines()) == self.frames + 1:
            return folder  # and nothing is needed that renders
        request = SequenceRequest(self.world, self.seed, self.frames, width=480, height=320)
        for done in generate(request.validate(), folder):
            print(f"{self.name}: {done} of {self.frames} frames", end="\r", flush=True)
        return folder


# The bundled model has seen none of them.
PLACES = tuple(
    Place(world, seed, part)
    for part, seeds in (("choose", (100, 101)), ("report", (200, 201)))
    for world in ("rooms", "street")
    for seed in seeds
)


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    add = parser.add_argument
    add("--recordings", type=Path, help="folder of the real recordings")
    add("--worlds", type=Path, help="folder of rendered places")
    add("--part", nargs="+", choices=PARTS, default=list(PARTS))
    add("--methods", nargs="+", default=[*METHODS, PEER], help="default: all, and the peer")
    add("--only", nargs="+", help="names of recordings")
    add("--movers", action="store_true", help="real recordings alone, with a mover pasted in")
    add("--model", default="demo")
    add("--engine", default="openvino")
    add("--precision", default="fp32")
    add("--plots", type=Path, help="folder for a plot of each recording")
    add("--out", type=Path, help="JSON; the table is written beside it as .md")
    add("--keep", action="store_true", help="what --out holds already is kept, not measured again")
    return parser.parse_args(arguments)


def sequences(options: argparse.Namespace, part: str) -> Iterator[tuple[str, Sequence]]:
    """The recordings of a part by name; those whose folder is not given are left out."""

    def wanted(name: str) -> bool:
        return options.only is None or name in options.only

    places = [place for place in PLACES if place.part == part and wanted(place.name)]
    walk = share_directory() / "models" / "demo"
    for folder, recordings in ((options.recordings, RECORDINGS), (walk, (WALK,))):
        for recording in recordings if folder is not None else ():
            frames = getattr(recording, part)
            if frames is not None and wanted(recording.name):
                capture = CaptureSettings(fps=recording.rate)
                path = f"{folder / recording.folder}@{frames}"
                sequence = open_sequence(path, capture=capture)[0]
                if options.movers:
                    yield from with_movers(recording, sequence)
                else:
                    yield recording.name, sequence
    for place in places if options.worlds is not None and not options.movers else ():
        yield place.name, open_sequence(place.rendered(options.worlds))[0]


def with_movers(recording: Recording, sequence: Sequence) -> Iterator[tuple[str, Sequence]]:
    """The recording as it is, and once with each mover, whose texture is the demo's walk."""
    if recording.mover is None:
        return
    yield recording.name, sequence
    sequence = rectified(sequence)
    step = median_step(frame_times(sequence))
    assert step is not None
    texture = open_sequence(share_directory() / "models" / "demo" / "sample_walk")[0].image(0)
    for mover in MOVERS:
        pasted = WithMover(sequence, mover, texture, recording.mover, step)
        yield f"{recording.name}, {mover.name}", pasted


def measured(name: str, engine: Any, sequence: Sequence) -> Run:
    """A method of the registry, or the peer."""
    return track_peer(sequence) if name == PEER else track(name, engine, sequence)


def main(arguments: list[str] | None = None) -> None:
    options, machine = parse_arguments(arguments), describe_machine()
    cv2.setNumThreads(1)
    engine = load_engine(options.model, options.engine, "cpu", options.precision, threads=1)
    for name in options.methods:
        if name != PEER:
            try:
                load_method(name, engine)
            except UserError as error:
                raise SystemExit(str(error)) from None
    report = {"machine": machine, "model": options.model, "engine": engine.describe()}
    parts: Parts = kept(options.out) if options.keep and options.out is not None else {}
    for part in options.part:
        for recording, sequence in sequences(options, part):
            rows = parts.setdefault(part, {}).setdefault(recording, {})
            names = [name for name in options.methods if name not in rows]
            runs = [measured(name, engine, sequence) for name in names]
            rows.update({run.name: figures(run) for run in runs})
            if options.plots is not None:
                from odometry_plot import plot  # matplotlib

                plot(options.plots / f"{part}_{recording}.png", runs)
            if runs:
                print(table({part: {recording: rows}}), flush=True)
            if options.out is not None:
                write(options.out, {**report, "parts": parts})


def kept(path: Path) -> Parts:
    """The figures of an earlier run, if there is one."""
    return dict(json.loads(path.read_text())["parts"]) if path.exists() else {}


def write(path: Path, report: Mapping[str, Any]) -> None:
    """The report as JSON, and its tables as Markdown."""
    path.write_text(json.dumps(finite(report), indent=1) + "\n")
    path.with_suffix(".md").write_text(table(report["parts"]) + "\n")


if __name__ == "__main__":
    main()
