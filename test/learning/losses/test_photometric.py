"""View synthesis and smoothness against the published formulas, their switches and teaching."""

import math
from types import SimpleNamespace

import pytest
import torch
from pydantic import ValidationError
from steps import inverse_depth, loss_of, step_of
from torch.nn import functional as F

from monodepth_ros.geometry import se3
from monodepth_ros.learning.losses.photometric import Photometric

HEIGHT, WIDTH = 24, 40
K = torch.tensor([[30.0, 0, 19.0], [0, 28.0, 11.0], [0, 0, 1]], dtype=torch.float64)


SHARED = {"edge_decay": 1.0, "unit": "mean", "scales": (0, 1, 2, 3)}


class Losses:
    """All three, by the reference's settings without the one thing that is random."""

    def __init__(self, smoothness=1e-3, planarity=0.0, depth_range=(0.1, 100.0), **changes):
        shared = {name: changes.get(name, value) for name, value in SHARED.items()}
        own = {k: v for k, v in changes.items() if k not in SHARED or k == "scales"}
        self.photometric = loss_of("photometric", **{"automask_noise": 0.0, **own})
        self.depth_range = depth_range
        self.all = [
            self.photometric,
            loss_of("smoothness", weight=smoothness, **shared),
            loss_of("planarity", weight=planarity, **shared),
        ]
        self.settings = SimpleNamespace(
            **self.photometric.model_dump(exclude={"weight"}),
            **{k: v for k, v in shared.items() if k != "scales"},
            smoothness=smoothness,
            planarity=planarity,
            depth_range=depth_range,
        )

    def __call__(self, batch, masks=None, generator=None, compiled=False):
        """The weighted sum, and the terms that it is made of."""
        step = batch.step(self.depth_range, masks, generator, compiled)
        parts = {loss.name: loss(step) for loss in self.all}
        total = sum(loss.weight * parts[loss.name].loss for loss in self.all)
        return total, parts


class Batch:
    """Inputs of the losses: smooth textures that move, and a guess of depth and motion."""

    def __init__(self, batch=2, scales=4, dtype=torch.float64, seed=0):
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
            .to(dtype)
            .requires_grad_()
            for s in range(scales)
        ]
        twist = 0.03 * random(batch, 2, 6)
        self.previous, self.next = (
            se3.exp(twist[:, i]).to(dtype).requires_grad_() for i in range(2)
        )
        self.K = K.to(dtype).expand(batch, 3, 3)

    def step(self, depth_range=(0.1, 100.0), masks=None, generator=None, compiled=False):
        inverse_depths = [inverse_depth(d, *depth_range) for d in self.disparities]
        T = torch.stack([self.previous, self.next], 1)
        batch = {"images": self.images, "K": self.K}
        return step_of(batch, inverse_depths, T, masks, generator, depth_range, compiled)

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
    """The losses as their paper writes them, one scale and one source after the other."""
    near, far = s.depth_range
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
        depth = 1 / (1 / far + (1 / near - 1 / far) * full)
        warped = [
            naive_error(naive_warp(source, depth, T, intrinsics, s.padding), target, ssim_weight)
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
        nearness = (1 / near - 1 / far) * disparity
        smooth, planar = naive_smoothness(nearness, small[:, 0], s.edge_decay, s.unit)
        total = total + s.smoothness * smooth / 2**index
        total = total + s.planarity * planar / 2**index
    return total / len(s.scales)


def assert_equals_naive(batch, losses, tolerance, masks=None, reference=None):
    """Loss and gradients of ``batch`` equal those of ``reference``, the same batch in double."""
    reference, s = reference or batch, losses.settings
    expected = naive_loss(reference, s, masks)
    loss, parts = losses(batch, masks)
    assert loss.item() == pytest.approx(expected.item(), rel=tolerance)
    figures = parts["photometric"].figures
    pull = s.predictive_mask_weight * figures.get("predictive_mask", 0.0)
    assert parts["photometric"].loss.item() == pytest.approx(float(figures["network"] + pull))
    used = [reference.disparities[i] for i in s.scales] + [reference.previous, reference.next]
    leaves = [batch.disparities[i] for i in s.scales] + [batch.previous, batch.next]
    for actual, right in zip(
        torch.autograd.grad(loss, leaves),
        torch.autograd.grad(expected, used),
        strict=True,
    ):
        assert (actual.double() - right).norm() < tolerance * right.norm()


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"ssim": False},
        {"ssim_weight": 0.5, "smoothness": 0.1},
        {"smoothness": 0.1, "planarity": 0.2, "edge_decay": 20.0},
        {"smoothness": 0.1, "planarity": 0.2, "unit": "spread"},
        {"smoothness": 0.0},
        {"automask": False},
        {"average_reprojection": True},
        {"average_reprojection": True, "automask": False},
        {"v1_multiscale": True},
        {"scales": (0, 2)},
        {"depth_range": (0.5, 10.0)},
        {"padding": "zeros"},
    ],
    ids=lambda changes: ",".join(changes) or "reference",
)
def test_loss_and_gradients_equal_the_published_formulas(changes):
    assert_equals_naive(Batch(), Losses(**changes), 1e-9)


def test_single_precision_is_close_to_double():
    # Ties of the minimum and of the sampler's cells may fall to the other side in single precision;
    # this batch has none within rounding.
    assert_equals_naive(Batch(dtype=torch.float32), Losses(), 1e-5, reference=Batch())


def test_predictive_masks_weight_the_errors_and_are_drawn_to_one():
    batch, losses = Batch(), Losses(automask=False, predictive_mask=True)
    masks = [
        torch.rand(2, 2, HEIGHT >> i, WIDTH >> i, dtype=torch.float64, requires_grad=True)
        for i in range(4)
    ]
    assert_equals_naive(batch, losses, 1e-9, masks)
    actual, _ = losses(batch, masks)
    for gradient, right in zip(
        torch.autograd.grad(actual, masks),
        torch.autograd.grad(naive_loss(batch, losses.settings, masks), masks),
        strict=True,
    ):
        torch.testing.assert_close(gradient, right)


def test_noise_follows_its_generator():
    batch, losses = Batch(), Losses(automask_noise=0.1)
    values = [
        losses(batch, generator=torch.Generator().manual_seed(seed))[0].item() for seed in (1, 1, 2)
    ]
    assert values[0] == values[1] != values[2]


def test_each_scale_has_noise_of_its_own():
    batch = Batch()
    batch.disparities = [batch.disparities[0]] * 2
    both, first = (
        loss_of("photometric", automask_noise=0.1, scales=scales)(
            batch.step(generator=torch.Generator().manual_seed(1))
        )
        for scales in ((0, 1), (0,))
    )
    assert both.loss != first.loss


def test_a_static_scene_is_masked_throughout():
    batch = Batch()
    batch.images = batch.images[:, :1].expand_as(batch.images)
    photometric, step = Losses().photometric, batch.step()
    assert photometric(step).figures["automasked"] == 1
    assert photometric.error_maps(step, step.T).automasked.all()


def test_error_maps_are_those_of_the_loss():
    photometric, step = Losses(scales=(0,)).photometric, Batch().step()
    terms, maps = photometric(step), photometric.error_maps(step, step.T)
    assert maps.error.shape == maps.automasked.shape == (2, 1, HEIGHT, WIDTH)
    torch.testing.assert_close(maps.error.mean(), terms.loss.detach())
    torch.testing.assert_close(maps.automasked.double().mean(), terms.figures["automasked"])


def test_without_gradients_the_value_is_the_same():
    batch, losses = Batch(), Losses()
    with torch.no_grad():
        silent, _ = losses(batch)
    torch.testing.assert_close(silent, losses(batch)[0].detach())


@pytest.mark.slow
def test_compiled_losses_equal_the_uncompiled():
    batch, losses = Batch(dtype=torch.float32), Losses()
    plain, _ = losses(batch)
    fused, _ = losses(batch, compiled=True)
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
        {"weight": -1},
        {"predictive_mask": True},
        {"scales": ()},
        {"scales": (0, 0)},
        {"padding": "wrap"},
    ):
        with pytest.raises(ValidationError):
            Photometric(**wrong)
    with pytest.raises(AssertionError):
        Losses(automask=False, predictive_mask=True)(Batch())


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
    photometric, T = Losses(scales=(0,)).photometric, torch.stack([previous, following], 1)
    batch = {"images": images, "K": K.float()[None]}
    right, wrong = (
        photometric.error_maps(step_of(batch, [1 / d], T), T) for d in (depth, 1.3 * depth)
    )
    inner = (..., slice(3, -3), slice(6, -6))
    assert right.error[inner].mean() < 0.006  # bilinear sampling of a curved texture
    assert right.automasked[inner].float().mean() < 0.02
    assert wrong.error[inner].mean() > 5 * right.error[inner].mean()


def test_learns_depth_from_motion():
    images, depth, previous, following = plane_sequence()
    losses, T = Losses(scales=(0,), smoothness=0.03), torch.stack([previous, following], 1)
    batch = {"images": images, "K": K.float()[None]}
    start = math.log(0.035 / (1 - 0.035))  # 2.8 m everywhere
    logits = torch.full((1, 1, HEIGHT // 4, WIDTH // 4), start, requires_grad=True)
    optimiser = torch.optim.Adam([logits], lr=0.03)

    def error():
        fine = F.interpolate(logits.detach(), (HEIGHT, WIDTH), mode="bilinear").sigmoid()
        return ((1 / (0.01 + 9.99 * fine) - depth).abs() / depth).mean().item()

    before = error()
    for _ in range(150):
        optimiser.zero_grad()
        step = step_of(batch, [inverse_depth(logits.sigmoid())], T)
        sum(loss.weight * loss(step).loss for loss in losses.all).backward()
        optimiser.step()
    assert before > 0.1
    assert error() < 0.05
