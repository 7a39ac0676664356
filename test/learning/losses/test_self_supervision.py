"""The self-supervised objective against the published formulas, its switches, and its teaching."""

import math

import pytest
import torch
from pydantic import ValidationError
from torch.nn import functional as F

from monodepth_ros.geometry import se3
from monodepth_ros.learning.losses.self_supervision import (
    SelfSupervisedObjective,
    SelfSupervisionSettings,
)

HEIGHT, WIDTH = 24, 40
K = torch.tensor([[30.0, 0, 19.0], [0, 28.0, 11.0], [0, 0, 1]], dtype=torch.float64)


def settings(**changes):
    """The reference's settings without the one thing that is random."""
    return SelfSupervisionSettings(**{"automask_noise": 0.0, **changes})


class Batch:
    """Inputs of the objective: smooth textures that move, and a guess of depth and motion."""

    def __init__(self, batch=2, scales=4, dtype=torch.float64, seed=0, depths=(0.1, 100.0)):
        nearest, farthest = (1 / depth for depth in depths)
        generator = torch.Generator().manual_seed(seed)

        def random(*shape):
            return torch.randn(shape, generator=generator, dtype=torch.float64)

        def smooth(size, *leading):
            coarse = random(*leading, size[0] // 4, size[1] // 4)
            return F.interpolate(coarse, size, mode="bicubic", align_corners=False)

        texture = smooth((HEIGHT, WIDTH), batch, 3).sigmoid()
        views = torch.stack([texture, texture.roll(2, -1), texture.roll(-1, -1)], 1)
        self.images = (views + 0.02 * random(batch, 3, 3, HEIGHT, WIDTH)).clamp(0, 1).to(dtype)
        self.disparities = [
            (smooth((HEIGHT, WIDTH), batch, 1) - 2.0)
            .sigmoid()[:, :, :: 2**s, :: 2**s]
            .mul(nearest - farthest)
            .add(farthest)
            .to(dtype)
            .requires_grad_()
            for s in range(scales)
        ]
        twist = 0.03 * random(batch, 2, 6)
        self.previous, self.next = (
            se3.exp(twist[:, i]).to(dtype).requires_grad_() for i in range(2)
        )
        self.K = K.to(dtype).expand(batch, 3, 3)

    @property
    def arguments(self):
        return self.disparities, self.previous, self.next, self.images, self.K

    @property
    def leaves(self):
        return [*self.disparities, self.previous, self.next]


def naive_error(a, b, ssim_weight):
    def mean(x):
        return F.avg_pool2d(F.pad(x, (1, 1, 1, 1), mode="reflect"), 3, 1)

    mu_a, mu_b = mean(a), mean(b)
    var_a, var_b = mean(a**2) - mu_a**2, mean(b**2) - mu_b**2
    ssim = (2 * mu_a * mu_b + 0.01**2) * (2 * (mean(a * b) - mu_a * mu_b) + 0.03**2)
    ssim = ssim / ((mu_a**2 + mu_b**2 + 0.01**2) * (var_a + var_b + 0.03**2))
    dissimilarity = ((1 - ssim) / 2).clamp(0, 1).mean(1, keepdim=True)
    return ssim_weight * dissimilarity + (1 - ssim_weight) * (a - b).abs().mean(1, keepdim=True)


def naive_warp(source, depth, T, intrinsics, padding):
    """Homogeneous points of every pixel, moved, projected, sampled."""
    batch, _, height, width = depth.shape
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    pixels = torch.stack([x, y, torch.ones_like(x)]).to(depth).flatten(1)
    points = torch.linalg.inv(intrinsics) @ pixels * depth.reshape(batch, 1, -1)
    points = torch.cat([points, torch.ones_like(points[:, :1])], 1)
    moved = intrinsics @ (T[:, :3] @ points)
    landed = moved[:, :2] / (moved[:, 2:] + 1e-7)
    size = torch.tensor([width - 1, height - 1]).to(depth)
    grid = landed.view(batch, 2, height, width).permute(0, 2, 3, 1) / size * 2 - 1
    return F.grid_sample(source, grid, padding_mode=padding, align_corners=True)


def naive_smoothness(disparity, image, decay, unit):
    """First and second order, along x and then, turned by a quarter, along y."""
    mean = disparity.mean((2, 3), keepdim=True) + 1e-7
    spread = (disparity - disparity.mean((2, 3), keepdim=True)).abs().mean((2, 3), keepdim=True)
    normalised = disparity / (mean if unit == "mean" else spread + mean / 1000)
    first = second = 0
    for d, i in ((normalised, image), (normalised.mT, image.mT)):
        weight = (-decay * i.diff(dim=3).abs().mean(1, keepdim=True)).exp()
        first = first + (d.diff(dim=3).abs() * weight).mean()
        bend = (d[..., 2:] - 2 * d[..., 1:-1] + d[..., :-2]).abs()
        second = second + (bend * weight[..., 1:] * weight[..., :-1]).mean()
    return first, second


def naive_loss(batch, s, masks=None):
    """The objective as its paper writes it, one scale and one source after the other."""
    ssim_weight = s.ssim_weight if s.ssim else 0.0
    total = 0
    for index in s.scales:
        disparity = batch.disparities[index]
        views, intrinsics = batch.images, batch.K
        small = F.avg_pool2d(views.flatten(0, 1), 2**index).unflatten(0, views.shape[:2])
        if s.v1_multiscale:
            views = small
            half_pixel = torch.tensor([[0.0, 0.0, 0.5], [0.0, 0.0, 0.5], [0.0, 0.0, 0.0]])
            scale = torch.tensor([2.0**-index, 2.0**-index, 1]).to(intrinsics)
            half_pixel = half_pixel.to(intrinsics)
            intrinsics = scale[:, None] * (intrinsics + half_pixel) - half_pixel
        target, *sources = views.unbind(1)
        full = F.interpolate(disparity, target.shape[-2:], mode="bilinear", align_corners=False)
        warped = [
            naive_error(naive_warp(source, 1 / full, T, intrinsics, s.padding), target, ssim_weight)
            for source, T in zip(sources, (batch.previous, batch.next), strict=True)
        ]
        errors = torch.cat(warped, 1)
        if masks is not None:
            size = errors.shape[-2:]
            mask = F.interpolate(masks[index], size, mode="bilinear", align_corners=False)
            errors = errors * mask
            ones = torch.ones_like(masks[index])
            total = total + s.predictive_mask_weight * F.binary_cross_entropy(masks[index], ones)
        identity = torch.cat([naive_error(source, target, ssim_weight) for source in sources], 1)
        if s.average_reprojection:
            errors, identity = errors.mean(1, keepdim=True), identity.mean(1, keepdim=True)
        if s.automask:
            errors = torch.cat([identity, errors], 1)
        total = total + errors.min(1).values.mean()
        nearness = disparity - 1 / s.max_depth
        smooth, planar = naive_smoothness(nearness, small[:, 0], s.edge_decay, s.smoothness_unit)
        total = total + s.smoothness_weight * smooth / 2**index
        total = total + s.planarity_weight * planar / 2**index
    return total / len(s.scales)


def assert_equals_naive(batch, s, tolerance, masks=None, reference=None):
    """Loss and gradients of ``batch`` equal those of ``reference``, the same batch in double."""
    reference = reference or batch
    expected = naive_loss(reference, s, masks)
    objective = SelfSupervisedObjective(s)(*batch.arguments, predictive_masks=masks)
    assert objective.loss.item() == pytest.approx(expected.item(), rel=tolerance)
    assert sum(objective.terms.values()).item() == pytest.approx(expected.item(), rel=tolerance)
    used = [reference.disparities[i] for i in s.scales] + [reference.previous, reference.next]
    leaves = [batch.disparities[i] for i in s.scales] + [batch.previous, batch.next]
    for actual, right in zip(
        torch.autograd.grad(objective.loss, leaves),
        torch.autograd.grad(expected, used),
        strict=True,
    ):
        assert (actual.double() - right).norm() < tolerance * right.norm()


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"ssim": False},
        {"ssim_weight": 0.5, "smoothness_weight": 0.1},
        {"smoothness_weight": 0.1, "planarity_weight": 0.2, "edge_decay": 20.0},
        {"smoothness_weight": 0.1, "planarity_weight": 0.2, "smoothness_unit": "spread"},
        {"smoothness_weight": 0.0},
        {"automask": False},
        {"average_reprojection": True},
        {"average_reprojection": True, "automask": False},
        {"v1_multiscale": True},
        {"scales": (0, 2)},
        {"min_depth": 0.5, "max_depth": 10.0},
        {"padding": "zeros"},
    ],
    ids=lambda changes: ",".join(changes) or "reference",
)
def test_loss_and_gradients_equal_the_published_formulas(changes):
    chosen = settings(**changes)
    assert_equals_naive(Batch(depths=(chosen.min_depth, chosen.max_depth)), chosen, 1e-9)


def test_single_precision_is_close_to_double():
    # Ties of the minimum and of the sampler's cells may fall to the other side in single precision;
    # this batch has none within rounding.
    assert_equals_naive(Batch(dtype=torch.float32), settings(), 1e-5, reference=Batch())


def test_predictive_masks_weight_the_errors_and_are_drawn_to_one():
    batch, s = Batch(), settings(automask=False, predictive_mask=True)
    masks = [
        torch.rand(2, 2, HEIGHT >> i, WIDTH >> i, dtype=torch.float64, requires_grad=True)
        for i in range(4)
    ]
    assert_equals_naive(batch, s, 1e-9, masks)
    actual = SelfSupervisedObjective(s)(*batch.arguments, predictive_masks=masks).loss
    for gradient, right in zip(
        torch.autograd.grad(actual, masks),
        torch.autograd.grad(naive_loss(batch, s, masks), masks),
        strict=True,
    ):
        torch.testing.assert_close(gradient, right)


def test_noise_follows_its_generator():
    batch, objective = Batch(), SelfSupervisedObjective(SelfSupervisionSettings(automask_noise=0.1))
    losses = [
        objective(*batch.arguments, generator=torch.Generator().manual_seed(seed)).loss.item()
        for seed in (1, 1, 2)
    ]
    assert losses[0] == losses[1] != losses[2]


def test_each_scale_has_noise_of_its_own():
    batch = Batch()
    batch.disparities = [batch.disparities[0]] * 2
    objective = SelfSupervisedObjective(SelfSupervisionSettings(automask_noise=0.1, scales=(0, 1)))
    alone = SelfSupervisedObjective(SelfSupervisionSettings(automask_noise=0.1, scales=(0,)))
    both = objective(*batch.arguments, generator=torch.Generator().manual_seed(1))
    first = alone(*batch.arguments, generator=torch.Generator().manual_seed(1))
    assert both.terms["photometric"] != first.terms["photometric"]


def test_a_static_scene_is_masked_throughout():
    batch = Batch()
    batch.images = batch.images[:, :1].expand_as(batch.images)
    objective = SelfSupervisedObjective(settings())
    assert objective(*batch.arguments).statistics["automasked"] == 1
    assert objective.error_maps(*batch.arguments).automasked.all()


def test_error_maps_are_those_of_the_loss():
    batch, s = Batch(), settings(scales=(0,), smoothness_weight=0.0)
    objective = SelfSupervisedObjective(s)(*batch.arguments)
    maps = SelfSupervisedObjective(s).error_maps(*batch.arguments)
    assert maps.error.shape == maps.automasked.shape == (2, 1, HEIGHT, WIDTH)
    torch.testing.assert_close(maps.error.mean(), objective.terms["photometric"])
    torch.testing.assert_close(maps.automasked.double().mean(), objective.statistics["automasked"])


def test_low_precision_disparities_are_compared_in_single():
    batch = Batch(dtype=torch.float32)
    halves = [d.detach().bfloat16().requires_grad_() for d in batch.disparities]
    objective = SelfSupervisedObjective(settings())
    with torch.autocast("cpu", dtype=torch.bfloat16):
        mixed = objective(halves, *batch.arguments[1:]).loss
    plain = objective([d.float() for d in halves], *batch.arguments[1:]).loss
    assert mixed.dtype == torch.float32 and mixed.item() == plain.item()
    mixed.backward()
    assert all(d.grad.dtype == torch.bfloat16 and d.grad.isfinite().all() for d in halves)


def test_without_gradients_the_value_is_the_same():
    batch, objective = Batch(), SelfSupervisedObjective(settings())
    with torch.no_grad():
        silent = objective(*batch.arguments).loss
    torch.testing.assert_close(silent, objective(*batch.arguments).loss.detach())


@pytest.mark.slow
def test_compiled_objective_equals_the_uncompiled():
    batch = Batch(dtype=torch.float32)
    plain = SelfSupervisedObjective(settings())(*batch.arguments).loss
    fused = SelfSupervisedObjective(settings(), compiled=True)(*batch.arguments).loss
    torch.testing.assert_close(fused, plain)
    torch.testing.assert_close(
        torch.autograd.grad(fused, batch.leaves),
        torch.autograd.grad(plain, batch.leaves),
        rtol=1e-3,
        atol=1e-6,
    )


def test_settings_refuse_what_makes_no_sense():
    for wrong in (
        {"automsk": True},
        {"min_depth": 5, "max_depth": 2},
        {"predictive_mask": True},
        {"scales": ()},
        {"padding": "wrap"},
    ):
        with pytest.raises(ValidationError):
            SelfSupervisionSettings(**wrong)
    with pytest.raises(ValueError, match="predictive_mask"):
        SelfSupervisedObjective(settings(automask=False, predictive_mask=True))(*Batch().arguments)


# A textured plane, seen exactly: what a pixel of any view shows follows from its ray.


def texture(x, y):
    """Colours of the plane at ``(x, y)`` metres, smooth enough to be sampled."""
    waves = [
        torch.sin(5 * x + 1) * torch.cos(4 * y),
        torch.sin(9 * x + 3 * y) * torch.sin(2 * x - 7 * y + 2),
        torch.cos(12 * y - 5 * x) * torch.sin(7 * x + 4),
    ]
    return torch.stack([0.5 + 0.4 * wave for wave in waves])


def view_of_plane(T_camera_world, normal, distance):
    """Image ``(3, H, W)`` and depth ``(1, H, W)`` of the plane ``normal . X = distance``."""
    y, x = torch.meshgrid(torch.arange(HEIGHT), torch.arange(WIDTH), indexing="ij")
    rays = torch.linalg.inv(K) @ torch.stack([x, y, torch.ones_like(x)]).double().flatten(1)
    T_world_camera = se3.inverse(T_camera_world)
    directions, center = T_world_camera[:3, :3] @ rays, T_world_camera[:3, 3]
    depth = (distance - normal @ center) / (normal @ directions)
    points = center[:, None] + depth * directions
    return texture(points[0], points[1]).view(3, HEIGHT, WIDTH), depth.view(1, HEIGHT, WIDTH)


def plane_sequence():
    """Three views ``(1, 3, 3, H, W)`` of a slanted plane, the target's depth, the two poses."""
    normal, distance = torch.tensor([0.1, -0.3, 1.0], dtype=torch.float64), 2.5
    poses = [
        se3.exp(torch.tensor(twist, dtype=torch.float64))
        for twist in ([0.0] * 6, [0.12, 0, 0.05, 0, 0.01, 0], [-0.12, 0.02, -0.05, 0, -0.01, 0])
    ]
    views = [view_of_plane(T, normal, distance) for T in poses]
    images = torch.stack([image for image, _ in views])[None].float()
    return images, views[0][1][None].float(), poses[1][None].float(), poses[2][None].float()


def test_true_depth_and_motion_leave_no_error():
    images, depth, previous, following = plane_sequence()
    objective = SelfSupervisedObjective(settings(scales=(0,), smoothness_weight=0.0))
    intrinsics = K.float()[None]
    right = objective.error_maps([1 / depth], previous, following, images, intrinsics)
    wrong = objective.error_maps([1 / (1.3 * depth)], previous, following, images, intrinsics)
    inner = (..., slice(3, -3), slice(6, -6))
    assert right.error[inner].mean() < 0.006  # bilinear sampling of a curved texture
    assert right.automasked[inner].float().mean() < 0.02
    assert wrong.error[inner].mean() > 5 * right.error[inner].mean()


def test_learns_depth_from_motion():
    images, depth, previous, following = plane_sequence()
    objective = SelfSupervisedObjective(settings(scales=(0,), smoothness_weight=0.03))
    start = math.log(0.035 / (1 - 0.035))  # 2.8 m everywhere
    logits = torch.full((1, 1, HEIGHT // 4, WIDTH // 4), start, requires_grad=True)
    optimiser = torch.optim.Adam([logits], lr=0.03)

    def error():
        fine = F.interpolate(logits.detach(), (HEIGHT, WIDTH), mode="bilinear").sigmoid()
        return ((1 / (0.01 + 9.99 * fine) - depth).abs() / depth).mean().item()

    before = error()
    for _ in range(150):
        optimiser.zero_grad()
        inverse_depths = [0.01 + 9.99 * logits.sigmoid()]
        objective(inverse_depths, previous, following, images, K.float()[None]).loss.backward()
        optimiser.step()
    assert before > 0.1
    assert error() < 0.05
