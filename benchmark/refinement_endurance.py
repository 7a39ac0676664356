"""Ten thousand steps on a recording that stands still, turns on the spot, and moves.

    python benchmark/refinement_endurance.py --build build --recording DIR

A third of the frames is one image again and again, a third is that image as a camera sees it that
only turns (the exact homography), and a third is the recording itself: the first two leave a pose
solver nothing to find a translation by. Trains `training/sa4depth.yaml` with small networks and
bfloat16; the run's guard stops at the first loss that is not finite. Reports how many steps were
taken, and what share of the solver's steps was shortened or refused over the run.
"""

from __future__ import annotations

import argparse
import csv
import json
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from common.learnt_features import LEARNT_FEATURES
from common.monodepth_commands import MonodepthCommands
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from monodepth_ros.data.layouts.sequence_folder import SequenceWriter
from monodepth_ros.data.open_sequence import open_sequence
from monodepth_ros.geometry.camera import PinholeCamera
from monodepth_ros.geometry.image_size import resize_image

SIZE = (64, 96)
FRAMES = 60  # of each kind
NAME = "refinement_endurance"


def standing(image: NDArray[np.uint8]) -> Iterator[NDArray[np.uint8]]:
    """One image again and again, with a camera's noise."""
    noise = np.random.default_rng(0)
    for _ in range(FRAMES):
        noisy = image + noise.normal(0, 2, image.shape)
        yield noisy.round().clip(0, 255).astype(np.uint8)


def turning(image: NDArray[np.uint8], camera: PinholeCamera) -> Iterator[NDArray[np.uint8]]:
    """The image as a camera sees it that turns left and right by 8 degrees, and nods by 3."""
    for phase in np.linspace(0, 6 * np.pi, FRAMES):
        turn = Rotation.from_euler("yx", [8 * np.sin(phase), 3 * np.cos(phase)], degrees=True)
        H = camera.K @ turn.as_matrix() @ np.linalg.inv(camera.K)
        yield cv2.warpPerspective(
            image, H, image.shape[1::-1], borderMode=cv2.BORDER_REFLECT
        ).astype(np.uint8)


def write_recording(source: Path, folder: Path) -> None:
    """The three kinds of frames, one after the other."""
    (sequence,) = open_sequence(source)
    camera = sequence.camera.resized(*SIZE)
    moving = [resize_image(sequence.image(index), SIZE) for index in range(FRAMES)]
    with SequenceWriter(folder, camera, fps=10.0, image_format="png") as writer:
        for image in (*standing(moving[0]), *turning(moving[0], camera), *moving):
            writer.add(image)


def report(run: Path) -> dict[str, object]:
    """Steps, the largest loss, and the solver's shares, of the run's metrics."""
    with open(run / "metrics.csv") as file:
        rows = [row for row in csv.DictReader(file) if row["loss"]]
    losses = np.array([float(row["loss"]) for row in rows])
    shares = {
        name: np.array(
            [float(row[f"refinement/{name}"]) for row in rows if row[f"refinement/{name}"]]
        )
        for name in ("shortened", "refused")
    }
    return {
        "steps": int(rows[-1]["step"]) + 1,
        "all_logged_losses_finite": bool(np.isfinite(losses).all()),
        "largest_logged_loss": float(losses.max()),
        **{
            f"{name}_{part}": float(values[chosen].mean())
            for name, values in shares.items()
            for part, chosen in (
                ("first_tenth", slice(len(values) // 10)),
                ("rest", slice(len(values) // 10, None)),
            )
        },
    }


def main() -> None:
    """Write the recording, train, and write the report."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--build", type=Path, required=True)
    parser.add_argument("--recording", type=Path, required=True)
    parser.add_argument("--features", choices=["learnt", "patches"], default="patches")
    parser.add_argument("--steps", type=int, default=10000)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--out", type=Path, help="the results' file")
    arguments = parser.parse_args()
    name = f"{NAME}_{arguments.features}"
    recording = arguments.build / "worlds" / NAME
    if not recording.exists():
        write_recording(arguments.recording, recording)
    commands = MonodepthCommands(arguments.build.resolve())
    settings = [
        f"data.size={SIZE[1]}x{SIZE[0]}",
        "networks.architecture=monodepth2-slim",
        *(LEARNT_FEATURES if arguments.features == "learnt" else ()),
        "refinement.warmup_steps=200",
        "refinement.ramp_steps=200",
        "optimizer.lr=3e-4",
        "schedule.kind=cosine",
        "schedule.epochs=10000",
        "trainer.batch_size=2",
        "trainer.precision=bf16",
        "trainer.pictures_every=0",
        f"trainer.max_steps={arguments.steps}",
        f"trainer.threads={arguments.threads}",
    ]
    chosen = [argument for setting in settings for argument in ("--set", setting)]
    commands.train(name, "training/sa4depth.yaml", "--data", f"worlds/{NAME}", *chosen)
    figures = {**report(arguments.build / "runs" / name), "commands": commands.commands}
    out = arguments.out or Path(__file__).parent / "results" / f"{name}.json"
    out.write_text(json.dumps(figures, indent=1) + "\n")
    print(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
