"""``monodepth predict``: depth of images and videos into files."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from monodepth_ros.cli.options.model import (
    Background,
    Device,
    EngineName,
    Model,
    Precision,
    Threads,
    network_size,
)
from monodepth_ros.cli.options.recordings import Every
from monodepth_ros.data.cameras.calibration_file import read_calibration
from monodepth_ros.data.cameras.input_camera import InputCamera
from monodepth_ros.data.images.frame_source import bit_depths, find_inputs
from monodepth_ros.data.images.input_parts import InputPart, decoded, parts_of
from monodepth_ros.errors import UserError
from monodepth_ros.inference.depth_estimator import DepthEstimator
from monodepth_ros.inference.engines.registry import load_engine
from monodepth_ros.inference.uncertainty.error_model import is_calibrated
from monodepth_ros.progress import count_frames, plain_console
from monodepth_ros.replay.prediction_files import (
    PredictionWriter,
    SkippedInput,
    WrittenPrediction,
    all_there,
)
from monodepth_ros.shared_work import SharedWork, key_of


def predict(
    inputs: Annotated[
        list[str],
        typer.Argument(metavar="IMAGE_OR_VIDEO...", help="Files, folders or quoted globs."),
    ],
    out: Annotated[Path, typer.Option(help="Output folder.")],
    model: Model = "demo",
    engine: EngineName = "auto",
    device: Device = "auto",
    precision: Precision = "auto",
    threads: Threads = 0,
    size: Annotated[
        str | None,
        typer.Option(help="Input size of the network, WIDTHxHEIGHT; default: that of its card."),
    ] = None,
    focal: Annotated[
        float | None,
        typer.Option(min=1.0, help="Focal length of the inputs in pixels; metric models use it."),
    ] = None,
    camera: Annotated[
        Path | None,
        typer.Option(help="ROS calibration file of the inputs; distorted inputs are rectified."),
    ] = None,
    every: Every = 1,
    background: Background = "keep",
    preview: Annotated[bool, typer.Option(help="Write NAME_preview.jpg.")] = True,
    confidence: Annotated[
        bool,
        typer.Option("--confidence", help="Write NAME_confidence.npy and NAME_stddev.npy as well."),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print a summary as JSON.")] = False,
) -> None:
    """Estimate depth of images and videos.

    For each frame, NAME_depth.npy holds depth (float32, height x width, NaN invalid) and
    NAME_preview.jpg shows the input beside its disparity; with --camera, both are rectified, and
    depth is NaN outside the distorted image. With --confidence, NAME_confidence.npy is the
    probability that depth is within 25 % of the truth, and NAME_stddev.npy the standard deviation
    of depth, in its unit, which only a calibrated model has. Files that cannot be read are
    skipped, named and counted, and the exit status is then 1. The same command goes on where an
    interrupted one ended, and several processes share the work under torchrun.
    """
    if camera is not None and focal is not None:
        raise UserError("--camera states the focal length: leave --focal out")
    calibration = None if camera is None else read_calibration(camera)
    files = find_inputs(inputs, every)
    work = SharedWork(out / ".predict", "frames")
    loaded = load_engine(model, engine, device, precision, network_size(size), threads)
    estimator = DepthEstimator(loaded, background=background)
    bits = bit_depths(files)
    network = (estimator.card.content(), engine, device, precision, estimator.size)
    options = (every, calibration, focal, background, preview, confidence)
    settings = key_of(network, str(out), *options)
    parts = {key_of(settings, part.state(bits)): part for part in parts_of(files, every)}

    def predicted(todo: list[InputPart]) -> Iterator[list[dict[str, Any]]]:
        frames = decoded(todo, every, bits, InputCamera(calibration, focal))
        total = sum(part.expected for part in todo)
        with count_frames(plain_console(work.silent or total < 2), "predict", total) as advance:

            def told(outcome: WrittenPrediction | SkippedInput) -> None:
                if isinstance(outcome, SkippedInput):
                    typer.echo(f"skipped {outcome.input}: {outcome.reason}", err=True)
                else:
                    advance()

            writer = PredictionWriter(estimator, out, preview, told, confidence)
            yield from writer.write(frames)

    results = work.results(parts, predicted, lambda part: part.expected, all_there)
    if results is None:
        return
    outcomes = [outcome for part in results for outcome in part]
    written = [WrittenPrediction(**outcome) for outcome in outcomes if "reason" not in outcome]
    skipped = list({repr(o): o for o in outcomes if "reason" in o}.values())  # a video's once
    if as_json:
        print(json.dumps(_summary(estimator, written, skipped), indent=2))
    else:
        _print_summary(estimator, written, skipped, out)
        if confidence and not is_calibrated(estimator.card):
            name = estimator.card.name
            print(f"no standard deviation: calibrate {name} with `monodepth models calibrate`")
    if skipped or not written:
        raise typer.Exit(1)


def _summary(
    estimator: DepthEstimator, written: list[WrittenPrediction], skipped: list[dict[str, Any]]
) -> dict[str, object]:
    seconds = [prediction.seconds for prediction in written]
    return {
        "model": estimator.card.name,
        "network_size": f"{estimator.size[1]}x{estimator.size[0]}",
        **estimator.engine.describe(),
        "frames": len(written),
        "median_seconds": float(np.median(seconds)) if seconds else None,
        "skipped": skipped,
        "predictions": [asdict(prediction) for prediction in written],
    }


def _print_summary(
    estimator: DepthEstimator,
    written: list[WrittenPrediction],
    skipped: list[dict[str, Any]],
    out: Path,
) -> None:
    if written:
        milliseconds = 1000 * float(np.median([prediction.seconds for prediction in written]))
        scales = " and ".join(sorted({prediction.scale for prediction in written}))
        print(
            f"{len(written)} frames in {out}: {scales} depth by {estimator.card.name}"
            f" on {estimator.engine.device}, {milliseconds:.1f} ms a frame (median)"
        )
    if skipped:
        print(f"{len(skipped)} of the inputs could not be read; the first is {skipped[0]['input']}")
