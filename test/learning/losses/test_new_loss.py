"""The seam of losses: a class and a line in the registry are a loss that recipes can name."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from corridor import write_corridor
from pydantic import PositiveFloat
from recipes import SELF_SUPERVISED, small_recipe

from monodepth_ros.errors import UserError
from monodepth_ros.learning.batches import build_datasets
from monodepth_ros.learning.export import export_run
from monodepth_ros.learning.losses.loss import Loss, Terms
from monodepth_ros.learning.losses.registry import LOSSES
from monodepth_ros.learning.run.train import train
from monodepth_ros.learning.step import Step


class Mirror(Loss):
    """What mirrors is at a given depth."""

    name = "mirror"
    needs = frozenset({"masks"})
    teaches = frozenset({"depth"})

    depth: PositiveFloat = 2.0  # how near a mirror is

    def __call__(self, step: Step) -> Terms:
        """Over the pixels of the reflective mask."""
        off = (step.inverse_depths[0] - 1 / self.depth).abs()
        share = step.reflective.float().mean()
        return Terms((off * step.reflective).mean(), {"share": share})


class Stereo(Loss):
    """Needs what the corridor has not."""

    name = "stereo"
    needs = frozenset({"stereo"})

    def __call__(self, step: Step) -> Terms:
        raise AssertionError("there is no second camera")


@pytest.fixture(autouse=True)
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    """The line in the registry."""
    monkeypatch.setitem(LOSSES, Mirror.name, Mirror)
    monkeypatch.setitem(LOSSES, Stereo.name, Stereo)


@pytest.fixture
def mirrors(tmp_path: Path) -> Path:
    """Frames with reflective masks."""
    return write_corridor(tmp_path / "data" / "mirrors", frames=10, reflective=True).parent


def test_it_trains_and_logs_its_term(mirrors: Path, tmp_path: Path) -> None:
    recipe = small_recipe(
        losses={**SELF_SUPERVISED, "mirror": {"weight": 5.0, "depth": 1.0}},
        data={"validation_fraction": 0.3},
        optimizer={"lr": 3e-3},
        trainer={"max_steps": 12},
    )
    run = train(recipe, [mirrors], tmp_path / "run")
    with (run / "metrics.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["loss"]]
    terms = [float(row["mirror"]) for row in rows]
    assert len(terms) == 12 and sum(terms[-3:]) < 0.7 * sum(terms[:3])
    assert all(0.05 < float(row["mirror/share"]) < 0.5 for row in rows)
    for row in rows:
        parts = [float(row[name]) for name in ("photometric", "smoothness", "mirror")]
        assert float(row["loss"]) == pytest.approx(sum(parts), rel=1e-4)
    assert export_run(run, tmp_path / "model", "CC0-1.0").is_dir()


def test_alone_it_needs_no_neighbours(mirrors: Path) -> None:
    training, _ = build_datasets(small_recipe(losses={"mirror": {}}), [mirrors], [])
    sample = training[0]
    assert sample["images"].shape[0] == 1 and "depth" not in sample
    assert sample["reflective"].shape == (1, 32, 64) and sample["reflective"].any()


def test_its_settings_are_checked_as_all_others() -> None:
    with pytest.raises(UserError, match="losses.mirror.depth: -1 is not allowed: greater than 0"):
        small_recipe(losses={"mirror": {"depth": -1}})
    with pytest.raises(UserError, match="losses.mirror.far: unknown key.*weight, depth"):
        small_recipe(losses={"mirror": {"far": 1}})


@pytest.mark.parametrize(
    ("loss", "told"),
    [
        ("mirror", "walk has no reflective masks, which losses.mirror needs"),
        ("stereo", "walk has no second camera, which losses.stereo needs"),
    ],
)
def test_what_the_data_lack_is_told(loss: str, told: str, tmp_path: Path) -> None:
    walk = write_corridor(tmp_path / "walk", frames=6)
    with pytest.raises(UserError, match=told):
        build_datasets(small_recipe(losses={**SELF_SUPERVISED, loss: {}}), [walk], [])
