"""What a pupil's image looks like beside the clean one."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from monodepth_ros.data.samples.perturbation import Perturbation, gaussian_blur

OFF = {"jitter": 0.0, "blur": 0.0, "cutmix": 0.0}


def images(count: int = 8) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.rand(count, 3, 3, 20, 30, generator=generator)


def draw(seed: int = 0, **settings: float) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    clean = images()
    perturb = Perturbation(**(OFF | settings))
    entries = perturb({"images": clean}, torch.Generator().manual_seed(seed))
    return clean[:, 0], entries


def test_off_it_changes_nothing() -> None:
    target, entries = draw()
    assert torch.equal(entries["perturbed"], target) and not entries["pasted"].any()


def test_pasted_pixels_are_the_partners() -> None:
    target, entries = draw(cutmix=1.0)
    pasted, partner = entries["pasted"], entries["partner"]
    assert sorted(partner.tolist()) == list(range(8))
    expected = torch.where(pasted, target[partner], target)
    assert torch.equal(entries["perturbed"], expected)
    for mask in pasted[:, 0]:  # a rectangle
        rows, columns = mask.any(1), mask.any(0)
        assert torch.equal(mask, rows[:, None] & columns[None])
        assert mask.any() and (rows.diff().sum() <= 2)


def test_areas_are_spread_over_the_image() -> None:
    areas = torch.cat(
        [draw(seed, cutmix=1.0)[1]["pasted"].float().mean((1, 2, 3)) for seed in range(40)]
    )
    assert 0.2 < areas.mean() < 0.5 and areas.min() < 0.05 and areas.max() > 0.7


def test_colours_and_blur_change_single_images() -> None:
    for settings in ({"jitter": 0.5}, {"blur": 0.5}):
        target, entries = draw(**settings)
        changed = (entries["perturbed"] != target).flatten(1).any(1)
        assert changed.any() and not changed.all()
        assert entries["perturbed"].min() >= 0 and entries["perturbed"].max() <= 1


@pytest.mark.parametrize("sigma", [0.4, 1.0, 1.8])
def test_blur_is_a_gaussian(sigma: float) -> None:
    image = images(1)[0, :1].double()
    expected = gaussian_filter(
        image.numpy(), (0, 0, sigma, sigma), mode="mirror", radius=(0, 0, *[round(3 * sigma)] * 2)
    )
    np.testing.assert_allclose(gaussian_blur(image, sigma).numpy(), expected, atol=1e-12)


def test_the_same_seed_draws_the_same() -> None:
    every = {"jitter": 1.0, "blur": 1.0, "cutmix": 1.0}
    first, again, other = (draw(seed, **every)[1]["perturbed"] for seed in (3, 3, 4))
    assert torch.equal(first, again) and not torch.equal(first, other)
