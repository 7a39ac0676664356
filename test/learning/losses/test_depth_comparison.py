"""Comparisons of depth against loops over pixels, and what invalid truth does to them."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from steps import inverse_depth, loss_of, step_of
from torch.nn import functional as F

from monodepth_ros.learning.losses.depth_comparison import Supervised
from monodepth_ros.learning.losses.depth_terms import Absolute, Gradient, Silog, surface_normals

WIDTH, HEIGHT = 16, 12
K = torch.tensor([[14.0, 0.5, 7.2], [0, 13.0, 5.8], [0, 0, 1]], dtype=torch.float64)


class Comparison:
    """The loss of true depth: with a silog or an absolute term, a gradient and a normal one."""

    def __init__(self, differences="squared", scale_invariance=0.5, gradient=1.0, normal=0.05,
                 depths=1.0, scales=(0, 1, 2, 3), depth_range=(0.1, 100.0)):  # fmt: skip
        term = {"weight": depths, "scale_invariance": scale_invariance}
        self.first = "silog" if differences == "squared" else "absolute"
        self.settings = SimpleNamespace(
            silog_weight=depths, silog_lambda=scale_invariance, gradient_weight=gradient,
            normal_weight=normal, min_depth=depth_range[0], max_depth=depth_range[1],
        )  # fmt: skip
        self.depth_range = depth_range
        self.loss = loss_of(
            "supervised", scales=scales, gradient={"weight": gradient, "norm": differences},
            normal={"weight": normal}, **{"silog": None, "absolute": None, self.first: term},
        )  # fmt: skip

    def __call__(self, disparities, truth, K):
        """Of sigmoids."""
        inverse_depths = [inverse_depth(d, *self.depth_range) for d in disparities]
        batch = {"images": torch.zeros(len(truth), 1, 3, *truth.shape[2:]), "depth": truth, "K": K}
        return self.loss(step_of(batch, inverse_depths, depth_range=self.depth_range))


def known(e):
    """A comparison of log depths that differ by ``e`` everywhere."""
    return SimpleNamespace(difference=e, valid=torch.ones_like(e, dtype=torch.bool))


def random_truth(batch=2, missing=0.2):
    truth = 1 + 4 * torch.rand(batch, 1, HEIGHT, WIDTH, dtype=torch.float64)
    truth[torch.rand_like(truth) < missing] = math.nan
    return truth


def random_disparities(batch=2, scales=2, dtype=torch.float64):
    return [
        torch.rand(batch, 1, HEIGHT >> s, WIDTH >> s, dtype=torch.float64)
        .mul(0.06)
        .add(0.01)
        .to(dtype)
        .requires_grad_()
        for s in range(scales)
    ]


def terms_by_loop(depth, truth, intrinsics, scale_invariance, differences="squared"):
    """The three terms of one image (H, W), one pixel at a time."""
    power = {"squared": 2, "absolute": 1}[differences]
    valid = np.isfinite(truth)
    count = valid.sum()
    if count == 0:
        return np.zeros(3)
    e = np.log(depth) - np.log(np.where(valid, truth, 1))
    values = e[valid]
    if differences == "squared":
        depths = (values**2).mean() - scale_invariance * values.sum() ** 2 / count**2
    else:
        middle = np.sort(values)[(count - 1) // 2]
        depths = (1 - scale_invariance) * np.abs(values).mean()
        depths += scale_invariance * np.abs(values - middle).mean()
    result = [depths, 0.0, 0.0]
    back = np.linalg.inv(intrinsics)

    def normal(d, row, column):
        here, right, below = (
            d[r, c] * back @ [c, r, 1.0]
            for r, c in ((row, column), (row, column + 1), (row + 1, column))
        )
        cross = np.cross(right - here, below - here)
        return cross / np.linalg.norm(cross)

    distances = []
    for row in range(depth.shape[0]):
        for column in range(depth.shape[1]):
            has_right = column + 1 < depth.shape[1] and valid[row, column : column + 2].all()
            has_below = row + 1 < depth.shape[0] and valid[row : row + 2, column].all()
            if has_right:
                result[1] += abs(e[row, column + 1] - e[row, column]) ** power / count
            if has_below:
                result[1] += abs(e[row + 1, column] - e[row, column]) ** power / count
            if has_right and has_below:
                pair = normal(depth, row, column) @ normal(truth, row, column)
                distances.append(1 - pair)
    result[2] = np.mean(distances) if distances else 0.0
    return np.array(result)


def naive_loss(disparities, truth, settings):
    """All terms by autograd over points and masks, in the dtype of the inputs."""
    total = 0
    y, x = torch.meshgrid(torch.arange(HEIGHT), torch.arange(WIDTH), indexing="ij")
    rays = torch.linalg.inv(K) @ torch.stack([x, y, torch.ones_like(x)]).double().flatten(1)

    def normals(depth):
        points = (rays * depth.reshape(1, -1)).view(3, HEIGHT, WIDTH)
        right = points[:, :-1, 1:] - points[:, :-1, :-1]
        below = points[:, 1:, :-1] - points[:, :-1, :-1]
        return F.normalize(torch.linalg.cross(right, below, dim=0), dim=0, eps=1e-30)

    for disparity in disparities:
        upsampled = F.interpolate(disparity, (HEIGHT, WIDTH), mode="bilinear", align_corners=False)
        near, far = 1 / settings.min_depth, 1 / settings.max_depth
        for depth, d in zip(1 / (far + (near - far) * upsampled[:, 0]), truth[:, 0], strict=True):
            valid = torch.isfinite(d)
            if not valid.any():
                continue
            e = depth.log()[valid] - d[valid].log()
            total = total + settings.silog_weight * (
                e.square().mean() - settings.silog_lambda * e.mean().square()
            )
            e = torch.where(valid, depth.log() - d.nan_to_num(1.0).log(), 0.0)
            down, right = valid[1:] & valid[:-1], valid[:, 1:] & valid[:, :-1]
            steps = torch.cat([(e[1:] - e[:-1])[down], (e[:, 1:] - e[:, :-1])[right]])
            total = total + settings.gradient_weight * steps.square().sum() / valid.sum()
            cosine = (normals(depth) * normals(d.nan_to_num(1.0))).sum(0)
            cosine = cosine[right[:-1] & down[:, :-1]]
            total = total + settings.normal_weight * (1 - cosine).mean()
    return total / (len(truth) * len(disparities))


def batched(intrinsics, batch=2, dtype=torch.float64):
    return intrinsics.to(dtype).expand(batch, 3, 3)


@pytest.mark.parametrize("differences", ["squared", "absolute"])
@pytest.mark.parametrize("scale_invariance", [0.0, 0.5, 1.0])
def test_terms_equal_loops_over_pixels(scale_invariance, differences):
    comparison = Comparison(differences, scale_invariance, gradient=0.7, normal=0.3, scales=(0,))
    truth, disparities = random_truth(), random_disparities(scales=1)
    terms = comparison(disparities, truth, batched(K)).figures
    depth = 1 / (0.01 + 9.99 * disparities[0].detach())
    expected = np.mean(
        [
            terms_by_loop(d[0].numpy(), t[0].numpy(), K.numpy(), scale_invariance, differences)
            for d, t in zip(depth, truth, strict=True)
        ],
        axis=0,
    )
    actual = [terms[comparison.first].item(), terms["gradient"].item(), terms["normal"].item()]
    np.testing.assert_allclose(actual, expected * [1, 0.7, 0.3], rtol=1e-9)


@pytest.mark.parametrize("dtype, tolerance", [(torch.float64, 1e-10), (torch.float32, 1e-5)])
def test_loss_and_gradients_equal_the_straightforward_ones(dtype, tolerance):
    comparison = Comparison(scales=(0, 1), normal=0.3)
    truth, disparities = random_truth(), random_disparities()
    expected = naive_loss(disparities, truth, comparison.settings)
    expected_gradients = torch.autograd.grad(expected, disparities)

    inputs = [d.detach().to(dtype).requires_grad_() for d in disparities]
    objective = comparison(inputs, truth.to(dtype), batched(K, dtype=dtype))
    assert objective.loss.item() == pytest.approx(expected.item(), rel=tolerance)
    assert sum(objective.figures.values()).item() == pytest.approx(expected.item(), rel=tolerance)
    for gradient, right in zip(
        torch.autograd.grad(objective.loss, inputs), expected_gradients, strict=True
    ):
        assert (gradient.double() - right).norm() / right.norm() < tolerance


@pytest.mark.parametrize("differences, blind", [("squared", 0.5), ("absolute", 1.0)])
def test_gradient_is_that_of_finite_differences(differences, blind):
    truth, disparities = random_truth(), random_disparities()
    objective = Comparison(differences, blind, scales=(0, 1))
    assert torch.autograd.gradcheck(
        lambda *d: objective(d, truth, batched(K)).loss, tuple(disparities), fast_mode=True
    )


def test_silog_closed_forms():
    e = torch.full((1, 1, 3, 4), 0.2, dtype=torch.float64)
    for scale_invariance, expected in ((0.0, 0.04), (0.5, 0.02), (1.0, 0.0)):
        term = Silog(scale_invariance=scale_invariance)
        assert term(known(e)).item() == pytest.approx(expected, abs=1e-15)
    e = torch.randn(1, 1, 3, 4, dtype=torch.float64)
    torch.testing.assert_close(
        Silog(scale_invariance=1.0)(known(e)), e.var(correction=0).reshape(1)
    )


def test_absolute_differences_leave_an_outlier_its_share():
    e = torch.full((1, 1, 3, 4), 0.2, dtype=torch.float64)
    e[..., 0, 0] = 3.2
    for scale_invariance, expected in ((0.0, 0.2 + 3 / 12), (1.0, 3 / 12)):
        assert Absolute(scale_invariance=scale_invariance)(known(e)).item() == pytest.approx(
            expected
        )


def test_gradient_term_of_a_ramp():
    e = 0.1 * torch.arange(4.0).expand(1, 1, 3, 4)
    torch.testing.assert_close(Gradient()(known(e)), torch.tensor([9 * 0.01 / 12]))


def test_normals_of_a_plane():
    normal = F.normalize(torch.tensor([0.2, -0.5, 0.8], dtype=torch.float64), dim=0)
    y, x = torch.meshgrid(torch.arange(HEIGHT), torch.arange(WIDTH), indexing="ij")
    pixels = torch.stack([x, y, torch.ones_like(x)]).double().flatten(1)
    inverse_depth = (normal @ torch.linalg.inv(K) @ pixels / 2.5).view(1, 1, HEIGHT, WIDTH)
    normals = surface_normals(inverse_depth, K[None])
    torch.testing.assert_close(normals, normal[:, None, None].expand_as(normals[0])[None])


def test_exact_prediction_has_no_loss():
    disparity = random_disparities(scales=1)
    truth = 1 / (0.01 + 9.99 * disparity[0].detach())
    loss = Comparison(scales=(0,))(disparity, truth, batched(K)).loss
    assert abs(loss.item()) < 1e-12


@pytest.mark.parametrize("differences", ["squared", "absolute"])
@pytest.mark.parametrize("blank", [math.nan, 0.0, -1.0, math.inf])
def test_an_image_without_truth_adds_nothing(blank, differences):
    truth, disparities = random_truth(), random_disparities()
    objective = Comparison(differences, scales=(0, 1))
    alone = objective([d[:1] for d in disparities], truth[:1], batched(K, 1)).loss
    truth[1] = blank
    both = objective(disparities, truth, batched(K)).loss
    torch.testing.assert_close(both, alone / 2)
    both.backward()
    for disparity in disparities:
        assert disparity.grad[0].abs().max() > 0
        assert disparity.grad[1].eq(0).all()


def test_a_batch_without_truth_has_zero_loss_and_gradient():
    truth, disparities = random_truth(), random_disparities(dtype=torch.bfloat16)
    loss = Comparison(scales=(0, 1))(disparities, truth * math.nan, batched(K)).loss
    loss.backward()
    assert loss.item() == 0
    assert all(d.grad.eq(0).all() for d in disparities)


def test_truth_beyond_the_range_pulls_to_its_end():
    comparison = Comparison(scales=(0,), depth_range=(0.1, 10.0))
    far = torch.zeros(2, 1, HEIGHT, WIDTH, dtype=torch.float64)
    truth = torch.full_like(far, 50.0)
    assert comparison([far], truth, batched(K)).loss.item() < 1e-12


def test_a_weight_of_zero_switches_a_term_off():
    truth, disparities = random_truth(), random_disparities()
    for off, option in (("silog", "depths"), ("gradient", "gradient"), ("normal", "normal")):
        terms = Comparison(scales=(0, 1), **{option: 0})(disparities, truth, batched(K)).figures
        assert {"silog", "gradient", "normal"} - terms.keys() == {off}
        assert all(term > 0 for term in terms.values())


def test_settings_refuse_what_makes_no_sense():
    for wrong in ({"silog": 1}, {"silogs": {}}, {"scales": (0, 0)}, {"normal": {"weight": -1}}):
        with pytest.raises(ValidationError):
            Supervised(**wrong)


def test_learns_depth_from_truth():
    rows = torch.linspace(2, 6, HEIGHT, dtype=torch.float32)[:, None]
    truth = rows.expand(1, 1, HEIGHT, WIDTH)
    logits = torch.full((1, 1, HEIGHT, WIDTH), -2.0, requires_grad=True)
    objective = Comparison(scales=(0,))
    optimiser = torch.optim.Adam([logits], lr=0.1)
    intrinsics = batched(K, 1, torch.float32)
    for _ in range(150):
        optimiser.zero_grad()
        objective([logits.sigmoid()], truth, intrinsics).loss.backward()
        optimiser.step()
    depth = 1 / (0.01 + 9.99 * logits.detach().sigmoid())
    assert ((depth - truth).abs() / truth).mean() < 0.02
