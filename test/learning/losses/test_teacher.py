"""A frozen model as teacher: what a pupil learns from it, and what is saved."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from corridor import render, write_corridor
from recipes import SELF_SUPERVISED, small_recipe

from monodepth_ros.errors import UserError
from monodepth_ros.inference.engines.registry import ENGINES
from monodepth_ros.learning.export import export_run
from monodepth_ros.learning.run.checkpoints import LAST, read_checkpoint
from monodepth_ros.learning.run.train import train
from monodepth_ros.learning.teacher import Teacher


def _image() -> torch.Tensor:
    rgb, _ = render(np.eye(4))
    return torch.from_numpy(rgb).permute(2, 0, 1)[None].float() / 255


def test_a_pupil_comes_to_see_what_its_teacher_sees(taught: Path, tmp_path: Path) -> None:
    write_corridor(tmp_path / "video" / "walk", frames=16, depth=False)
    differences = {}
    for steps in (1, 40):
        recipe = small_recipe(
            losses={"teacher": {}},
            networks={"teacher": str(taught)},
            optimizer={"lr": 1e-3},
            trainer={"max_steps": steps, "batch_size": 4},
        )
        run = train(recipe, [tmp_path / "video"], tmp_path / f"run{steps}")
        pupil = export_run(run, tmp_path / f"pupil{steps}", "CC0-1.0", half=False)
        depths = [Teacher(model, (32, 64)).depth(_image()) for model in (taught, pupil)]
        differences[steps] = (depths[1].log() - depths[0].log()).abs().mean()
    assert differences[40] < 0.5 * differences[1]


def test_a_teacher_sees_bytes_through_an_engine(
    taught: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(ENGINES, "torch", "toy_engine:ToyEngine")
    image = _image()
    expected = 1 / (0.1 + (255 * image).round().mean(1, keepdim=True) / 255)
    between = image + torch.rand(image.shape) * 0.9 / 255 - 0.45 / 255
    for seen in (image, between):
        torch.testing.assert_close(Teacher(taught, (32, 64)).depth(seen), expected)


def test_a_teacher_is_not_saved_with_its_pupil(taught: Path, tmp_path: Path) -> None:
    write_corridor(tmp_path / "video" / "walk", frames=8, depth=False)
    recipe = small_recipe(
        losses={**SELF_SUPERVISED, "teacher": {}}, networks={"teacher": str(taught)}
    )
    run = train(recipe, [tmp_path / "video"], tmp_path / "run")
    assert not any("teacher" in key for key in read_checkpoint(run / LAST)["weights"])
    assert "teacher/gradient" in (run / "metrics.csv").read_text().split("\n")[0]


def test_a_teacher_of_other_images_is_refused(taught: Path, tmp_path: Path) -> None:
    write_corridor(tmp_path / "video" / "walk", frames=8, depth=False)
    recipe = small_recipe(
        data={"size": "96x64"},
        losses={**SELF_SUPERVISED, "teacher": {}},
        networks={"teacher": str(taught)},
    )
    with pytest.raises(UserError, match="64x32"):
        train(recipe, [tmp_path / "video"], tmp_path / "run")


def test_a_teacher_must_be_named() -> None:
    with pytest.raises(UserError, match="losses.teacher learns from another model: name it by"):
        small_recipe(losses={**SELF_SUPERVISED, "teacher": {}})
    small_recipe(losses={**SELF_SUPERVISED, "teacher": {"weight": 0}})


def test_a_frozen_network_has_no_teacher() -> None:
    with pytest.raises(UserError, match="teacher"):
        small_recipe(
            losses={**SELF_SUPERVISED, "teacher": {}},
            networks={"freeze_depth": True, "teacher": "demo"},
        )
