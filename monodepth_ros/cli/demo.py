"""``monodepth demo``: depth of the bundled sample frames by the bundled model."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.console import Console
from rich.table import Table

from monodepth_ros.cli.predict import write_prediction
from monodepth_ros.data.image_file import read_rgb
from monodepth_ros.errors import UserError
from monodepth_ros.inference import zoo
from monodepth_ros.inference.depth_estimator import DepthEstimator


def demo(
    out: Annotated[Path, typer.Option(help="Folder to write into.")] = Path("demo_output"),
    model: Annotated[str, typer.Option(help="A model's name or folder.")] = "demo",
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")] = "auto",
) -> None:
    """Estimate depth of the sample frames that come with a model, and write pictures."""
    folder = zoo.resolve(model)
    samples = sorted((folder / "samples").glob("*.jpg"))
    if not samples:
        raise UserError(f"{folder / 'samples'}: holds no sample frames (*.jpg)")
    estimator = DepthEstimator(folder, device)
    # The first run pays for libraries that load late.
    scale = estimator.estimate(read_rgb(samples[0])).scale
    card, (height, width) = estimator.card, estimator.size
    print(
        f"model {card.name}: {card.architecture} at {width}x{height} on {estimator.engine.device}"
    )
    unit = "metres" if scale == "metric" else "relative"
    table = Table("frame", "size", f"depth ({unit}): nearest", "median", "farthest", "ms")
    pictures = []
    for path in samples:
        rgb = read_rgb(path)
        start = time.perf_counter()
        prediction = estimator.estimate(rgb)
        milliseconds = 1000 * (time.perf_counter() - start)
        pictures.append(write_prediction(out, path.stem, rgb, prediction)[1])
        figures = np.nanpercentile(prediction.depth, [1, 50, 99])
        size = f"{rgb.shape[1]}x{rgb.shape[0]}"
        depths = [f"{figure:.3g}" for figure in figures]
        table.add_row(path.name, size, *depths, f"{milliseconds:.1f}")
    Console().print(table)
    for picture in pictures:
        print(picture)
