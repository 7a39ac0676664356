"""Levenberg-Marquardt alignment of features: a pose refined so that depth and images agree.

Given the target's depth, the pose that brings its features onto the source's is unique, the length
of its translation included: that is how SA4Depth makes pose and depth agree in scale. Solver after
PixLoc (Sarlin et al., "Back to the Feature", CVPR 2021): left increments, translation first,
Cauchy weights, a damping for each of the six parameters. Batched and differentiable; nothing waits
for the device.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from monodepth_ros.geometry import se3
from monodepth_ros.geometry.camera import resizing_matrix
from monodepth_ros.geometry.projection import PROJECTION_EPSILON, inverse_intrinsics, pixel_of_ray
from monodepth_ros.geometry.validity import eroded
from monodepth_ros.geometry.warp import (
    MIN_WARP_DEPTH,
    inside,
    normalised_coordinates,
    sample_grid,
)

MODERATE_DAMPING = 10**-0.5  # of the diagonal: where PixLoc's learned ones start
_SMALLEST_DIAGONAL = 1e-6


@dataclass(frozen=True)
class AlignmentLevel:
    """One resolution at which a pose is refined; B pairs of a target and a source.

    ``target`` and ``source`` are features ``(B, C, h, w)``, ``depth`` ``(B, 1, h, w)`` is the
    target's, ``K`` ``(B, 3, 3)`` belongs to this size. ``weight`` ``(B, 1, h, w)`` says how much
    each target pixel counts, ``source_weight`` of that shape each source pixel: all alike by
    default. ``damping`` ``(6,)`` is relative to the diagonal, translation first.
    """

    target: Tensor
    source: Tensor
    depth: Tensor
    K: Tensor
    weight: Tensor | None = None
    source_weight: Tensor | None = None
    damping: Tensor | float = MODERATE_DAMPING


@dataclass(frozen=True)
class AlignmentSettings:
    """What holds for all levels; the defaults are those of methods known to work."""

    iterations: int = 4  # at each level
    robust_scale: float = 0.1  # of the Cauchy weights, in feature units; 0: least squares
    points: int | None = 2048  # a random subset of each level's pixels; None: all of them
    border: float = 2.0  # pixels from the image's edge within which a match is not trusted
    fewest_points: int = 10  # with less to match, the pose stays as it is
    # A step is shortened to these: radians, and a share of the translation plus a length (metres).
    largest_rotation: float = 0.05
    largest_translation: tuple[float, float] = (0.5, 0.05)
    detach_between_levels: bool = False
    # Steps at the end of each level that gradients flow through; None: all. Near the optimum the
    # last one alone has the gradient of the optimum itself (implicit function theorem), as H^-1 is
    # in it. The pose always keeps its gradient by the start.
    gradient_steps: int | None = None


@dataclass(frozen=True)
class RefinedPose:
    """``T`` ``(B, 4, 4)``; of all steps, the share that was shortened, and that was refused.

    A step is refused, and the pose left as it is, with too few points or a system that cannot be
    solved. ``cost`` ``(B,)`` is the mean robust cost before the last step. ``after_levels`` are the
    poses after each level, the last of them ``T``.
    """

    T: Tensor
    shortened: Tensor
    refused: Tensor
    cost: Tensor
    after_levels: tuple[Tensor, ...]


def alignment_level(
    features: Tensor,
    inverse_depth: Tensor,
    K: Tensor,
    confidence: Tensor | None = None,
    weight: Tensor | None = None,
    damping: Tensor | float = MODERATE_DAMPING,
    valid: Tensor | None = None,
) -> AlignmentLevel:
    """The level at which N sources are aligned with each of B targets: B * N pairs.

    Args:
        features: of the target and its sources, ``(B, 1 + N, C, h, w)``.
        inverse_depth: of the targets at full size, ``(B, 1, H, W)``.
        K: ``(B, 3, 3)`` at full size.
        confidence: of target and source pixels, ``(B, 1 + N, 1, h, w)``.
        weight: of the target's pixels at full size, ``(B, 1, H, W)``.
        damping: relative to the diagonal, one or ``(6,)``.
        valid: whose features may be compared, bool ``(B, 1, h, w)``, of target and sources alike.
    """
    sources = features.shape[1] - 1
    size = (features.shape[-2], features.shape[-1])
    # Inverse depth is what may be averaged.
    depth = F.interpolate(inverse_depth, size, mode="area").reciprocal()
    height, width = inverse_depth.shape[-2:]
    A = K.new_tensor(resizing_matrix(size[0] / height, size[1] / width))
    counted = features.new_ones(*features.shape[:2], 1, *size) if confidence is None else confidence
    target_weight, source_weight = counted[:, 0], counted[:, 1:]
    if weight is not None:
        target_weight = target_weight * F.interpolate(weight, size, mode="area")
    if valid is not None:
        target_weight = target_weight * valid.to(depth)
        # Features and their slopes are looked up between four pixels: none of those is invalid.
        source_weight = source_weight * eroded(valid, 2).to(depth)[:, None]
    return AlignmentLevel(
        target=features[:, :1].expand(-1, sources, -1, -1, -1).flatten(0, 1),
        source=features[:, 1:].flatten(0, 1),
        depth=depth.repeat_interleave(sources, 0),
        K=torch.repeat_interleave(A @ K, sources, 0),
        weight=target_weight.repeat_interleave(sources, 0),
        source_weight=source_weight.flatten(0, 1),
        damping=damping,
    )


def refine_pose(
    T_source_target: Tensor,
    levels: Sequence[AlignmentLevel],
    settings: AlignmentSettings | None = None,
    generator: torch.Generator | None = None,
) -> RefinedPose:
    """Refine ``(B, 4, 4)``, which maps points of the target camera to the source's.

    Args:
        T_source_target: first guess, within a few pixels of the truth at the first level.
        levels: coarse to fine.
        settings: the default ones where None.
        generator: draws the subset of points, on the device of the levels' maps.
    """
    settings = settings or AlignmentSettings()
    T = T_source_target.float()
    steps: list[list[Tensor]] = []  # of each: shortened, refused, cost
    after_levels = []
    with torch.autocast(T.device.type, enabled=False):
        for number, level in enumerate(levels):
            if number and settings.detach_between_levels:
                T = T.detach()
            matcher = _Matcher(level, settings, generator)
            for left in range(settings.iterations, 0, -1):
                last = settings.gradient_steps is None or left <= settings.gradient_steps
                with torch.set_grad_enabled(last and torch.is_grad_enabled()):
                    v, w, *counted = _increment(T, matcher)
                T = se3.from_axis_angle_translation(w, v) @ T
                steps.append(counted)
            after_levels.append(T)
    shortened, refused, cost = zip(*steps, strict=True)
    short, none = (torch.stack(which).float().mean() for which in (shortened, refused))
    return RefinedPose(T, short, none, cost[-1], tuple(after_levels))


def _increment(T: Tensor, matcher: _Matcher) -> tuple[Tensor, ...]:
    """Translation and rotation ``(B, 3)``, to be applied on the left, whether each was shortened or
    refused, and the cost before.
    """
    settings = matcher.settings
    H, g, points, cost = matcher.normal_equations(T)
    diagonal = H.diagonal(dim1=-2, dim2=-1)
    H = H + torch.diag_embed((matcher.damping * diagonal).clamp(min=_SMALLEST_DIAGONAL))
    factor, failure = torch.linalg.cholesky_ex(H)
    usable = (points >= settings.fewest_points) & (failure == 0) & H.isfinite().all(-1).all(-1)
    usable = usable & g.isfinite().all(-1)
    # Solved with the identity where refused: a zero times a NaN would still be a NaN backwards.
    identity = torch.eye(6, dtype=H.dtype, device=H.device).expand_as(H)
    factor = torch.where(usable[:, None, None], factor, identity)
    g = torch.where(usable[:, None], g, torch.zeros_like(g))
    step = -torch.cholesky_solve(g[..., None], factor).squeeze(-1)
    usable = usable & step.isfinite().all(-1)
    step = torch.where(usable[:, None], step, torch.zeros_like(step))
    v, w = step[:, :3], step[:, 3:]
    share, length = settings.largest_translation
    longest = share * T[:, :3, 3].detach().norm(dim=-1) + length
    v, short_v = _shortened(v, longest)
    w, short_w = _shortened(w, torch.full_like(longest, settings.largest_rotation))
    return v, w, short_v | short_w, ~usable, cost.detach()


def _shortened(vector: Tensor, longest: Tensor) -> tuple[Tensor, Tensor]:
    """``(B, 3)`` of at most that length, and which were longer."""
    length = vector.detach().norm(dim=-1)
    too_long = length > longest
    factor = torch.where(too_long, longest / length.clamp(min=1e-12), torch.ones_like(length))
    return vector * factor[:, None], too_long


class _Matcher:
    """The points of one level, and what a pose makes of them."""

    def __init__(
        self,
        level: AlignmentLevel,
        settings: AlignmentSettings,
        generator: torch.Generator | None,
    ) -> None:
        self.settings, self.damping = settings, level.damping
        self.height, self.width = level.depth.shape[-2:]
        picked = self._picked(level.depth.device, generator)
        depth = _at(level.depth, picked)[:, 0]
        y, x = picked // self.width, picked % self.width
        pixels = torch.stack([x, y, torch.ones_like(x)]).to(depth.dtype)
        self.known = depth.isfinite() & (depth > MIN_WARP_DEPTH)
        depth = torch.where(self.known, depth, torch.ones_like(depth))
        self.K = level.K.float()
        self.points = depth[:, None] * (inverse_intrinsics(self.K) @ pixels)  # (B, 3, N)
        self.features = _at(level.target.float(), picked)
        weight = torch.ones_like(level.depth) if level.weight is None else level.weight
        self.weight = _at(weight.float(), picked)[:, 0]
        self.source = _with_slopes(level.source.float(), level.source_weight)

    def _picked(self, device: torch.device, generator: torch.Generator | None) -> Tensor:
        total = self.height * self.width
        if self.settings.points is None or self.settings.points >= total:
            return torch.arange(total, device=device)
        return torch.randperm(total, generator=generator, device=device)[: self.settings.points]

    def normal_equations(self, T: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """``H`` ``(B, 6, 6)``, ``g`` ``(B, 6)``, how many points count, and the mean cost."""
        q = T[:, :3, :3] @ self.points + T[:, :3, 3:]
        X, Y, Z = q.unbind(1)
        in_front = self.known & (MIN_WARP_DEPTH < Z)
        Z = torch.where(in_front, Z, torch.ones_like(Z))
        x, y = X / (Z + PROJECTION_EPSILON), Y / (Z + PROJECTION_EPSILON)
        u, v = pixel_of_ray(x, y, self.K[..., None])
        pixels = torch.stack([u, v], 1)[:, :, None]  # (B, 2, 1, N): a map of one row
        within = inside(pixels, Z[:, None, None], self.height, self.width, self.settings.border)
        seen = in_front & within[:, 0, 0]
        value, slope_u, slope_v, confidence = self._sampled(pixels, seen)
        residual = value - self.features
        squared = residual.square().sum(1)
        weight = self.weight * confidence * seen
        cost, slope = _cauchy(squared, self.settings.robust_scale)
        count = (weight > 0).sum(1)
        mean_cost = (weight * cost).sum(1) / weight.sum(1).clamp(min=1e-12)
        weight = weight * slope
        # Features enter by sums over their channels alone: 2x2 and 2 numbers a point.
        auu, auv, avv = (
            (slope_u * slope_u).sum(1),
            (slope_u * slope_v).sum(1),
            (slope_v * slope_v).sum(1),
        )
        bu, bv = (slope_u * residual).sum(1), (slope_v * residual).sum(1)
        du, dv = _pixel_jacobian(x, y, Z, self.K)  # (B, 6, N) each
        weighted_u = weight[:, None] * (auu[:, None] * du + auv[:, None] * dv)
        weighted_v = weight[:, None] * (auv[:, None] * du + avv[:, None] * dv)
        H = weighted_u @ du.mT + weighted_v @ dv.mT
        g = (weight[:, None] * (bu[:, None] * du + bv[:, None] * dv)).sum(-1)
        return H, g, count, mean_cost

    def _sampled(self, pixels: Tensor, seen: Tensor) -> tuple[Tensor, ...]:
        """Source features, their slopes by u and v ``(B, C, N)``, and confidence ``(B, N)``."""
        grid = normalised_coordinates(pixels, self.height, self.width)
        # No gradient to features, slopes or points from where nothing is compared.
        grid = torch.where(seen[:, None, :, None], grid, torch.zeros_like(grid))
        sampled = sample_grid(self.source, grid, "zeros")[:, :, 0]
        c = self.features.shape[1]
        return sampled[:, :c], sampled[:, c : 2 * c], sampled[:, 2 * c : 3 * c], sampled[:, 3 * c]


def _cauchy(squared: Tensor, scale: float) -> tuple[Tensor, Tensor]:
    """The robust cost and its derivative by the squared residual, 1 at zero; 0: least squares."""
    if scale == 0:
        return squared, torch.ones_like(squared)
    cost = 2 * scale * scale * torch.log1p(squared / (2 * scale * scale))
    return cost, 2.0 / (squared / scale**2 + 2.0)


def _pixel_jacobian(x: Tensor, y: Tensor, Z: Tensor, K: Tensor) -> tuple[Tensor, Tensor]:
    """How u and v move with ``[v, w]`` of ``T <- [exp(w) | v] T``: two of ``(B, 6, N)``.

    ``x`` and ``y`` are the points' image coordinates at focal length 1, ``Z`` their depths.
    """
    fx, skew, fy = (K[:, i, j, None] for i, j in ((0, 0), (0, 1), (1, 1)))
    zero = torch.zeros_like(x)
    inverse = 1.0 / Z
    dx = torch.stack([inverse, zero, -x * inverse, -x * y, 1 + x * x, -y], 1)
    dy = torch.stack([zero, inverse, -y * inverse, -1 - y * y, x * y, x], 1)
    return fx[:, None] * dx + skew[:, None] * dy, fy[:, None] * dy


def _with_slopes(features: Tensor, weight: Tensor | None) -> Tensor:
    """Features, their central differences along u and v, and a weight: ``(B, 3 C + 1, h, w)``.

    Sampling a difference is the difference of samples, so one look-up serves all.
    """
    slope_u = F.pad(features[..., 2:] - features[..., :-2], (1, 1)) / 2
    slope_v = F.pad(features[..., 2:, :] - features[..., :-2, :], (0, 0, 1, 1)) / 2
    if weight is None:
        weight = torch.ones_like(features[:, :1])
    return torch.cat([features, slope_u, slope_v, weight.to(features)], 1)


def _at(maps: Tensor, picked: Tensor) -> Tensor:
    """``(B, C, N)`` of ``(B, C, h, w)`` at flat pixel numbers ``(N,)``."""
    return maps.flatten(2)[..., picked]
