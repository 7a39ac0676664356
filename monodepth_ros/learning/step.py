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
from monodepth_ros.learning.losses.arithmetic.maps import known_depth
from monodepth_ros.learning.matched_points import MatchedPoints, matched_points
from monodepth_ros.learning.pose_refiner import with_fixed_scale
from monodepth_ros.networks.registry import Ambiguity
from monodepth_ros.networks.uncertainty_head import together

if TYPE_CHECKING:
    from monodepth_ros.learning.learner import Learner

Batch = dict[str, Tensor]
By = Literal["network", "matches", "true", "refined"]  # whose motions
R = TypeVar("R")
REHEARSED = "rehearsal"  # the set of known frames


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
    is what losses draw from, on the device of the batch. A step beside another, its ``main`` one,
    is of other images, which the depth network sees by the same run.
    """

    def __init__(
        self,
        learner: Learner,
        batch: Batch,
        number: int = 0,
        generator: torch.Generator | None = None,
        main: Step | None = None,
    ) -> None:
        self.main = main or self
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
        self._told: Tensor | None = None  # by the members of the head
        self._features: Tensor | None = None

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
        _ = self._predictions  # the same run of the network
        assert self._told is not None
        return self._told

    @property
    def log_variance(self) -> Tensor:
        """The one that they make together, ``(B, 1, h, w)``."""
        return together(self.log_variances)

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

    @cached_property
    def taught(self) -> Step:
        """The target as the pupil sees it when it learns what its teacher said of it.

        That is the step itself, or one whose ``target`` is pasted together as the image is that is
        ``seen``, perturbed, by the depth network alone.
        """
        if "perturbed" not in self.batch:
            return self
        entries = {
            "images": self._pasted(self.target)[:, None],
            "jittered": self.batch["perturbed"][:, None],
            "K": self.K,
        }
        if self.valid is not None:
            entries["valid"] = self._pasted(self.valid)
        return self._beside(entries)

    @cached_property
    def pseudo_labels(self) -> list[Tensor]:
        """Inverse depth of the `taught` target by the teacher, ``(B, 1, H, W)`` in its unit.

        One map for each part of an image that is pasted together, NaN outside it.
        """
        told = known_depth(self.batch["pseudo_inverse_depth"], self.valid)
        if "pasted" not in self.batch:
            return [told]
        pasted, partner = self.batch["pasted"], self.batch["partner"]
        return [known_depth(told, ~pasted), known_depth(told[partner], pasted)]

    @property
    def teacher_ambiguity(self) -> Ambiguity | None:
        """What the teacher of pseudo depth leaves open; None without one."""
        return self.learner.teacher_ambiguity

    def _pasted(self, maps: Tensor) -> Tensor:
        """``maps`` ``(B, C, H, W)`` of the targets, pasted together as what the pupil sees."""
        return torch.where(self.batch["pasted"], maps[self.batch["partner"]], maps)

    @cached_property
    def semantic_features(self) -> Tensor:
        """Of the clean target by a frozen encoder, ``(B, C, h, w)``."""
        assert self.learner.semantics is not None
        return self.learner.semantics.features(self.target)

    @property
    def own_features(self) -> Tensor:
        """Of what was seen, by the depth network, in the space of the frozen encoder."""
        _ = self._predictions  # the same run of the network
        assert self._features is not None
        return self._features

    @property
    def reflective(self) -> Tensor:
        """Which pixels mirror something else, bool ``(B, 1, H, W)``."""
        return self.batch["reflective"]

    @cached_property
    def rehearsal(self) -> Step | None:
        """The known frames beside the batch: target, true depth, inverse depths; None without."""
        return self.sets.get(REHEARSED)

    @cached_property
    def sets(self) -> dict[str, Step]:
        """What is learnt from other sets of recordings beside the batch, by their names."""
        return {name: self._beside(entries) for name, entries in other_sets(self.batch).items()}

    def _beside(self, entries: Batch) -> Step:
        return Step(self.learner, entries, self.number, self.generator, self)

    @cached_property
    def _predictions(self) -> tuple[list[Tensor], list[Tensor] | None]:
        together = self.main._looked_at
        self.main._look(together if self in together else [self])
        found: tuple[list[Tensor], list[Tensor] | None] = self.__dict__["_predictions"]
        return found

    @cached_property
    def _looked_at(self) -> list[Step]:
        """The steps whose images the losses look at."""
        own = [self] if self.learner.recipe.looks_at_clean_images else []
        taught = [self.taught] if self.taught is not self else []
        return [*(own if taught else [self]), *taught, *self.sets.values()]

    def _look(self, steps: list[Step]) -> None:
        """Run the depth network once, so that batch statistics are those of all ``steps``."""
        with self._networks_run():
            told = self.learner.predictions(torch.cat([step.seen[:, 0] for step in steps]))
        first = 0
        for step in steps:
            of = slice(first, first + len(step.target))
            masks = told.masks and [m[of] for m in told.masks]
            step.__dict__["_predictions"] = [d[of] for d in told.inverse_depths], masks
            step._told = None if told.members is None else told.members[of]
            step._features = None if told.features is None else told.features[of]
            first = of.stop

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


def other_sets(batch: Batch) -> dict[str, Batch]:
    """The entries of sets beside the batch's own, called ``set/entry``, by set and plain name."""
    found: dict[str, Batch] = {}
    for name, value in batch.items():
        part, separator, entry = name.partition("/")
        if separator:
            found.setdefault(part, {})[entry] = value
    return found
