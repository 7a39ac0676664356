"""Features drawn to those of a frozen DINOv2, a tiny one with random weights."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from corridor import write_corridor
from recipes import small_recipe
from steps import loss_of, step_of
from torch import Tensor

from monodepth_ros.errors import UserError
from monodepth_ros.learning.learner import Learner
from monodepth_ros.learning.run.checkpoints import LAST, read_checkpoint
from monodepth_ros.learning.run.train import train
from monodepth_ros.learning.semantics import FrozenEncoder

transformers = pytest.importorskip("transformers", reason="extra foundation")
MEAN, STD = [0.4, 0.5, 0.6], [0.2, 0.3, 0.25]


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as published."""
    folder = tmp_path_factory.mktemp("dinov2")
    torch.manual_seed(0)
    config = transformers.Dinov2Config(
        hidden_size=24, num_hidden_layers=2, num_attention_heads=2, image_size=28, patch_size=14
    )
    transformers.Dinov2Model(config).save_pretrained(folder)
    preprocessor = {"image_mean": MEAN, "image_std": STD}
    (folder / "preprocessor_config.json").write_text(json.dumps(preprocessor))
    return folder


def cosines(a: Tensor, b: Tensor) -> np.ndarray[Any, np.dtype[np.float64]]:
    x, y = a.double().numpy(), b.double().numpy()
    return np.asarray((x * y).sum(1) / np.sqrt((x**2).sum(1) * (y**2).sum(1)), dtype=np.float64)


@pytest.mark.parametrize("margin", [1.0, 0.2, -1.0])
def test_value_is_that_of_the_formula(margin: float) -> None:
    generator = torch.Generator().manual_seed(1)
    theirs, ours = (
        torch.randn(2, 24, 4, 6, dtype=torch.float64, generator=generator) for _ in range(2)
    )
    cosine = cosines(theirs, ours)
    below = cosine < margin
    expected = (1 - cosine)[below].mean() if below.any() else 0.0
    ours.requires_grad_()
    terms = loss_of("semantic_preservation", encoder="any", margin=margin)(seen(theirs, ours))
    assert terms.loss.item() == pytest.approx(expected, rel=1e-12)
    assert terms.figures["below"].item() == pytest.approx(below.mean())
    if margin > -1:
        terms.loss.backward()
        assert ours.grad is not None
        unmoved = (ours.grad == 0).all(1).numpy()
        np.testing.assert_array_equal(unmoved, ~below)


def test_what_shows_nothing_does_not_count() -> None:
    theirs, ours = (torch.randn(1, 24, 4, 6, dtype=torch.float64) for _ in range(2))
    valid = torch.ones(1, 1, 8, 12, dtype=torch.bool)
    valid[..., :2, :2] = False
    member = loss_of("semantic_preservation", encoder="any", margin=1.0)
    expected = (1 - cosines(theirs, ours)).ravel()[1:].mean()
    assert member(seen(theirs, ours, valid)).loss.item() == pytest.approx(expected)


def seen(theirs: Tensor, ours: Tensor, valid: Tensor | None = None) -> Any:
    count = len(theirs)
    batch = {"images": torch.zeros(count, 1, 3, 8, 12), "K": torch.eye(3).expand(count, 3, 3)}
    step = step_of(batch if valid is None else {**batch, "valid": valid}, [])
    step._features = ours
    step.__dict__["semantic_features"] = theirs
    return step


def test_features_are_those_of_transformers(encoder: Path) -> None:
    images = torch.rand(2, 3, 28, 42)
    normalised = (images - torch.tensor(MEAN)[:, None, None]) / torch.tensor(STD)[:, None, None]
    model = transformers.Dinov2Model.from_pretrained(encoder).eval()
    with torch.no_grad():
        tokens = model(pixel_values=normalised).last_hidden_state
    found = FrozenEncoder(encoder).features(images)
    assert found.shape == (2, 24, 2, 3)
    for row in range(2):
        for column in range(3):
            torch.testing.assert_close(found[:, :, row, column], tokens[:, 1 + 3 * row + column])


def test_a_pupil_comes_to_point_where_the_encoder_does(encoder: Path, tmp_path: Path) -> None:
    write_corridor(tmp_path / "video" / "walk", frames=8)
    recipe = small_recipe(
        losses={
            "supervised": {},
            "semantic_preservation": {"encoder": str(encoder), "margin": 1.0},
        },
        optimizer={"lr": 3e-3},
        trainer={"max_steps": 20, "batch_size": 4},
    )
    run = train(recipe, [tmp_path / "video"], tmp_path / "run")
    rows = (run / "metrics.csv").read_text().splitlines()
    column = rows[0].split(",").index("semantic_preservation")
    told = [float(row.split(",")[column]) for row in rows[1:] if row.split(",")[column]]
    assert np.mean(told[-3:]) < 0.7 * told[0]
    weights = read_checkpoint(run / LAST)["weights"]
    assert "into_semantics.weight" in weights
    assert not any("layer" in key and "attention" in key for key in weights)


def test_the_encoder_does_not_learn(encoder: Path) -> None:
    losses = {"supervised": {}, "semantic_preservation": {"encoder": str(encoder)}}
    learner = Learner(small_recipe(losses=losses))
    assert learner.semantics is not None
    assert not any(name.startswith("semantics.") for name, _ in learner.named_parameters())
    assert not any(p.requires_grad for p in learner.semantics._model.parameters())


def test_other_folders_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="as published"):
        FrozenEncoder(tmp_path)
    (tmp_path / "config.json").write_text('{"model_type": "vit"}')
    with pytest.raises(UserError, match="is a vit"):
        FrozenEncoder(tmp_path)
