import math
from pathlib import Path

import numpy as np
import pytest
import torch
from corridor import write_corridor
from recipes import POSE_SUPERVISED, SUPERVISED, small_recipe

from monodepth_ros.data.layouts.sequence_folder import SequenceWriter
from monodepth_ros.data.samples.augmentation import Augmentation, mirror_motions
from monodepth_ros.errors import UserError
from monodepth_ros.geometry import se3
from monodepth_ros.geometry.camera import PinholeCamera
from monodepth_ros.learning.batches import build_datasets
from monodepth_ros.learning.losses.pose import motion_difference
from monodepth_ros.learning.run.train import train


def random_motions(*shape: int, size: float = 0.2) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    xi = torch.randn(*shape, 6, generator=generator, dtype=torch.float64)
    return se3.exp(size * xi)


def test_equals_angle_and_translation_over_depth_of_a_plane() -> None:
    truth, T = random_motions(3, 2), random_motions(3, 2, size=0.1)
    depth = torch.full((3, 1, 4, 5), 2.5, dtype=torch.float64)
    depth[:, :, 0] = torch.nan
    expected = []
    for b in range(3):
        pairs = []
        for n in range(2):
            R = truth[b, n, :3, :3].T @ T[b, n, :3, :3]
            angle = math.acos((float(R.trace()) - 1) / 2)
            shift = float((T[b, n, :3, 3] - truth[b, n, :3, 3]).norm())
            pairs.append(angle + shift / 2.5)
        expected.append(sum(pairs) / 2)
    difference = motion_difference(T, truth, depth)
    torch.testing.assert_close(difference, torch.tensor(expected, dtype=torch.float64))


def test_no_difference_has_a_finite_gradient() -> None:
    truth = random_motions(2, 2)
    T = truth.clone().requires_grad_()
    difference = motion_difference(T, truth, torch.ones(2, 1, 4, 4, dtype=torch.float64))
    assert float(difference.detach().max()) < 1e-5
    difference.sum().backward()
    assert torch.isfinite(T.grad).all()


@pytest.mark.parametrize("missing", ["pose", "depth"])
def test_what_is_not_known_adds_nothing(missing: str) -> None:
    truth, T = random_motions(2, 2), random_motions(2, 2, size=0.5).requires_grad_()
    depth = torch.ones(2, 1, 4, 4, dtype=torch.float64)
    if missing == "pose":
        truth[1] = torch.nan
    else:
        depth[1] = torch.nan
    difference = motion_difference(T, truth, depth)
    difference.sum().backward()
    assert difference[0] > 0.1 and difference[1] == 0.0
    assert torch.isfinite(T.grad).all() and T.grad[1].abs().sum() == 0


def test_mirrored_motions_move_mirrored_points() -> None:
    T = random_motions(2, 2)
    points = torch.randn(2, 2, 4, 7, dtype=torch.float64)
    points[:, :, 3] = 1.0
    mirrored = points.clone()
    mirrored[:, :, 0] *= -1
    moved = mirror_motions(T, torch.tensor([True, False])) @ torch.stack([mirrored[0], points[1]])
    expected = T @ points
    expected[0, :, 0] *= -1
    torch.testing.assert_close(moved, expected)


def test_samples_hold_the_motions_of_true_poses(tmp_path: Path) -> None:
    folder = write_corridor(tmp_path / "walk", frames=8)
    recipe = small_recipe(losses={**SUPERVISED, **POSE_SUPERVISED}, data={"size": "64x32"})
    training, _ = build_datasets(recipe, [folder], [])
    sample = training[2]  # target 3, neighbours 2 and 4: 0.05 m apart along x, 0.02 m along z
    previous, following = sample["T_neighbour_target"][:, :3, 3]
    assert float(previous[0]) == pytest.approx(0.05) and float(following[0]) == pytest.approx(-0.05)
    assert float(previous[2]) == pytest.approx(0.02) and float(following[2]) == pytest.approx(-0.02)
    batch = {name: value[None] for name, value in sample.items()}
    flipped = Augmentation(flip=1.0, jitter=0.0)(batch)["T_neighbour_target"][0]
    assert float(flipped[0, 0, 3]) == pytest.approx(-0.05)


def test_recordings_without_poses_are_refused(tmp_path: Path) -> None:
    camera = PinholeCamera(64, 32, np.array([[40.0, 0, 31.5], [0, 40.0, 15.5], [0, 0, 1]]))
    with SequenceWriter(tmp_path / "walk", camera, fps=10.0) as writer:
        for value in range(6):
            image = np.full((32, 64, 3), 40 * value, np.uint8)
            writer.add(image, depth=np.ones((32, 64), np.float32))
    recipe = small_recipe(losses={**SUPERVISED, **POSE_SUPERVISED})
    with pytest.raises(UserError, match="walk has no true poses"):
        build_datasets(recipe, [tmp_path / "walk"], [])


def test_motions_are_learnt_from_truth(corridor: Path, held_back: Path, tmp_path: Path) -> None:
    recipe = small_recipe(
        data={"size": "64x32", "augmentation": {"flip": 0.0}},
        networks={"freeze_depth": True, "min_depth": 0.5, "max_depth": 20.0},
        losses=POSE_SUPERVISED,
        optimizer={"lr": 3e-3},
        trainer={"batch_size": 4, "max_steps": 60, "log_every": 5, "pictures_every": 60},
    )
    folder = train(recipe, [corridor], tmp_path / "run", [held_back])
    lines = (folder / "metrics.csv").read_text().splitlines()
    column = lines[0].split(",").index("pose")
    losses = [float(row.split(",")[column]) for row in lines[1:] if row.split(",")[column]]
    assert losses[-1] < 0.5 * losses[0]
    assert "val/pose" in lines[0] and (folder / "pictures" / "step_0000060.png").exists()
