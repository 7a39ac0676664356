"""Depth by the rays of two views, against NumPy and against a scene that is known."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from steps import loss_of, step_of
from torch import Tensor

from monodepth_ros.geometry import se3
from monodepth_ros.geometry.projection import pixel_grid
from monodepth_ros.geometry.triangulation import rays_of_pixels, triangulate
from monodepth_ros.learning.losses.loss import Terms
from monodepth_ros.learning.step import Step

HEIGHT, WIDTH, POINTS = 32, 64, 60
K = torch.tensor([[40.0, 0, 31.5], [0, 42.0, 15.5], [0, 0, 1]], dtype=torch.float64)
NOISE = 0.002  # radians


def depth_of_scene() -> Tensor:
    """``(2, 1, H, W)``: two slanted planes, whose inverse depth is linear in the pixel."""
    x, y = pixel_grid(HEIGHT, WIDTH, dtype=torch.float64)
    inverse = torch.stack([0.2 + 0.003 * x + 0.002 * y, 0.5 - 0.004 * x + 0.005 * y])
    return 1 / inverse[:, None]


def motions() -> Tensor:
    """``(2, 2, 4, 4)``, each with a translation of length 1 in its own unit."""
    generator = torch.Generator().manual_seed(0)
    xi = torch.randn(2, 2, 6, generator=generator, dtype=torch.float64)
    xi[..., 3:] *= 0.03
    T = se3.exp(xi)
    t = T[..., :3, 3]
    return se3.from_rotation_translation(T[..., :3, :3], t / t.norm(dim=-1, keepdim=True))


UNITS = torch.tensor([[0.3, 0.2], [0.1, 0.4]], dtype=torch.float64)  # metres of each motion


def exact_batch(noise: float = NOISE) -> dict[str, Tensor]:
    """Matches without any error, at random places of the target."""
    generator = torch.Generator().manual_seed(1)
    size = torch.tensor([WIDTH - 1.0, HEIGHT - 1.0], dtype=torch.float64)
    pixels = size * torch.rand(2, 2, POINTS, 2, generator=generator, dtype=torch.float64)
    T = motions()
    points = points_at(pixels, depth_of_scene())
    moved = points @ T[..., :3, :3].mT + (UNITS[..., None] * T[..., :3, 3])[..., None, :]
    seen = moved @ K.mT
    neighbours = seen[..., :2] / seen[..., 2:]
    return {
        "images": torch.zeros(2, 3, 3, HEIGHT, WIDTH, dtype=torch.float64),
        "K": K.expand(2, 3, 3),
        "matches": torch.stack([pixels, neighbours], 2),
        "match_noise": torch.full((2, 2, POINTS), noise, dtype=torch.float64),
        "T_matches": T,
    }


def points_at(pixels: Tensor, depth: Tensor) -> Tensor:
    """Points ``(2, 2, N, 3)`` in metres: between pixels inverse depth is linear."""
    rays = torch.cat([pixels, torch.ones_like(pixels[..., :1])], -1) @ torch.linalg.inv(K).mT
    return rays / bilinear(1 / depth, pixels)[..., None]


def bilinear(maps: Tensor, pixels: Tensor) -> Tensor:
    """``(2, 2, N)`` of maps ``(2, 1, H, W)``, pixel by pixel."""
    found = np.empty(pixels.shape[:-1])
    for place in np.ndindex(*found.shape):
        x, y = pixels[place].tolist()
        left, top = min(int(x), WIDTH - 2), min(int(y), HEIGHT - 2)
        right, down = x - left, y - top
        (a, b), (c, d) = maps[place[0], 0, top : top + 2, left : left + 2].tolist()
        found[place] = (1 - down) * ((1 - right) * a + right * b)
        found[place] += down * ((1 - right) * c + right * d)
    return torch.from_numpy(found)


def run(
    inverse_depths: list[Tensor], batch: dict[str, Tensor] | None = None, **settings: object
) -> tuple[Terms, Step]:
    step = step_of(batch or exact_batch(), inverse_depths)
    return loss_of("triangulation", **settings)(step), step


def other_depth(seed: int = 2) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return 1 + 4 * torch.rand(2, 1, HEIGHT, WIDTH, generator=generator, dtype=torch.float64)


def test_true_depth_costs_nothing_whatever_the_units_are() -> None:
    terms, step = run([1 / depth_of_scene()])
    assert terms.loss < 1e-12
    assert terms.figures["left_out"] == 0 and terms.figures["points"] == POINTS
    T = motions()
    torch.testing.assert_close(step.matched_T[..., :3, :3], T[..., :3, :3])
    torch.testing.assert_close(
        step.matched_T[..., :3, 3], UNITS[..., None] * T[..., :3, 3], rtol=1e-10, atol=1e-12
    )


def test_it_is_the_weighted_mean_about_the_weighted_median() -> None:
    """Against NumPy, point by point."""
    batch, depth = exact_batch(), other_depth()
    batch["match_noise"] *= torch.linspace(0.3, 3.0, POINTS, dtype=torch.float64)
    terms, _ = run([1 / depth], batch)
    pixels, T = batch["matches"].numpy(), batch["T_matches"].numpy()
    predicted = 1 / bilinear(1 / depth, batch["matches"][:, :, 0]).numpy()
    total = 0.0
    for b, s in np.ndindex(2, 2):
        errors, weights = [], []
        for n in range(POINTS):
            one, other = (
                np.linalg.inv(K.numpy()) @ [*pixels[b, s, side, n], 1.0] for side in (0, 1)
            )
            # z1 R one + t = z2 other, by least squares of its cross product with other.
            turned, t = T[b, s, :3, :3] @ one, T[b, s, :3, 3]
            normal = np.cross(other, turned)
            z = -(np.cross(other, t) @ normal) / (normal @ normal)
            cosine = turned @ other / np.linalg.norm(turned) / np.linalg.norm(other)
            expected = float(batch["match_noise"][b, s, n]) / math.acos(cosine)
            if expected < 0.5:
                errors.append(math.log(predicted[b, s, n] / z))
                weights.append(1 / (1 + (expected / 0.1) ** 2))
        order = np.argsort(errors)
        reached = np.cumsum(np.array(weights)[order])
        median = errors[order[np.argmax(reached >= 0.5 * reached[-1])]]
        total += np.average(np.abs(np.array(errors) - median), weights=weights) / 4
    assert total > 0.1
    assert float(terms.loss) == pytest.approx(total, rel=1e-9)


def test_scale_changes_nothing() -> None:
    depth = other_depth()
    terms, step = run([1 / depth])
    larger, other = run([1 / (depth * torch.tensor([3.7, 0.2]).view(2, 1, 1, 1))])
    torch.testing.assert_close(terms.loss, larger.loss, rtol=1e-12, atol=0)
    expected = torch.tensor([3.7, 0.2]).view(2, 1, 1).double() * step.matched_T[..., :3, 3]
    torch.testing.assert_close(other.matched_T[..., :3, 3], expected, rtol=1e-6, atol=0)


def test_its_gradient_has_no_part_along_scale() -> None:
    log_depth = other_depth().log().requires_grad_()
    terms, _ = run([(-log_depth).exp()])
    (gradient,) = torch.autograd.grad(terms.loss, log_depth)
    assert gradient.abs().sum() > 0.1
    assert gradient.sum((1, 2, 3)).abs().max() < 1e-12


def test_its_gradient_leads_to_true_depth() -> None:
    """Where depth is too large for the rest of the image, more of it costs more."""
    truth = depth_of_scene()
    bump = torch.ones_like(truth)
    bump[..., 10:20, 20:36] = 1.3
    log_depth = (truth * bump).log().requires_grad_()
    terms, _ = run([(-log_depth).exp()])
    (gradient,) = torch.autograd.grad(terms.loss, log_depth)
    inside = gradient[..., 11:19, 21:35]
    assert (inside >= 0).all() and inside.sum() > 0
    before = terms.loss
    for _ in range(200):
        terms, _ = run([(-log_depth).exp()])
        (gradient,) = torch.autograd.grad(terms.loss, log_depth)
        log_depth = (log_depth - 0.5 * gradient).detach().requires_grad_()
    assert terms.loss < 0.2 * before


def test_coarse_scales_count_as_much() -> None:
    depths = [other_depth(seed) for seed in range(4)]
    inverse = [torch.nn.functional.avg_pool2d(1 / d, 2**s) for s, d in enumerate(depths)]
    whole = run(inverse)[0].loss
    each = [run(inverse, scales=(scale,))[0].loss for scale in range(4)]
    torch.testing.assert_close(whole, torch.stack(each).mean())


def test_a_pair_without_enough_matches_is_left_out_and_counted() -> None:
    batch, depth = exact_batch(), other_depth()
    (whole, step), batch["match_noise"] = run([1 / depth], batch), batch["match_noise"].clone()
    batch["match_noise"][0, 1, 10:] = torch.nan  # 10 are left, 16 are asked for
    terms, fewer = run([1 / depth], batch)
    assert terms.figures["left_out"] == 0.25 and terms.figures["points"] == POINTS
    assert fewer.matched_T[0, 1].isnan().all() and fewer.matched.known.tolist() == [
        [True, False],
        [True, True],
    ]
    torch.testing.assert_close(fewer.matched_T[1], step.matched_T[1])
    pair = loss_of("triangulation")._of_pairs(step, 0)  # type: ignore[attr-defined]
    torch.testing.assert_close(terms.loss, whole.loss - pair[0, 1] / 4)


def test_nothing_known_is_no_loss_and_no_gradient() -> None:
    batch = exact_batch()
    batch["T_matches"] = torch.full_like(batch["T_matches"], torch.nan)
    batch["matches"] = torch.full_like(batch["matches"], torch.nan)
    batch["match_noise"] = torch.full_like(batch["match_noise"], torch.nan)
    inverse_depth = (1 / other_depth()).requires_grad_()
    terms, step = run([inverse_depth], batch)
    terms.loss.backward()
    assert terms.loss == 0 and terms.figures["left_out"] == 1 and terms.figures["points"] == 0
    assert inverse_depth.grad is not None and (inverse_depth.grad == 0).all()
    figures = loss_of("triangulation").validation_figures(step)
    assert figures["triangulation"].isnan().all()


def test_what_moves_against_the_rest_or_lies_behind_is_not_asked() -> None:
    batch = exact_batch()
    swapped = batch["matches"].flip(2)  # seen the other way round: behind both cameras
    batch["matches"] = torch.cat([batch["matches"], swapped[..., :20, :]], 3)
    batch["match_noise"] = torch.full((2, 2, POINTS + 20), NOISE, dtype=torch.float64)
    terms, step = run([1 / depth_of_scene()], batch)
    behind = step.matched.weight[..., POINTS:] == 0
    assert behind.float().mean() > 0.5
    assert (step.matched.weight[..., :POINTS] > 0).all()
    assert terms.loss.isfinite()


def test_only_points_inside_the_image_on_valid_pixels_count() -> None:
    batch = exact_batch()
    batch["matches"] = batch["matches"].clone()
    batch["matches"][:, :, 0, :5, 0] += WIDTH
    batch["valid"] = torch.ones(2, 1, HEIGHT, WIDTH, dtype=torch.bool)
    batch["valid"][..., :8] = False
    _, step = run([1 / depth_of_scene()], batch)
    x = batch["matches"][:, :, 0, :, 0]
    expected = (x <= WIDTH - 1) & (x >= 8)
    assert torch.equal(step.matched.weight > 0, expected) and not expected.all()


def test_less_parallax_weighs_less() -> None:
    weights = [run([1 / depth_of_scene()], exact_batch(n))[1].matched.weight for n in (1e-4, 5e-3)]
    assert (weights[0] > weights[1]).all() and (weights[0] > 0.99).float().mean() > 0.9


def test_a_pair_of_doubtful_points_is_left_out() -> None:
    """However many they are: each counts by its weight."""
    batch = exact_batch()
    rays = rays_of_pixels(batch["matches"], batch["K"][:, None, None]).unbind(2)
    parallax = triangulate(*rays, batch["T_matches"]).parallax
    decided = set()
    for noise in (0.002, 0.01, 0.02, 0.03, 0.2):
        points = run([1 / depth_of_scene()], exact_batch(noise))[1].matched
        weight = 1 / (1 + (noise / parallax / 0.1) ** 2) * (noise / parallax < 0.5)
        many = (noise / parallax < 0.5).sum(-1) >= 16
        assert torch.equal(points.known, weight.sum(-1) >= 16)
        decided |= set(zip(many.flatten().tolist(), points.known.flatten().tolist(), strict=True))
    assert decided == {(True, True), (True, False), (False, False)}


def test_validation_is_of_each_image() -> None:
    batch, inverse_depth = exact_batch(), [1 / other_depth()]
    batch["match_noise"] = batch["match_noise"].clone()
    batch["match_noise"][0, 0] = torch.nan
    terms, step = run(inverse_depth, batch)
    figures = loss_of("triangulation").validation_figures(step)["triangulation"]
    pairs = loss_of("triangulation")._of_pairs(step, 0)  # type: ignore[attr-defined]
    torch.testing.assert_close(figures, torch.stack([pairs[0, 1], pairs[1].mean()]))
    torch.testing.assert_close(terms.loss, (pairs[0, 1] + pairs[1].sum()) / 4)
