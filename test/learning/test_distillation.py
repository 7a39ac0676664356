"""A pupil of a teacher's pseudo depth: labels asked once, perturbed images, sets mixed evenly."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from corridor import write_corridor
from foundation import tiny_published
from numpy.typing import NDArray
from recipes import SELF_SUPERVISED, small_recipe
from steps import loss_of, step_of

from monodepth_ros.data.open_sequence import open_sequence
from monodepth_ros.data.samples.perturbation import Perturbation
from monodepth_ros.errors import UserError
from monodepth_ros.inference.engines.registry import load_engine
from monodepth_ros.learning.batches import build_datasets, build_mixed, training_loader
from monodepth_ros.learning.export import export_run
from monodepth_ros.learning.learner import Learner, Predictions
from monodepth_ros.learning.pseudo_depth import SAVED_EVERY, PseudoDepth
from monodepth_ros.learning.run.train import train
from monodepth_ros.learning.step import Step
from monodepth_ros.learning.step_stream import plan_run
from monodepth_ros.zoo.card import load_card
from monodepth_ros.zoo.importers.huggingface import adopt

SIZE = (32, 64)
DISTILLED: dict[str, Any] = {"scale_shift_invariant": {}, "gradient_matching": {}}


@pytest.fixture
def video(tmp_path: Path) -> Path:
    """Frames without truth."""
    return write_corridor(tmp_path / "video" / "walk", frames=20, depth=False).parent


class Counting(PseudoDepth):
    """Counts what it is asked, and may be killed at a frame."""

    asked = 0
    killed_at = 10**6

    def inverse_depth(self, image: NDArray[np.uint8]) -> NDArray[np.float16]:
        if self.asked == self.killed_at:
            raise KeyboardInterrupt
        self.asked += 1
        return super().inverse_depth(image)


def test_labels_are_what_the_teacher_says_asked_once(taught: Path, video: Path) -> None:
    (sequence,) = open_sequence(video)
    teacher = Counting(taught, SIZE, video / "cache")
    array = teacher.of(sequence).array
    assert array.shape == (20, 1, *SIZE) and array.dtype == np.float16 and teacher.asked == 20
    engine = load_engine(taught)
    told = engine.inverse_depth(engine.prepare(sequence.image(7)[None]))
    np.testing.assert_allclose(array[7], told, rtol=1e-3)
    again = Counting(taught, SIZE, video / "cache")
    assert np.array_equal(again.of(sequence).array, array) and again.asked == 0


def test_a_killed_build_goes_on(taught: Path, video: Path) -> None:
    (sequence,) = open_sequence(video)
    whole = PseudoDepth(taught, SIZE, video / "whole").of(sequence).array
    first = Counting(taught, SIZE, video / "cache")
    first.killed_at = SAVED_EVERY + 2
    with pytest.raises(KeyboardInterrupt):
        first.of(sequence)
    second = Counting(taught, SIZE, video / "cache")
    assert np.array_equal(second.of(sequence).array, whole)
    assert second.asked == 20 - SAVED_EVERY
    assert not list((video / "cache").glob("*.partial"))


def test_another_teacher_or_size_is_asked_anew(
    taught: Path, untaught: Path, video: Path, tmp_path: Path
) -> None:
    (sequence,) = open_sequence(video)
    root = video / "cache"
    PseudoDepth(taught, SIZE, root).of(sequence)
    moved = shutil.copytree(taught, tmp_path / "elsewhere")
    for model, size, asked in ((moved, SIZE, 0), (untaught, SIZE, 20), (taught, (64, 64), 20)):
        teacher = Counting(model, size, root)
        teacher.of(sequence)
        assert teacher.asked == asked


@pytest.mark.parametrize("shift", ["open", "auto"])
def test_a_pupil_comes_to_see_the_shapes_that_its_teacher_sees(
    shift: str, taught: Path, video: Path, tmp_path: Path
) -> None:
    """Its card says whether its inverse depth has a shift; this teacher's has none."""
    differences = {}
    (sequence,) = open_sequence(video)
    labels = PseudoDepth(taught, SIZE).of(sequence).array.astype(np.float32)
    for steps in (1, 40):
        recipe = small_recipe(
            losses={name: {"shift": shift} for name in DISTILLED},
            data={"augmentation": {"perturbation": {}}},
            networks={"teacher": str(taught)},
            optimizer={"lr": 1e-3},
            trainer={"max_steps": steps, "batch_size": 4},
        )
        run = train(recipe, [video], tmp_path / f"run{steps}")
        pupil = export_run(run, tmp_path / f"pupil{steps}", "CC0-1.0", half=False)
        card = load_card(pupil)
        assert card.scale == "relative"
        assert card.ambiguity == ("scale_and_shift" if shift == "open" else "scale")
        told = PseudoDepth(pupil, SIZE).of(sequence).array.astype(np.float32)
        correlations = [
            np.corrcoef(a.ravel(), b.ravel())[0, 1] for a, b in zip(told, labels, strict=True)
        ]
        differences[steps] = 1 - np.mean(correlations)
    assert differences[40] < 0.5 * differences[1]


def test_beside_view_synthesis_the_pose_network_learns(
    taught: Path, video: Path, tmp_path: Path
) -> None:
    recipe = small_recipe(
        losses={**SELF_SUPERVISED, **DISTILLED},
        data={"augmentation": {"perturbation": {}}, "validation_fraction": 0.3},
        networks={"teacher": str(taught)},
        evaluation={"every_steps": 2},
    )
    run = train(recipe, [video], tmp_path / "run")
    header, *rows = (run / "metrics.csv").read_text().splitlines()
    assert {"photometric", *DISTILLED, "val/scale_shift_invariant"} <= set(header.split(","))
    pupil = export_run(run, tmp_path / "pupil", "CC0-1.0")
    assert load_card(pupil).ambiguity == "scale" and load_engine(pupil).has_motion


def test_both_parts_of_a_pasted_image_are_learnt_from() -> None:
    generator = torch.Generator().manual_seed(0)
    shape = (2, 1, 8, 10)
    told, seen = (torch.rand(shape, generator=generator, dtype=torch.float64) for _ in range(2))
    pasted = torch.zeros(shape, dtype=torch.bool)
    pasted[..., 2:6, :5] = True
    partner = torch.tensor([1, 0])
    images = torch.rand(2, 1, 3, 8, 10, generator=generator)
    batch = {
        "images": images, "K": torch.eye(3).expand(2, 3, 3), "pseudo_inverse_depth": told,
        "perturbed": torch.zeros(2, 3, 8, 10), "pasted": pasted, "partner": partner,
    }  # fmt: skip
    step = step_of(batch, [torch.full_like(seen, torch.nan)])
    step.taught.__dict__["_predictions"] = [seen], None
    found = loss_of("scale_shift_invariant", scales=(0,))(step).loss

    def of_part(x: NDArray[np.float64], y: NDArray[np.float64]) -> float:
        x, y = (
            (z - np.sort(z)[(len(z) - 1) // 2]) / np.abs(z - np.sort(z)[(len(z) - 1) // 2]).mean()
            for z in (x, y)
        )
        return float(np.abs(x - y).sum() / (2 * len(x)))

    expected = 0.0
    for image in range(2):
        for mask, source in ((pasted, 1 - image), (~pasted, image)):
            part = mask[image]
            value = of_part(seen[image][part].numpy(), told[source][part].numpy())
            expected += value * part.sum().item() / 80 / 2
    assert found.item() == pytest.approx(expected, rel=1e-12)
    clean = torch.where(pasted, images[partner, 0], images[:, 0])
    assert torch.equal(step.taught.target, clean)


def test_views_are_of_images_as_they_are(taught: Path, video: Path) -> None:
    """And the depth network runs once, for clean and perturbed images together."""
    recipe = small_recipe(
        losses={**SELF_SUPERVISED, **DISTILLED},
        data={"augmentation": {"jitter": 0.0, "flip": 0.0, "perturbation": {"jitter": 1.0}}},
        networks={"teacher": str(taught)},
    )
    training, _ = build_datasets(recipe, [video], [])
    batch = next(iter(training_loader(recipe, plan_run(recipe, len(training)), training)))
    learner = Learner(recipe)
    clean = batch["images"].float() / 255
    prepared = learner.prepare(batch, 0)
    assert torch.equal(prepared["images"], clean) and torch.equal(prepared["jittered"], clean)
    assert not torch.equal(prepared["perturbed"], clean[:, 0])
    runs: list[torch.Tensor] = []
    usual = learner.predictions

    def spied(images: torch.Tensor) -> Predictions:
        runs.append(images)
        return usual(images)

    learner.predictions = spied  # type: ignore[method-assign]
    loss, terms = learner.training_loss(prepared, 0, None)
    assert len(runs) == 1
    assert torch.equal(runs[0], torch.cat([clean[:, 0], prepared["perturbed"]]))
    assert torch.isfinite(loss) and all(terms[name] > 0 for name in DISTILLED)
    plain = learner.prepare({k: v.clone() for k, v in training[0].items()} | {}, None)
    assert "perturbed" not in plain


def test_teacher_alone_looks_at_perturbed_images_alone(taught: Path) -> None:
    recipe = small_recipe(
        losses=DISTILLED,
        networks={"teacher": str(taught)},
        data={"augmentation": {"perturbation": {}}},
    )
    batch = {
        "images": torch.rand(2, 1, 3, *SIZE),
        "K": torch.eye(3).expand(2, 3, 3),
        "pseudo_inverse_depth": torch.rand(2, 1, *SIZE),
    }
    batch |= Perturbation()(batch, torch.Generator().manual_seed(0))
    step = Step(Learner(recipe), batch)
    assert step._looked_at == [step.taught]
    assert len(step.taught.inverse_depths[0]) == len(step.inverse_depths[0]) == 2


@pytest.fixture
def mixed_recipe(taught: Path, held_back: Path) -> Any:
    """Unlabelled video by a teacher, and frames with true depth."""
    return small_recipe(
        losses=DISTILLED,
        networks={"teacher": str(taught)},
        mix={"worlds": {"data": [str(held_back)], "losses": {"supervised": {}}}},
        trainer={"batch_size": 4},
    )


def test_sets_are_mixed_evenly_each_with_its_losses(
    mixed_recipe: Any, video: Path, tmp_path: Path
) -> None:
    training, _ = build_datasets(mixed_recipe, [video], [])
    sets = build_mixed(mixed_recipe)
    plan = plan_run(mixed_recipe, len(training))
    assert len(sets["worlds"]) == 6 and plan.steps_per_epoch == 10
    for batch in training_loader(mixed_recipe, plan, training, sets):
        assert len(batch["images"]) == len(batch["worlds/images"]) == 2
        assert "depth" not in batch and "worlds/pseudo_inverse_depth" not in batch
    run = train(mixed_recipe, [video], tmp_path / "run")
    header = (run / "metrics.csv").read_text().splitlines()[0].split(",")
    assert {*DISTILLED, "worlds/supervised", "worlds/supervised/silog"} <= set(header)


def test_a_mixed_run_resumes_with_the_same_sets(
    mixed_recipe: Any, video: Path, tmp_path: Path, corridor: Path
) -> None:
    longer = mixed_recipe.model_copy(
        update={"trainer": mixed_recipe.trainer.model_copy(update={"max_steps": 6})}
    )
    train(mixed_recipe, [video], tmp_path / "run")
    others = mixed_recipe.mix["worlds"].model_copy(update={"data": (str(corridor),)})
    with pytest.raises(UserError, match=r"mix.worlds.data: .* has changed|mix.worlds.data"):
        changed = longer.model_copy(update={"mix": {"worlds": others}})
        train(changed, [video], tmp_path / "run", resume=True)
    train(longer, [video], tmp_path / "run", resume=True)


def test_sets_that_do_not_fit_are_refused(taught: Path, held_back: Path, video: Path) -> None:
    worlds = {"data": [str(held_back)], "losses": {"supervised": {}}}
    common = {"losses": SELF_SUPERVISED, "networks": {"teacher": str(taught)}}
    with pytest.raises(UserError, match="batch_size 2 cannot be shared evenly .* multiple of 3"):
        small_recipe(**common, mix={"a": worlds, "b": worlds})
    with pytest.raises(UserError, match="losses.photometric cannot be of a mixed set"):
        small_recipe(**common, mix={"a": {**worlds, "losses": SELF_SUPERVISED}})
    with pytest.raises(UserError, match="mix.a.losses.scale_shift_invariant learns from another"):
        small_recipe(
            losses=SELF_SUPERVISED, mix={"a": {**worlds, "losses": {"scale_shift_invariant": {}}}}
        )
    assert not small_recipe(**common, mix={"a": None}).mix
    blind = small_recipe(**common, mix={"a": {**worlds, "data": [str(video)]}})
    with pytest.raises(UserError, match="walk has no true depth, which mix.a.losses.supervised"):
        build_mixed(blind)


def test_a_published_model_teaches_at_its_own_size(video: Path, tmp_path: Path) -> None:
    """A tiny Depth Anything with random weights: relative, so its shift is open."""
    pytest.importorskip("transformers", reason="extra foundation")
    folder = tiny_published("depth_anything", tmp_path / "teacher")
    adopt(folder, licence="CC0-1.0")
    recipe = small_recipe(losses=DISTILLED, networks={"teacher": str(folder)})
    training, _ = build_datasets(recipe, [video], [])
    label = training[3]["pseudo_inverse_depth"]
    assert label.shape == (1, *SIZE) and label.isfinite().all() and label.std() > 0
    assert Learner(recipe).teacher_ambiguity == "scale_and_shift"
    with pytest.raises(UserError, match="leaves the shift of its inverse depth open"):
        Learner(small_recipe(losses={"teacher": {}}, networks={"teacher": str(folder)}))
