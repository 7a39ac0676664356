"""Matches from files: motions and depth as they were, kept, counted, and learnt from."""

from __future__ import annotations

import csv
import json
import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from corridor import render, walk
from made_once import made_once
from numpy.typing import NDArray
from recipes import small_recipe

from monodepth_ros.data.layouts.sequence_folder import SequenceWriter
from monodepth_ros.data.samples.augmentation import as_float
from monodepth_ros.errors import UserError
from monodepth_ros.geometry import lens
from monodepth_ros.geometry.camera import PinholeCamera
from monodepth_ros.geometry.lens import pixel_centres
from monodepth_ros.geometry.rigid_motion import Matrix
from monodepth_ros.learning.batches import build_datasets, collate
from monodepth_ros.learning.export import export_run
from monodepth_ros.learning.learner import Learner, Predictions
from monodepth_ros.learning.matched_points import matched_points
from monodepth_ros.learning.matched_triplets import MatchedTriplets
from monodepth_ros.learning.recipe.recipe import Recipe
from monodepth_ros.learning.run.checkpoints import read_checkpoint
from monodepth_ros.learning.run.stopping import StopSignals
from monodepth_ros.learning.run.train import train
from monodepth_ros.learning.step import Step
from monodepth_ros.zoo.card import load_card
from monodepth_ros.zoo.weights import load_weights

LARGE = PinholeCamera.from_focal_length(320, 160, 200.0, 200.0, 159.5, 79.5)
ALONE: dict[str, Any] = {"triangulation": {}}  # of `losses`


def grained(T_world_camera: Matrix) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Image and true depth of the corridor, with grain fine enough to follow points by."""
    image, depth = render(T_world_camera, LARGE)
    rays = lens.rays(LARGE, pixel_centres(LARGE.height, LARGE.width)).reshape(*depth.shape, 3)
    x, y, z = np.moveaxis(T_world_camera[:3, 3] + depth[..., None] * rays, -1, 0)
    waves = [(11, 3, 7), (-4, 12, 9), (15, -8, 2), (6, 17, -5), (3, -5, 13)]
    grain = sum(np.sin(a * x + b * y + c * z + a) for a, b, c in waves)
    return (image + 16 * grain[..., None]).clip(0, 255).astype(np.uint8), depth


def write_walk(folder: Path, frames: int, start: float = -0.6, truth: bool = True) -> Path:
    """A walk through it, in images large enough to follow points in."""
    with SequenceWriter(folder, LARGE, fps=10.0) as writer:
        for index in range(frames):
            pose = walk(index, start)
            image, depth = grained(pose)
            if truth:
                writer.add(image, depth=depth, pose=pose)
            else:
                writer.add(image)
    return folder


@pytest.fixture(scope="session")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Such a walk with truth."""

    def make(folder: Path) -> None:
        write_walk(folder / "walk", 22)

    return made_once(tmp_path_factory, "matched_video", make) / "walk"


def recipe(**sections: Any) -> Recipe:
    """Depth alone, by matches alone."""
    networks = {"pose": "none", "min_depth": 0.5, "max_depth": 20.0}
    data = {"stride": 3, **sections.pop("data", {})}
    return small_recipe(**{"losses": ALONE, "networks": networks, "data": data, **sections})


def triplets(recipe: Recipe, *paths: Path) -> MatchedTriplets:
    training, _ = build_datasets(recipe, paths, [])
    assert isinstance(training, MatchedTriplets)
    return training


def test_motions_and_depth_are_the_true_ones(video: Path) -> None:
    found = triplets(recipe(losses={**ALONE, "pose": {}, "smoothness": {}}, networks={}), video)
    batch = as_float(collate([found[i] for i in range(len(found))]))
    points = matched_points(batch, batch["K"], None, recipe().matches)
    assert points.known.all()
    truth = batch["T_neighbour_target"]
    known = points.known
    R, t = truth[known][:, :3, :3], truth[known][:, :3, 3]
    turned = (points.T[known][:, :3, :3].mT @ R).diagonal(dim1=1, dim2=2).sum(1)
    assert float(((turned - 1) / 2).clamp(max=1).acos().max()) < 0.002
    direction = (points.T[known][:, :3, 3] * t).sum(1) / t.norm(dim=1)
    assert float(direction.min()) > 0.999
    ratios = points.log_ratios(1 / batch["depth"])[known]
    off = (ratios - points.log_scales(points.log_ratios(1 / batch["depth"]))[known][:, None]).abs()
    weight = points.weight[known]
    assert float((off * weight).sum() / weight.sum()) < 0.03
    T = points.motions(1 / batch["depth"])[known]
    torch.testing.assert_close(T[:, :3, 3].norm(dim=1), t.norm(dim=1), rtol=0.04, atol=0)


def test_nothing_true_is_asked_for(tmp_path: Path) -> None:
    sample = triplets(recipe(), write_walk(tmp_path / "walk", 8, truth=False))[0]
    assert sample["matches"].shape == (2, 2, 300, 2) and sample["matches"].dtype == torch.float32
    assert "depth" not in sample and "T_neighbour_target" not in sample
    learner = Learner(recipe()).train()
    loss, terms = learner.training_loss(as_float(collate([sample])), 0, None)
    assert 0 < loss == terms["triangulation"] and terms["triangulation/left_out"] == 0


def test_they_are_made_once_and_always_the_same(
    video: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, again = (
        triplets(recipe(data={"cache": str(tmp_path / name)}), video)[3] for name in ("a", "b")
    )
    for name, value in first.items():
        assert torch.equal(value.nan_to_num(-1.0), again[name].nan_to_num(-1.0)), name

    def refuse(*_: object) -> None:
        raise AssertionError("made again")

    monkeypatch.setattr("monodepth_ros.learning.matched_triplets.match_pair", refuse)
    kept = triplets(recipe(data={"cache": str(tmp_path / "a")}), video)[3]
    assert torch.equal(kept["T_matches"], first["T_matches"])


def test_parts_of_recordings_keep_their_own(video: Path, tmp_path: Path) -> None:
    """Rows of the second recording are not looked up in the first."""
    write_walk(tmp_path / "other", 9, start=0.3)
    both = triplets(recipe(), video, tmp_path / "other")
    alone = triplets(recipe(), tmp_path / "other")
    before = len(both) - len(alone)
    for index in range(len(alone)):
        ours, theirs = both[before + index]["matches"], alone[index]["matches"]
        assert torch.equal(ours.nan_to_num(), theirs.nan_to_num())


def test_pairs_without_a_motion_are_counted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, video: Path
) -> None:
    """A camera that stands."""
    with SequenceWriter(tmp_path / "still", LARGE, fps=10.0) as writer:
        for _ in range(8):
            writer.add(grained(np.eye(4))[0])
    with caplog.at_level(logging.WARNING):
        found = triplets(recipe(), tmp_path / "still", video)
    assert found.pairs_left_out == {"still": {"rotation": 4}}
    assert "still: 4 of 4 pairs tell no motion: 4 rotation" in caplog.messages
    sample = found[0]
    assert sample["T_matches"].isnan().all() and sample["match_noise"].isnan().all()
    with pytest.raises(UserError, match="still: no pair of frames has enough matches and parallax"):
        triplets(recipe(), tmp_path / "still")


def test_depth_is_learnt_from_random_weights(video: Path, tmp_path: Path) -> None:
    """By the triangulation alone, without a pose network; the scale stays open."""
    learning = recipe(
        losses={**ALONE, "smoothness": {}},
        data={"augmentation": {"jitter": 0.0}},
        optimizer={"lr": 2e-3},
        schedule={"kind": "cosine", "epochs": 1000},
        trainer={"batch_size": 4, "max_steps": 60, "log_every": 10},
        evaluation={"every_steps": 60},
    )
    run = train(learning, [video], tmp_path / "run", [video])  # judged by truth, not taught
    with (run / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    losses = [float(row["triangulation"]) for row in rows if row["triangulation"]]
    assert losses[-1] < 0.5 * losses[0]
    errors = [float(row["val/abs_rel"]) for row in rows if row["val/abs_rel"]]
    assert errors[-1] < 0.27  # of the best constant it is 0.59
    assert all(float(row["triangulation/left_out"]) < 0.2 for row in rows if row["triangulation"])
    model = export_run(run, tmp_path / "model", "CC0-1.0")
    card = load_card(model)
    assert card.scale == "relative" and set(load_weights(model, card)) == {"depth"}
    session = json.loads(next((run / "sessions").glob("*.json")).read_text())
    assert "pairs_left_out" in session["data"]


def test_views_are_synthesised_by_these_motions(video: Path) -> None:
    """At true depth and by matches the views fit as by true motions, at any scale of depth."""
    losses = {"photometric": {"scales": [0], "automask": False}}
    views = {"poses": "matches"}
    learning = recipe(losses=losses, view_synthesis=views, data={"size": "128x64"})
    assert learning.needs == {"neighbours", "matches"} and not learning.teaches_pose
    training, _ = build_datasets(
        recipe(losses={**losses, "supervised": {}}, view_synthesis=views, data={"size": "128x64"}),
        [video],
        [],
    )
    batch = as_float(collate([training[i] for i in (2, 5)]))
    learner = Learner(learning).train()
    errors = []
    for factor in (1.0, 7.0, None):
        depth = batch["depth"].nan_to_num(5.0) * (factor or 1.0)
        if factor is None:
            depth = torch.full_like(depth, 3.0)
        learner.predictions = lambda target, d=depth: Predictions([1 / d])  # type: ignore[method-assign]
        errors.append(float(learner.training_loss(dict(batch), 0, None)[1]["photometric/matches"]))
    assert errors[1] == pytest.approx(errors[0], rel=1e-4)
    assert errors[0] < 0.5 * errors[2]


def test_an_unknown_motion_takes_no_part_in_views(video: Path) -> None:
    losses = {"photometric": {"automask": False}, "smoothness": {}}
    learning = recipe(losses=losses, view_synthesis={"poses": "matches"})
    found = triplets(learning, video)
    batch = as_float(collate([found[2], found[5]]))
    torch.manual_seed(0)
    learner = Learner(learning).eval()
    step = Step(learner, batch)
    photometric, T = learner.photometric, step.matched_T
    blind = T.clone()
    blind[:, 1] = torch.nan
    with torch.no_grad():
        error, _ = photometric.error(step, blind, step.inverse_depths)
        only = {**batch, "images": batch["images"][:, :2]}
        alone = Step(learner, only)
        alone._predictions = step._predictions
        expected, _ = photometric.error(alone, T[:, :1], step.inverse_depths)
        torch.testing.assert_close(error, expected)
        blind[1] = torch.nan  # nothing is known of the second image
        maps = photometric.error_maps(step, blind)
        assert maps.means()[0].isfinite() and maps.means()[1].isnan()
        step.matched_T = blind
        figures = photometric.validation_figures(step)["photometric"]
        assert figures[0].isfinite() and figures[1].isnan()


def test_the_pose_network_learns_the_motions(video: Path, tmp_path: Path) -> None:
    losses = {**ALONE, "photometric": {}, "consistency": {}}
    learning = recipe(
        losses=losses,
        networks={},
        view_synthesis={"poses": "matches"},
        optimizer={"lr": 3e-3},
        trainer={"batch_size": 4, "max_steps": 40, "log_every": 5, "pictures_every": 40},
    )
    assert learning.teaches_pose
    run = train(learning, [video], tmp_path / "run")
    with (run / "metrics.csv").open() as file:
        values = [float(row["consistency"]) for row in csv.DictReader(file) if row["consistency"]]
    assert values[-1] < 0.6 * values[0]
    assert (run / "pictures" / "step_0000040.png").exists()
    export_run(run, tmp_path / "model", "CC0-1.0")
    assert "pose" in load_weights(tmp_path / "model", load_card(tmp_path / "model"))


def test_a_resumed_run_equals_an_uninterrupted_one(video: Path, tmp_path: Path) -> None:
    learning = recipe(
        losses={**ALONE, "photometric": {}, "smoothness": {}, "consistency": {}},
        networks={},
        view_synthesis={"poses": "matches"},
        data={"augmentation": {"crop": 0.7}},
        trainer={"batch_size": 4, "max_steps": 6},
    )
    whole = train(learning, [video], tmp_path / "whole")
    parts = tmp_path / "parts"

    def stop(self: StopSignals, state: Any) -> None:
        state.stop = state.step == 4

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(StopSignals, "__call__", stop)
        train(learning, [video], parts)
    train(learning, [video], parts, resume=True)
    weights = [read_checkpoint(run / "checkpoints/last.ckpt")["weights"] for run in (whole, parts)]
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])


def test_true_motions_can_take_their_place(video: Path, tmp_path: Path) -> None:
    learning = recipe(losses={"photometric": {}}, view_synthesis={"poses": "true"})
    assert "poses" in learning.needs
    training, _ = build_datasets(learning, [video], [])
    batch = as_float(collate([training[0]]))
    step = Step(Learner(learning).train(), batch)
    assert torch.equal(step.unrefined, batch["T_neighbour_target"])
    assert [synthesis.by for synthesis in step.syntheses] == ["true"]
    blind = write_walk(tmp_path / "blind", 8, truth=False)
    with pytest.raises(UserError, match=r"blind has no true poses, which view_synthesis.poses"):
        build_datasets(learning, [blind], [])


@pytest.mark.parametrize(
    ("sections", "told"),
    [
        ({"losses": {"photometric": {}}}, "networks.pose none leaves no pose network for"),
        (
            {
                "losses": {"photometric": {}, "consistency": {}},
                "view_synthesis": {"poses": "matches"},
            },
            "for losses.consistency to teach",
        ),
        (
            {
                "losses": {"photometric": {}},
                "view_synthesis": {"poses": "matches"},
                "refinement": {"enabled": True},
            },
            "refinement refines the pose network's motions, but views are by matches ones",
        ),
        ({"networks": {"pose": "none", "init": {"pose": "demo"}}}, "init.pose has weights"),
        ({"matches": {"points": 3}}, "matches.points: 3 is not allowed: greater than or equal"),
    ],
)
def test_what_does_not_fit_together_is_refused(sections: dict[str, Any], told: str) -> None:
    with pytest.raises(UserError, match=told):
        recipe(**sections)
