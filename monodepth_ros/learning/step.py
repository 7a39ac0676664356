"""A step as the losses see it: a batch, and what networks and geometry make of it.

Everything is computed once, and only when it is asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeVar

import torch
from torch import Tensor

from monodepth_ros.evaluation.depth_metrics import batch_median_scaled_metrics
from monodepth_ros.geometry.feature_alignment import RefinedPose
from monodepth_ros.learning.losses.arithmetic.maps import image_size, known_depth
from monodepth_ros.learning.matched_points import MatchedPoints, matched_points
from monodepth_ros.learning.pose_refiner import with_fixed_scale
from monodepth_ros.networks.uncertainty_head import together

if TYPE_CHECKING:
    from monodepth_ros.learning.learner import Learner

Batch = dict[str, Tensor]
By = Literal["network", "matches", "true", "refined"]  # whose motions
R = TypeVar("R")
REHEARSED = "rehearsal_"  # what the entries of known frames begin with


class Synthesis(NamedTuple):
    """How views of the target are synthesised: by which motions and depths, with which share."""

    by: By
    share: float
    inverse_depths: list[Tensor]  # of all scales, finest first


class Step:
    """What a loss may ask for.

    Of a batch of B: ``images`` ``(B, F, 3, H, W)`` in [0, 1], clean, ordered target, previous,
    next; ``target`` the first of them; ``K`` ``(B, 3, 3)``; ``valid`` bool ``(B, 1, H, W)``, the
    pixels that show something, None for all. ``number`` counts the optimiser's steps; ``generator``
    is what losses draw from, on the device of the batch.
    """

    def __init__(
        self,
        learner: Learner,
        batch: Batch,
        number: int = 0,
        generator: torch.Generator | None = None,
    ) -> None:
        self.learner, self.batch, self.number, self.generator = learner, batch, number, generator
        self.images, self.K, self.valid = batch["images"], batch["K"], batch.get("valid")
        self.target = self.images[:, 0]
        self.seen = batch.get("jittered", self.images)  # by the networks
        self.min_depth, self.max_depth = learner.depth_net.min_depth, learner.depth_net.max_depth
        self.compiles = learner.recipe.trainer.compile_objective
        device = self.images.device.type
        self._precision = (
            device,
            torch.get_autocast_dtype(device),
            torch.is_autocast_enabled(device),
        )
        self._once: dict[Hashable, Any] = {}
        self._told: Tensor | None = None  # by the members of the head, of all that was seen

    def once(self, compute: Callable[..., R], *arguments: Hashable) -> R:
        """``compute(step, *arguments)``, by whoever asks first; for what losses share."""
        key = (compute, arguments)
        if key not in self._once:
            self._once[key] = compute(self, *arguments)
        result: R = self._once[key]
        return result

    # Depth

    @property
    def inverse_depths(self) -> list[Tensor]:
        """Of the target by the network, ``(B, 1, h, w)`` in float32, finest first."""
        return self._predictions[0]

    @cached_property
    def log_variances(self) -> Tensor:
        """Of log depth by each member of the depth network's head, ``(B, M, h, w)``."""
        return self._members()[: len(self.target)]

    @property
    def log_variance(self) -> Tensor:
        """The one that they make together, ``(B, 1, H, W)``."""
        return together(self.log_variances, image_size(self.target))

    @property
    def predicted_masks(self) -> list[Tensor]:
        """Of each neighbour's error, ``(B, 2, h, w)`` in (0, 1) at each scale."""
        masks = self._predictions[1]
        assert masks is not None
        return masks

    @property
    def true_depth(self) -> Tensor:
        """``(B, 1, H, W)`` in metres, NaN where it is unknown or the image shows nothing."""
        return known_depth(self.batch["depth"], self.valid)

    def depth_metrics(self) -> dict[str, Tensor]:
        """Median-scaled, of each image ``(B,)``; NaN where no depth is known."""
        limits = self.learner.recipe.evaluation
        depth = 1 / self.inverse_depths[0]
        return batch_median_scaled_metrics(
            depth, self.true_depth, limits.min_depth, limits.max_depth
        )

    @cached_property
    def teacher_depth(self) -> Tensor:
        """``(B, 1, H, W)`` in the teacher's unit, NaN where the image shows nothing."""
        assert self.learner.teacher is not None
        return known_depth(self.learner.teacher.depth(self.target), self.valid)

    @property
    def reflective(self) -> Tensor:
        """Which pixels mirror something else, bool ``(B, 1, H, W)``."""
        return self.batch["reflective"]

    @cached_property
    def rehearsal(self) -> Step | None:
        """The known frames beside the batch: target, true depth, inverse depths; None without."""
        entries = rehearsed(self.batch)
        return Step(self.learner, entries, self.number, self.generator) if entries else None

    @cached_property
    def _predictions(self) -> tuple[list[Tensor], list[Tensor] | None]:
        known = self.rehearsal
        seen = self.seen[:, 0]
        if known is not None:  # in one pass, so that batch statistics are those of both
            seen = torch.cat([seen, known.seen[:, 0]])
        with self._networks_run():
            if self.learner.head is None:
                inverse_depths, masks = self.learner.predictions(seen)
            else:
                inverse_depths, masks, self._told = self.learner.predictions_with_members(seen)
        count = len(self.target)
        if known is not None:
            known._predictions = [d[count:] for d in inverse_depths], None
        return [d[:count] for d in inverse_depths], masks and [m[:count] for m in masks]

    def _members(self) -> Tensor:
        _ = self._predictions  # the same run of the network
        assert self._told is not None
        return self._told

    # Motion

    @cached_property
    def T(self) -> Tensor:
        """``T_previous_target`` and ``T_next_target`` by the network, ``(B, 2, 4, 4)``."""
        with self._networks_run():
            return torch.stack(self.learner.relative_poses(self.seen), 1)

    @property
    def true_T(self) -> Tensor:
        """The same by true poses, NaN where they are unknown."""
        return self.batch["T_neighbour_target"]

    @cached_property
    def matched(self) -> MatchedPoints:
        """What the matches between target and neighbours tell of depth and motions."""
        return matched_points(self.batch, self.K, self.valid, self.learner.recipe.matches)

    @cached_property
    def matched_T(self) -> Tensor:
        """The same by matches, as long as the depth of the moment says; NaN where they are few."""
        return self.matched.motions(self.inverse_depths[0].detach())

    @property
    def poses(self) -> By:
        """Whose motions views are synthesised by where none are refined."""
        return self.learner.recipe.view_synthesis.poses

    @property
    def unrefined(self) -> Tensor:
        """Those motions, NaN where one is not known."""
        return self.motions(self.poses)[0]

    def known(self, T: Tensor) -> Tensor | None:
        """Bool ``(B, S)``: which of motions ``(B, S, 4, 4)`` are known; None where all must be."""
        return None if self.poses == "network" else T.isfinite().all(-1).all(-1)

    @cached_property
    def refined(self) -> RefinedPose:
        """The network's motions aligned to the depth of the moment, as ``refinement`` says."""
        weight = None
        if self.learner.recipe.refinement.automask:
            weight = (~self.learner.photometric.error_maps(self, self.T).automasked).float()
        return self.refine(weight)

    def refine(self, weight: Tensor | None = None) -> RefinedPose:
        """The same with weights of the target's pixels, ``(B, 1, H, W)``; alike where None."""
        learner, jittered = self.learner, self.learner.recipe.refinement.jittered
        images = learner.laid_out_all(self.seen if jittered else self.images)
        inverse_depth, T = self.inverse_depths[0], self.T
        with self._networks_run():
            return learner.refiner(
                T, inverse_depth, images, self.K, self.generator, weight, self.valid
            )

    @property
    def stereo(self) -> tuple[Tensor, Tensor, Tensor]:
        """What a second camera saw at the target's time: image ``(B, 3, H, W)``, its K, and
        ``T_stereo_target`` ``(B, 4, 4)``; NaN in the last where there was none."""
        return self.batch["stereo"][:, 0], self.batch["K_stereo"], self.batch["T_stereo_target"]

    # Views

    @property
    def refined_share(self) -> float:
        """How far refined motions have taken over view synthesis from the network's: 0 to 1."""
        settings = self.learner.recipe.refinement
        return settings.share(self.number) if self.learner.training and settings.enabled else 0.0

    @cached_property
    def syntheses(self) -> list[Synthesis]:
        """By the network's motions, by refined ones, or by both; or by ``view_synthesis.poses``."""
        if self.poses != "network":
            inverse_depths = self.inverse_depths
            if self.poses == "matches":  # the length of these motions follows depth
                inverse_depths = with_fixed_scale(inverse_depths, self.valid)
            return [Synthesis(self.poses, 1.0, self._taught(inverse_depths))]
        settings, refined = self.learner.recipe.refinement, self.refined_share
        own = 1.0 - refined + refined * settings.network_pose_weight
        found = []
        if own > 0:
            found.append(Synthesis("network", own, self._taught(self.inverse_depths)))
        if refined > 0:
            inverse_depths = self.inverse_depths
            if settings.detach_depth and settings.hold_scale:
                inverse_depths = with_fixed_scale(inverse_depths, self.valid)
            found.append(Synthesis("refined", refined, self._taught(inverse_depths)))
        return found

    def motions(self, by: By) -> list[Tensor]:
        """``(B, 2, 4, 4)`` each: refined ones after each level, where each has a loss."""
        if by == "network":
            return [self.T]
        if by != "refined":
            return [self.matched_T if by == "matches" else self.true_T]
        levels = self.refined.after_levels
        detached = self.learner.recipe.refinement.detach_levels
        return list(levels if detached else levels[-1:])

    def _taught(self, inverse_depths: list[Tensor]) -> list[Tensor]:
        """As far as view synthesis may teach depth by now."""
        settings = self.learner.recipe.view_synthesis
        if self.learner.training and self.number < settings.rotation_first_steps:
            return [torch.full_like(d, 1 / self.max_depth) for d in inverse_depths]
        if not settings.train_depth or self.number < settings.pose_first_steps:
            return [d.detach() for d in inverse_depths]
        return inverse_depths

    def refinement_figures(self) -> dict[str, Tensor]:
        """Of the solver, where motions were refined."""
        refined: RefinedPose | None = self.__dict__.get("refined")
        if refined is None:
            return {}
        return {"refinement/shortened": refined.shortened, "refinement/refused": refined.refused}

    @contextmanager
    def _networks_run(self) -> Iterator[None]:
        """In the precision of where the step began; losses are computed in full."""
        device, dtype, enabled = self._precision
        with torch.autocast(device, dtype, enabled=enabled):
            yield


def rehearsed(batch: Batch) -> Batch:
    """The entries of the known frames in a batch, by their plain names; empty without any."""
    return {
        name.removeprefix(REHEARSED): value
        for name, value in batch.items()
        if name.startswith(REHEARSED)
    }
