"""What teaches a head how wrong depth is: by independent arithmetic, and by learning it."""

from __future__ import annotations

import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from corridor import write_corridor
from recipes import BOTH, SELF_SUPERVISED, small_recipe
from steps import loss_of, step_of
from torch import Tensor

from monodepth_ros.errors import UserError
from monodepth_ros.learning.export import export_run
from monodepth_ros.learning.learner import Learner
from monodepth_ros.learning.losses.photometric import ErrorMaps
from monodepth_ros.learning.losses.uncertainty import negative_log_likelihood
from monodepth_ros.learning.run.train import train
from monodepth_ros.learning.step import Step
from monodepth_ros.zoo.card import load_card
from monodepth_ros.zoo.weight_files import file_sha256
from monodepth_ros.zoo.weights import load_weights, split_off_head

SIZE = (4, 6)


def likelihood(error: float, log_variance: float, distribution: str) -> float:
    """By the densities, in float64: less the constants of each."""
    variance = math.exp(log_variance)
    if distribution == "gaussian":
        density = math.exp(-(error**2) / (2 * variance)) / math.sqrt(2 * math.pi * variance)
        return -math.log(density) - 0.5 * math.log(2 * math.pi)
    b = math.sqrt(variance / 2)
    return -math.log(math.exp(-abs(error) / b) / (2 * b)) - 0.5 * math.log(2)


@pytest.mark.parametrize("distribution", ["laplace", "gaussian"])
def test_it_is_the_likelihood(distribution: Any) -> None:
    rng = np.random.default_rng(0)
    errors, log_variances = rng.normal(0, 0.5, (5, 7)), rng.normal(-2, 1, (5, 7))
    expected = np.vectorize(likelihood)(errors, log_variances, distribution)
    found = negative_log_likelihood(
        torch.from_numpy(errors), torch.from_numpy(log_variances), distribution
    )
    np.testing.assert_allclose(found, expected, rtol=1e-12)


@pytest.mark.parametrize("distribution", ["laplace", "gaussian"])
def test_its_minimum_is_the_mean_square_error(distribution: Any) -> None:
    """Of a Laplace distribution twice the mean absolute error, squared."""
    errors = torch.tensor([0.1, -0.3, 0.2, 0.6], dtype=torch.float64)
    s = torch.tensor(0.0, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([s], lr=0.5, max_iter=100)

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = negative_log_likelihood(errors, s, distribution).mean()
        loss.backward()
        return loss

    optimizer.step(closure)
    best = errors.square().mean() if distribution == "gaussian" else 2 * errors.abs().mean() ** 2
    assert s.exp().item() == pytest.approx(float(best), rel=1e-4)


def batch_of(count: int, size: tuple[int, int]) -> dict[str, Tensor]:
    return {"images": torch.rand(count, 3, 3, *size), "K": torch.eye(3).repeat(count, 1, 1)}


def step_with(depth: Tensor, inverse: Tensor, log_variances: Tensor, **more: Tensor) -> Step:
    step = step_of({**batch_of(len(depth), SIZE), "depth": depth, **more}, [inverse])
    step.log_variances = log_variances
    return step


def expected_loss(
    truth: Any, inverse: Any, log_variances: Any, valid: Any, align: str, distribution: str
) -> float:
    """Pixel by pixel."""
    means = []
    for image in range(len(truth)):
        errors = {}
        for y, x in np.ndindex(*SIZE):
            t = truth[image, 0, y, x]
            if np.isfinite(t) and t > 0 and valid[image, 0, y, x]:
                errors[y, x] = math.log(min(max(t, 0.1), 100.0)) + math.log(inverse[image, 0, y, x])
        if not errors:
            continue
        ranked = sorted(errors.values())
        shift = ranked[(len(ranked) - 1) // 2] if align == "median" else 0.0
        values = [
            likelihood(error - shift, log_variances[image, m][place], distribution)
            for place, error in errors.items()
            for m in range(log_variances.shape[1])
        ]
        means.append(np.mean(values))
    return float(np.mean(means))


@pytest.mark.parametrize("align", ["median", "none"])
@pytest.mark.parametrize("distribution", ["laplace", "gaussian"])
def test_it_equals_arithmetic_pixel_by_pixel(align: Any, distribution: Any) -> None:
    generator = torch.Generator().manual_seed(0)

    def rand(*shape: int) -> Tensor:
        return torch.rand(*shape, *SIZE, generator=generator, dtype=torch.float64)

    truth, inverse, log_variances = 0.5 + 3 * rand(3, 1), 0.2 + rand(3, 1), -3 + 2 * rand(3, 2)
    truth[0, 0, 1, 2], truth[1, 0, 0, 0], truth[1, 0, 3, 3] = math.nan, 0.0, 500.0
    truth[2] = math.nan
    valid = rand(3, 1) > 0.2
    step = step_with(truth, inverse, log_variances, valid=valid)
    terms = loss_of("uncertainty", align=align, distribution=distribution)(step)
    arrays = (x.numpy() for x in (truth, inverse, log_variances, valid))
    assert float(terms.loss) == pytest.approx(expected_loss(*arrays, align, distribution), rel=1e-9)


def test_the_teachers_depth_is_another_truth() -> None:
    truth, inverse = 0.5 + torch.rand(2, 1, *SIZE), 0.5 + torch.rand(2, 1, *SIZE)
    log_variances = -2 + torch.rand(2, 3, *SIZE)
    by_truth = loss_of("uncertainty", align="none")(step_with(truth, inverse, log_variances))
    step = step_with(torch.full_like(truth, math.nan), inverse, log_variances)
    step.teacher_depth = truth
    assert torch.equal(loss_of("self_teaching")(step).loss, by_truth.loss)


def test_photometric_errors_count_where_they_are_not_automasked() -> None:
    error = torch.tensor([[0.1, 0.4], [0.2, 0.9]])[None, None]
    automasked = torch.tensor([[False, False], [True, False]])[None, None]
    counted = torch.tensor([[True, True], [True, False]])[None, None]
    log_variances = torch.full((1, 1, 2, 2), -1.0)
    for mask, used in ((None, (0.1, 0.4, 0.9)), (counted, (0.1, 0.4))):
        maps = ErrorMaps(error, automasked, mask)
        photometric = SimpleNamespace(error_maps=lambda step, T, maps=maps: maps)
        step: Any = SimpleNamespace(
            T=None, learner=SimpleNamespace(photometric=photometric), log_variances=log_variances
        )
        found = loss_of("photometric_uncertainty")(step)
        expected = np.mean([likelihood(e, -1.0, "laplace") for e in used])
        assert float(found.loss) == pytest.approx(expected, rel=1e-6)


def test_an_image_without_truth_adds_nothing() -> None:
    unknown = torch.full((1, 1, *SIZE), math.nan)
    log_variances = torch.zeros(1, 2, *SIZE, requires_grad=True)
    terms = loss_of("uncertainty")(step_with(unknown, torch.ones(1, 1, *SIZE), log_variances))
    terms.loss.backward()
    assert float(terms.loss) == 0 and not log_variances.grad.any()  # type: ignore[union-attr]


def test_the_temperature_makes_68_percent_of_errors_lie_within() -> None:
    generator = torch.Generator().manual_seed(0)
    errors = 0.3 * torch.randn(2, 1, 100, 100, generator=generator)
    inverse = torch.ones(2, 1, 100, 100)
    step = step_of({**batch_of(2, (100, 100)), "depth": errors.exp()}, [inverse])
    step.log_variances = torch.full((2, 1, 100, 100), 2 * math.log(0.1))
    figures = loss_of("uncertainty").validation_figures(step)
    torch.testing.assert_close(figures["temperature"], torch.full((2,), 3.0), rtol=0.05, atol=0)
    assert figures["uncertainty"].shape == (2,)


HEAD = {"freeze_depth": True, "uncertainty": 2}


@pytest.fixture
def walk(tmp_path: Path) -> Path:
    return write_corridor(tmp_path / "walk", frames=8)


def test_spread_comes_to_follow_error_and_depth_stays(
    taught: Path, walk: Path, tmp_path: Path
) -> None:
    """The head alone learns: the model's weights are the same bytes, and the card says the rest."""
    recipe = small_recipe(
        networks={**HEAD, "init": {"depth": str(taught)}},
        losses={"uncertainty": {}},
        optimizer={"lr": 2e-2},
        trainer={"max_steps": 60, "batch_size": 4},
    )
    run = train(recipe, [walk], tmp_path / "run", [walk])
    model = export_run(run, tmp_path / "model", "unspecified")
    card, former = load_card(model), load_card(taught)
    assert file_sha256(model / "weights.safetensors") == former.files["weights.safetensors"]
    assert (card.provenance, card.licence) == (former.provenance, former.licence)
    assert card.uncertainty is not None and card.uncertainty.members == 2
    assert card.uncertainty.provenance is not None
    results = card.uncertainty.provenance.results
    assert card.uncertainty.temperature == pytest.approx(results["val/temperature"], abs=1e-3)
    assert 0.5 < card.uncertainty.temperature < 2
    rows = (run / "metrics.csv").read_text().splitlines()
    column = rows[0].split(",").index("loss")
    losses = [float(row.split(",")[column]) for row in rows[1:] if row.split(",")[column]]
    assert np.mean(losses[-5:]) < np.mean(losses[:5]) - 0.1


def test_a_head_learns_which_pixels_are_wrong() -> None:
    """Depth of the left half is wrong by ten times as much; features tell the halves apart."""
    module = Learner(small_recipe(networks=HEAD, losses={"uncertainty": {}})).train()
    generator = torch.Generator().manual_seed(0)
    images = torch.rand(4, 3, 3, 32, 64, generator=generator)
    images[..., :32] *= 0.1
    scatter = torch.cat([torch.full((32,), 0.5), torch.full((32,), 0.05)])
    batch = {"images": images, "K": torch.eye(3).repeat(4, 1, 1)}
    with torch.no_grad():
        depth = 1 / module.predictions(images[:, 0])[0][0]
    optimizer = torch.optim.Adam([p for p in module.parameters() if p.requires_grad], 1e-2)
    for _ in range(80):
        noise = scatter * torch.randn(4, 1, 32, 64, generator=generator)
        loss, _ = module.training_loss({**batch, "depth": depth * noise.exp()}, 0, None)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        stddev = (0.5 * module.eval().depth_net(images[:, 0]).log_variance).exp()
    assert stddev[..., :3].mean() > 2 * stddev[..., 5:].mean()


def test_only_the_head_moves(taught: Path) -> None:
    recipe = small_recipe(networks=HEAD, losses={"uncertainty": {}})
    module = Learner(recipe)
    assert {n for n, p in module.named_parameters() if p.requires_grad} == {
        f"depth_net.uncertainty.{n}"
        for n, _ in module.head.named_parameters()  # type: ignore[union-attr]
    }
    module.train()
    assert module.head.training and not module.depth_net.encoder.training  # type: ignore[union-attr]


def test_depth_learns_beside_the_head_as_without_it() -> None:
    torch.manual_seed(0)
    plain = Learner(small_recipe(losses=BOTH))
    torch.manual_seed(0)
    both = Learner(small_recipe(networks={"uncertainty": 2}, losses={**BOTH, "uncertainty": {}}))
    both.load_state_dict({**both.state_dict(), **plain.state_dict()})
    batch = {
        "images": torch.rand(2, 3, 3, 32, 64),
        "K": torch.tensor([[[40.0, 0, 32], [0, 40, 16], [0, 0, 1]]]).repeat(2, 1, 1),
        "depth": 1 + torch.rand(2, 1, 32, 64),
    }
    gradients = []
    for module in (plain, both):
        module.train()
        loss, _ = module.training_loss(batch, 0, torch.Generator().manual_seed(0))
        loss.backward()
        gradients.append(module.depth_net.get_parameter("decoder.disparity.0.weight").grad)
    torch.testing.assert_close(*gradients)


def test_a_model_passes_its_head_on_or_not(taught: Path, walk: Path, tmp_path: Path) -> None:
    networks: dict[str, Any] = {**HEAD, "init": {"depth": str(taught)}}
    first = small_recipe(networks=networks, losses={"uncertainty": {}})
    told = export_run(train(first, [walk], tmp_path / "a"), tmp_path / "told", "CC0-1.0")
    head, _ = split_off_head(load_weights(told, load_card(told))["depth"])
    for members in (2, 0):
        networks = {"uncertainty": members, "init": {"depth": str(told)}}
        recipe = small_recipe(networks=networks, losses={"supervised": {}})
        run = train(recipe, [walk], tmp_path / f"run{members}")
        model = export_run(run, tmp_path / f"m{members}", "CC0-1.0", half=False)
        kept, _ = split_off_head(load_weights(model, load_card(model))["depth"])
        assert kept.keys() == (head.keys() if members else set())
        assert all(torch.equal(kept[name], head[name]) for name in kept)
        assert load_card(model).uncertainty == (load_card(told).uncertainty if members else None)
    other = small_recipe(
        networks={"uncertainty": 3, "init": {"depth": str(told)}}, losses={"supervised": {}}
    )
    with pytest.raises(UserError, match="of another number of members than networks.uncertainty 3"):
        train(other, [walk], tmp_path / "other")


@pytest.mark.parametrize(
    ("sections", "complaint"),
    [
        ({"losses": {"uncertainty": {}}, "networks": {"freeze_depth": True}}, "there is none: set"),
        (
            {"losses": {"uncertainty": {}}, "networks": {"uncertainty": 2}},
            "nothing teaches",
        ),
        ({"losses": {"self_teaching": {}}, "networks": HEAD}, "learns from another model: name it"),
        ({"losses": SELF_SUPERVISED, "networks": {"uncertainty": -1}}, "networks.uncertainty"),
        ({"losses": {"uncertainty": {"distribution": "cauchy"}}, "networks": HEAD}, "distribution"),
    ],
)
def test_what_does_not_fit_is_refused(sections: Any, complaint: str) -> None:
    with pytest.raises(UserError, match=complaint):
        small_recipe(**sections)


@pytest.mark.parametrize("name", ["self_teaching", "photometric_uncertainty"])
def test_the_other_kinds_train_a_head(name: str, taught: Path, walk: Path, tmp_path: Path) -> None:
    networks = {**HEAD, "init": {"depth": str(taught)}, "teacher": str(taught)}
    recipe = small_recipe(networks=networks, losses={name: {}}, trainer={"max_steps": 3})
    run = train(recipe, [walk], tmp_path / "run")
    assert f"{name}/error" in (run / "metrics.csv").read_text().split("\n")[0]
    assert load_card(export_run(run, tmp_path / "model", "CC0-1.0")).uncertainty is not None
