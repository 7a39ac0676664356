"""How good metres are that a robot's own motion, or a few LiDAR points, give to predicted depth.

    python benchmark/scale_sources.py --recordings RECORDINGS --part report
    python benchmark/scale_sources.py --recordings RECORDINGS --only office

`odometry`: the recording's poses are taken for those of a robot's odometry. Error of depth in
metres, without a look at the truth, beside that after the best alignment of each image: by the
median for the bundled model as it is, by least squares over scale and shift for a stand-in for
models that leave both open. The stand-in is the bundled model, its inverse depth disturbed by a
scale and a shift that are drawn for each recording.

`points`: 200 random LiDAR points of each frame, beside a fit to all of them.

Poses of KITTI raw colour, which has none, come from its scans: each is aligned to the one before
(common/scan_motion.py). Truth of KITTI 06, which has none, is the depth of its stereo pair.

Settings of the package were chosen on the frames of ``--part choose``; ``report`` are others.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from common import paths  # noqa: F401 - the programs of common import each other
from machine import describe_machine
from scale_frames import Frame, frames_of
from scale_table import table

from monodepth_ros.evaluation.depth_protocol import PROTOCOLS, evaluate_image
from monodepth_ros.inference.depth_estimator import DepthEstimator, DepthPrediction
from monodepth_ros.inference.engines.registry import load_engine
from monodepth_ros.inference.scale.recorded import RecordedScale, RecordedSource
from monodepth_ros.share_directory import share_directory

PARTS = ("choose", "report")
POINTS = 200


@dataclass(frozen=True)
class Recording:
    """Frames by part; ``rate`` in Hz where the recording has no stamps."""

    name: str
    folder: str
    choose: range
    report: range
    rate: float = 10.0


RECORDINGS = (
    Recording("kitchen", "7scenes_redkitchen", range(0, 300, 2), range(350, 700, 2), 30.0),
    Recording("office", "hololens_office", range(100), range(130, 240)),
    Recording("kitti_06", "kitti_odometry_06_gray", range(25), range(30, 51)),
    Recording("kitti_colour", "kitti_raw_colour", range(0), range(58)),
)


@dataclass(frozen=True)
class Disturbed:
    """The model's inverse depth q becomes ``(q - shift) / scale``, as if nobody knew them."""

    scale: float
    shift: float

    @classmethod
    def drawn(cls, seed: int, middle: float) -> Disturbed:
        """A scale of 0.3 to 3, and a shift of up to half of the middle inverse depth."""
        generator = np.random.default_rng(seed)
        scale = float(np.exp(generator.uniform(np.log(0.3), np.log(3))))
        return cls(scale, float(generator.uniform(-0.5, 0.5)) * middle)

    def of(self, seen: DepthPrediction) -> DepthPrediction:
        disparity = (seen.disparity - np.float32(self.shift)) / np.float32(self.scale)
        return DepthPrediction(disparity, "relative", seen.camera)


AS_IT_IS = Disturbed(1.0, 0.0)


def measured(
    frames: list[tuple[Frame, DepthPrediction]],
    source: RecordedSource,
    disturbed: Disturbed,
    points: int = POINTS,
) -> dict[str, float]:
    """Errors over the frames that have a truth and where the scale is known."""
    with_shift = disturbed is not AS_IT_IS
    scale = RecordedScale(source, with_shift, points)
    rule = PROTOCOLS["plain"]
    rules = {
        "metres": rule.adapted("none"),
        "aligned": rule.adapted("affine" if with_shift else "median"),
    }
    errors: dict[str, list[float]] = {name: [] for name in rules}
    factors: list[float] = []
    unknown, spent = 0, 0.0
    for frame, prediction in frames:
        seen = disturbed.of(prediction)
        depth = frame.depth if source == "points" else None
        begun = time.process_time()
        known = scale.add(frame.rgb, frame.camera, frame.stamp, seen.disparity, frame.pose, depth)
        spent += time.process_time() - begun
        if known is None:
            unknown += 1
            continue
        if frame.depth is None:
            continue
        shown = {"metres": seen.in_metres(known).disparity, "aligned": prediction.disparity}
        found = {name: evaluate_image(shown[name], frame.depth, rules[name]) for name in rules}
        if all(result is not None for result in found.values()):
            factors.append(known.factor)
            for name, result in found.items():
                errors[name].append(result.metrics["abs_rel"])  # type: ignore[union-attr]
    means = {name: float(np.mean(values)) if values else np.nan for name, values in errors.items()}
    return {
        "frames": len(errors["metres"]),
        "unknown": unknown,
        "abs_rel": means["metres"],
        "abs_rel_aligned": means["aligned"],
        "times_aligned": means["metres"] / means["aligned"],
        "factor_std": float(np.std(np.log(factors))) if factors else np.nan,
        "processor_ms": 1e3 * spent / max(1, len(frames)),  # of a frame, without the network
    }


def results_of(
    recording: Recording, part: str, folder: Path, model: DepthEstimator
) -> dict[str, Any]:
    """All figures of a recording's part."""
    wanted = getattr(recording, part)
    predicted = [
        (frame, model.estimate(frame.rgb, frame.camera))
        for frame in frames_of(folder / recording.folder, wanted, recording.rate)
    ]
    if not predicted:
        return {}
    middle = float(np.nanmedian(predicted[0][1].disparity))
    stand_ins = [Disturbed.drawn(seed, middle) for seed in range(3)]
    out: dict[str, Any] = {
        "odometry": measured(predicted, "odometry", AS_IT_IS),
        "odometry, scale and shift": _worst(
            measured(predicted, "odometry", each) for each in stand_ins
        ),
    }
    if recording.name == "kitti_colour":
        for name, drawn in (("points", AS_IT_IS), ("points, scale and shift", stand_ins[0])):
            few, many = (measured(predicted, "points", drawn, n) for n in (POINTS, 10**6))
            out[name] = {**few, "times_all_points": few["abs_rel"] / many["abs_rel"]}
    return out


def _worst(results: Iterator[dict[str, float]]) -> dict[str, float]:
    return max(results, key=lambda result: result["times_aligned"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--recordings", type=Path, required=True)
    parser.add_argument("--part", choices=PARTS, default="report")
    parser.add_argument("--only", action="append", choices=[r.name for r in RECORDINGS])
    parser.add_argument("--model", default="demo")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    model = DepthEstimator(load_engine(options.model), output_size="network")
    out = options.out or share_directory() / "benchmark" / "results" / "scale_sources.json"
    found: dict[str, Any] = json.loads(out.read_text()) if out.exists() else {}
    for recording in RECORDINGS:
        if options.only and recording.name not in options.only:
            continue
        figures = results_of(recording, options.part, options.recordings, model)
        if figures:
            found.setdefault(options.part, {})[recording.name] = figures
            found["machine"] = describe_machine()
            out.write_text(json.dumps(found, indent=1) + "\n")
            print(json.dumps({recording.name: figures}, indent=1), flush=True)
    print(table(found))


if __name__ == "__main__":
    main()
