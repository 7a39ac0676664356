"""``monodepth predict``: depth of images and videos into files."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import cv2
import numpy as np
import typer
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress

from monodepth_ros.atomic_file import atomic_path
from monodepth_ros.cli.frame_source import bit_depths, find_inputs, frame_count, read_frames
from monodepth_ros.data.cameras.calibration_file import read_calibration
from monodepth_ros.data.images.file import CorruptFrame
from monodepth_ros.data.rectification import Rectifier
from monodepth_ros.errors import UserError, printable
from monodepth_ros.geometry.camera import PinholeCamera
from monodepth_ros.inference.depth_estimator import DepthEstimator, DepthPrediction
from monodepth_ros.visualisation.preview import side_by_side
from monodepth_ros.zoo.card import parse_size

Rgb = NDArray[np.uint8]

_messages = Console(stderr=True, soft_wrap=True, highlight=False)


@dataclass(frozen=True)
class WrittenPrediction:
    """What was written for one frame. Depth figures are in metres when ``scale`` is ``metric``."""

    input: str
    depth: str
    preview: str
    width: int
    height: int
    scale: str
    depth_min: float | None
    depth_median: float | None
    depth_max: float | None
    invalid_pixels: int
    seconds: float


def predict(
    inputs: Annotated[
        list[str],
        typer.Argument(metavar="IMAGE_OR_VIDEO...", help="Files, folders or quoted globs."),
    ],
    out: Annotated[Path, typer.Option(help="Folder to write into.")],
    model: Annotated[str, typer.Option(help="A model's name or folder.")] = "demo",
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")] = "auto",
    precision: Annotated[str, typer.Option(help="fp32, bf16 or fp16 (CUDA).")] = "fp32",
    size: Annotated[
        str | None, typer.Option(help="WIDTHxHEIGHT the network runs at; default: its card's.")
    ] = None,
    focal: Annotated[
        float | None,
        typer.Option(min=1.0, help="Focal length of the inputs in pixels; metric models use it."),
    ] = None,
    camera: Annotated[
        Path | None,
        typer.Option(help="Their calibration file of ROS: distorted inputs are rectified."),
    ] = None,
    every: Annotated[
        int, typer.Option(min=1, help="Take every N-th frame of a video, and image of a folder.")
    ] = 1,
    as_json: Annotated[bool, typer.Option("--json", help="Print a summary as JSON.")] = False,
) -> None:
    """Estimate depth of images and videos.

    For each frame, NAME_depth.npy holds depth (float32, height x width, NaN invalid) and
    NAME_preview.png shows the input beside its disparity; with --camera, depth and input are those
    of a camera without distortion, NaN where the distorted image does not reach. Files
    that cannot be read are skipped, named and counted, and the exit status is then 1.
    """
    lens = _Lens(camera, focal)
    files = find_inputs(inputs, every)
    estimator = DepthEstimator(model, device, _network_size(size), precision)  # type: ignore[arg-type]
    total = sum(frame_count(file, every) for file in files)
    written: list[WrittenPrediction] = []
    skipped: list[dict[str, str]] = []
    names, bits = _UniqueNames(), bit_depths(files)
    with _progress(total) as progress:
        task = progress.add_task("predict", total=total)
        for file in files:
            try:
                for name, rgb in read_frames(file, every, bits.get(file)):
                    written.append(
                        _predict_frame(estimator, file, names.take(name), rgb, out, lens)
                    )
                    progress.advance(task)
            except CorruptFrame as error:
                skipped.append({"input": printable(file), "reason": error.reason})
                _messages.print(printable(f"skipped {file}: {error.reason}"), markup=False)
    if as_json:
        print(json.dumps(_summary(estimator, written, skipped), indent=2))
    else:
        _print_summary(estimator, written, skipped, out)
    if skipped or not written:
        raise typer.Exit(1)


def write_prediction(
    folder: Path, name: str, rgb: Rgb, prediction: DepthPrediction
) -> tuple[Path, Path]:
    """Write ``NAME_depth.npy`` and ``NAME_preview.png``; returns both paths."""
    depth_path, preview_path = folder / f"{name}_depth.npy", folder / f"{name}_preview.png"
    with atomic_path(depth_path) as path:
        np.save(path, prediction.depth)
    with atomic_path(preview_path) as path:
        picture = side_by_side(rgb, prediction.disparity)
        path.write_bytes(cv2.imencode(".png", picture[:, :, ::-1])[1].tobytes())
    return depth_path, preview_path


def _predict_frame(
    estimator: DepthEstimator, source: Path, name: str, rgb: Rgb, out: Path, lens: _Lens
) -> WrittenPrediction:
    height, width = rgb.shape[:2]
    rgb, camera = lens.seen(rgb, source)
    start = time.perf_counter()
    prediction = estimator.estimate(rgb, camera)
    seconds = time.perf_counter() - start
    depth_path, preview_path = write_prediction(out, name, rgb, prediction)
    valid = prediction.depth[np.isfinite(prediction.depth)]
    return WrittenPrediction(
        input=printable(source),
        depth=printable(depth_path),
        preview=printable(preview_path),
        width=width,
        height=height,
        scale=prediction.scale,
        depth_min=float(valid.min()) if valid.size else None,
        depth_median=float(np.median(valid)) if valid.size else None,
        depth_max=float(valid.max()) if valid.size else None,
        invalid_pixels=prediction.depth.size - valid.size,
        seconds=round(seconds, 6),
    )


class _Lens:
    """What is known of the inputs' camera: its calibration, its focal length, or nothing."""

    def __init__(self, calibration: Path | None, focal: float | None) -> None:
        if calibration is not None and focal is not None:
            raise UserError("--camera states the focal length: leave --focal out")
        self._focal = focal
        self._camera = None if calibration is None else read_calibration(calibration)
        distorted = self._camera is not None and self._camera.distorted
        self._rectifier = Rectifier(self._camera) if distorted and self._camera else None

    def seen(self, rgb: Rgb, source: Path) -> tuple[Rgb, PinholeCamera | None]:
        """The image without distortion, and its camera. CorruptFrame where it is not of it."""
        height, width = rgb.shape[:2]
        if self._camera is None:
            if self._focal is None:
                return rgb, None
            centre = ((width - 1) / 2, (height - 1) / 2)
            return rgb, PinholeCamera.from_focal_length(
                width, height, self._focal, self._focal, *centre
            )
        if (self._camera.height, self._camera.width) != (height, width):
            size = f"{self._camera.width}x{self._camera.height}"
            raise CorruptFrame(source, f"is {width}x{height}, but --camera is of {size} images")
        if self._rectifier is None:
            return rgb, self._camera
        return self._rectifier.image(rgb), self._rectifier.camera


class _UniqueNames:
    """``a/left.png`` and ``b/left.png`` must not overwrite each other's outputs."""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def take(self, name: str) -> str:
        unique = next(candidate for candidate in _variants(name) if candidate not in self._taken)
        self._taken.add(unique)
        return unique


def _variants(name: str) -> Iterator[str]:
    yield name
    number = 2
    while True:
        yield f"{name}-{number}"
        number += 1


def _network_size(text: str | None) -> tuple[int, int] | None:
    try:
        return None if text is None else parse_size(text)
    except ValueError as error:
        raise UserError(f"--size {error}") from None


def _progress(total: int) -> Progress:
    columns = (*Progress.get_default_columns(), MofNCompleteColumn())
    return Progress(*columns, console=_messages, transient=True, disable=total < 2)


def _summary(
    estimator: DepthEstimator, written: list[WrittenPrediction], skipped: list[dict[str, str]]
) -> dict[str, object]:
    seconds = [prediction.seconds for prediction in written]
    return {
        "model": estimator.card.name,
        "network_size": f"{estimator.size[1]}x{estimator.size[0]}",
        "device": str(estimator.engine.device),
        "precision": estimator.engine.precision,
        "frames": len(written),
        "median_seconds": float(np.median(seconds)) if seconds else None,
        "skipped": skipped,
        "predictions": [asdict(prediction) for prediction in written],
    }


def _print_summary(
    estimator: DepthEstimator,
    written: list[WrittenPrediction],
    skipped: list[dict[str, str]],
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
