"""How wrong steps are: the noise that `CameraTracker` assumes, and what refining them gains.

    python benchmark/odometry_noise.py --data NAME=PATH... --out results/odometry_noise.json

Both as the pose network gives them and aligned to depth (`refined`). Steps are scaled by the median
ratio of true to estimated lengths of their sequence. The error of a step is regressed, with no
coefficient below zero, on what was moved, what was turned, and one. The ATE is that of the chained
steps after a 7-DoF alignment.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls
from scipy.spatial.transform import Rotation

from monodepth_ros.data.open_sequence import open_sequence
from monodepth_ros.data.rectification import rectified
from monodepth_ros.evaluation.alignment import align
from monodepth_ros.inference.engines.registry import load_engine
from monodepth_ros.inference.odometry.motion import MotionMethod
from monodepth_ros.inference.odometry.registry import load_method
from monodepth_ros.inference.odometry.view import Views


def step_errors(method: MotionMethod, path: str, stride: int) -> dict[str, NDArray[np.float64]]:
    """Per step: metres moved, radians turned, the errors of both by axis; squares of the ATE."""
    moved, turned, translation_errors, rotation_errors = [], [], [], []
    squares: list[float] = []
    views = Views(method.engine, method.sees_grey)
    for sequence in map(rectified, open_sequence(path)):
        estimates, truths = [], []
        before = None
        for index in range(0, len(sequence), stride):
            now = views.view(sequence.image(index), sequence.camera)
            pose = sequence.pose(index)
            if before is not None and pose is not None and before[1] is not None:
                estimates.append(method.motion(before[0], now).T_earlier_later)
                truths.append(np.linalg.inv(before[1]) @ pose)
            before = now, pose
        squares += _squared_errors(estimates, truths)
        lengths = [
            np.linalg.norm(np.array(motions)[:, :3, 3], axis=1) for motions in (truths, estimates)
        ]
        steady = lengths[0] > 0.2 * np.median(lengths[0])
        scale = np.median(lengths[0][steady] / lengths[1][steady])
        for estimate, truth in zip(estimates, truths, strict=True):
            difference = estimate[:3, :3].T @ truth[:3, :3]
            rotation = Rotation.from_matrix(difference).as_rotvec()
            translation = scale * estimate[:3, 3] - truth[:3, 3]
            moved.append(np.linalg.norm(truth[:3, 3]))
            turned.append(np.linalg.norm(Rotation.from_matrix(truth[:3, :3]).as_rotvec()))
            translation_errors.append(np.sqrt((translation**2).mean()))
            rotation_errors.append(np.sqrt((rotation**2).mean()))
    return {
        "moved": np.array(moved),
        "turned": np.array(turned),
        "translation": np.array(translation_errors),
        "rotation": np.array(rotation_errors),
        "squares": np.array(squares),
    }


def _squared_errors(
    estimates: list[NDArray[np.float64]], truths: list[NDArray[np.float64]]
) -> list[float]:
    """Squared distances of chained positions, aligned with 7 degrees of freedom."""
    chains = []
    for motions in (estimates, truths):
        poses = [np.eye(4)]
        for motion in motions:
            poses.append(poses[-1] @ motion)
        chains.append(np.array(poses))
    estimate, truth = chains
    aligned = align(estimate[:, :3, 3], truth[:, :3, 3], "7dof").apply_to_poses(estimate)
    return list(((aligned - truth)[:, :3, 3] ** 2).sum(1))


def noise_model(errors: dict[str, NDArray[np.float64]]) -> dict[str, float]:
    """The coefficients of both regressions, and medians to compare them with."""
    one = np.ones_like(errors["moved"])
    by_translation, _ = nnls(
        np.stack([errors["moved"], errors["turned"], one], 1), errors["translation"]
    )
    by_rotation, _ = nnls(np.stack([errors["turned"], one], 1), errors["rotation"])
    return {
        "steps": len(one),
        "length_m": float(errors["moved"].sum()),
        "ate_m": float(np.sqrt(errors["squares"].mean())),
        "moved_median_m": float(np.median(errors["moved"])),
        "turned_median_rad": float(np.median(errors["turned"])),
        "translation_error_median_m": float(np.median(errors["translation"])),
        "rotation_error_median_rad": float(np.median(errors["rotation"])),
        "translation_noise": float(by_translation[0]),
        "turning_noise_m_per_rad": float(by_translation[1]),
        "translation_floor_m": float(by_translation[2]),
        "rotation_noise": float(by_rotation[0]),
        "rotation_floor_rad": float(by_rotation[1]),
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--model", default="demo")
    parser.add_argument("--data", nargs="+", required=True, help="NAME=PATH or NAME=PATH%%STRIDE")
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    table: dict[str, dict[str, dict[str, float]]] = {}
    for kind in ("network", "refined"):
        method = load_method(kind, load_engine(arguments.model, device="cpu"))
        for entry in arguments.data:
            name, _, path = entry.partition("=")
            path, _, stride = path.partition("%")
            row = noise_model(step_errors(method, path, int(stride or 1)))
            table.setdefault(name, {})[kind] = row
            print(name, kind, json.dumps({k: round(v, 4) for k, v in row.items()}), flush=True)
    if arguments.out is not None:
        arguments.out.write_text(json.dumps({"model": arguments.model, **table}, indent=1) + "\n")


if __name__ == "__main__":
    main()
