"""The recipe of a training run: its sections, its losses, and what fits together.

Unknown keys are refused.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any

from pydantic import Field, SerializeAsAny, StringConstraints, field_validator, model_validator

from monodepth_ros.learning.losses.loss import Loss, Need, Section
from monodepth_ros.learning.losses.photometric import Photometric
from monodepth_ros.learning.losses.pose import Consistency
from monodepth_ros.learning.losses.registry import parse_losses
from monodepth_ros.learning.losses.smoothness import Smoothness
from monodepth_ros.learning.matched_points import MatchesSettings
from monodepth_ros.learning.pose_refiner import RefinementSettings
from monodepth_ros.learning.recipe.sections import (
    DataRecipe,
    EvaluationRecipe,
    NetworksRecipe,
    OptimizerRecipe,
    ScheduleRecipe,
    TrainerRecipe,
    ViewSynthesisRecipe,
)
from monodepth_ros.networks.depth_decoder import SCALES
from monodepth_ros.networks.registry import find_architecture
from monodepth_ros.zoo.card import check_size

# Of losses that look at what `Step.taught` shows, and at nothing else.
_OF_PSEUDO_DEPTH: frozenset[Need] = frozenset({"pseudo_depth", "semantics"})
SetName = Annotated[str, StringConstraints(pattern="^[A-Za-z][A-Za-z0-9_-]*$")]


class MixedRecipe(Section):
    """A further set of recordings, with losses of its own."""

    data: tuple[str, ...] = Field(min_length=1)  # as of --data
    losses: Mapping[str, SerializeAsAny[Loss]]

    @field_validator("losses", mode="before")
    @classmethod
    def _by_name(cls, losses: Any) -> Any:
        return parse_losses(losses)

    @property
    def active(self) -> dict[str, Loss]:
        """The losses with a weight, by name."""
        return {name: loss for name, loss in self.losses.items() if loss.weight > 0}

    @property
    def needs(self) -> frozenset[Need]:
        """What these losses need, all together."""
        return frozenset().union(*(loss.needs for loss in self.active.values()))

    @model_validator(mode="after")
    def _of_depth_alone(self) -> MixedRecipe:
        allowed: frozenset[Need] = frozenset({"depth", "masks", "teacher", "pseudo_depth"})
        for name, loss in self.active.items():
            if loss.teaches != {"depth"} or not loss.needs <= allowed or not loss.needs:
                raise ValueError(
                    f"losses.{name} cannot be of a mixed set, which teaches depth by single frames:"
                    " leave it to the losses of --data"
                )
        if not self.active:
            raise ValueError("losses: give at least one a weight above 0")
        return self


class Recipe(Section):
    """Everything that decides a run, but for the data and the folder it writes.

    ``losses`` holds, by name, each loss whose weighted sum training minimises.
    """

    data: DataRecipe = DataRecipe()
    networks: NetworksRecipe = NetworksRecipe()
    losses: Mapping[str, SerializeAsAny[Loss]] = {
        Photometric.name: Photometric(),
        Smoothness.name: Smoothness(),
    }
    view_synthesis: ViewSynthesisRecipe = ViewSynthesisRecipe()
    # Further sets by name. Each batch has as many samples of each as of --data, however many frames
    # a set has (Ranftl et al., "Towards robust monocular depth estimation", 2020).
    mix: Mapping[SetName, MixedRecipe] = {}
    refinement: RefinementSettings = RefinementSettings()
    matches: MatchesSettings = MatchesSettings()
    optimizer: OptimizerRecipe = OptimizerRecipe()
    schedule: ScheduleRecipe = ScheduleRecipe()
    trainer: TrainerRecipe = TrainerRecipe()
    evaluation: EvaluationRecipe = EvaluationRecipe()

    @field_validator("losses", mode="before")
    @classmethod
    def _by_name(cls, losses: Any) -> Any:
        return parse_losses(losses)

    @field_validator("mix", mode="before")
    @classmethod
    def _without_null(cls, sets: Any) -> Any:
        """A recipe that extends another takes a set of it out by null."""
        if not isinstance(sets, Mapping):
            return sets
        return {name: mixed for name, mixed in sets.items() if mixed is not None}

    @property
    def active(self) -> dict[str, Loss]:
        """The losses with a weight, by name."""
        return {name: loss for name, loss in self.losses.items() if loss.weight > 0}

    @property
    def needs(self) -> frozenset[Need]:
        """What these losses need, all together, and the motions that views are synthesised by."""
        return self.poses_need.union(*(loss.needs for loss in self.active.values()))

    @property
    def needs_of_sets(self) -> frozenset[Need]:
        """What losses need anywhere: of --data, and of mixed sets."""
        return self.needs.union(*(part.needs for part in self.mix.values()))

    @property
    def looks_at_clean_images(self) -> bool:
        """Whether a loss of --data looks at what was not perturbed for the pupil."""
        return any(
            not loss.needs or not loss.needs <= _OF_PSEUDO_DEPTH for loss in self.active.values()
        )

    @property
    def share_of_batch(self) -> int:
        """Samples of --data, and of each mixed set, in a batch on each device."""
        return self.trainer.batch_size // (1 + len(self.mix))

    @property
    def poses_need(self) -> frozenset[Need]:
        """What the motions of ``view_synthesis.poses`` need, where a loss takes them."""
        if not self.active.keys() & {Photometric.name, Consistency.name}:
            return frozenset()
        needs: dict[str, frozenset[Need]] = {
            "network": frozenset(),
            "matches": frozenset({"matches"}),
            "true": frozenset({"poses"}),
        }
        return needs[self.view_synthesis.poses]

    @property
    def teaches_pose(self) -> bool:
        """Whether the pose network learns."""
        return bool(self.pose_teachers)

    @property
    def pose_teachers(self) -> list[str]:
        """The losses by which the pose network learns: views teach it by its own motions alone."""
        by_network = self.view_synthesis.poses == "network"
        return [
            name
            for name, loss in self.active.items()
            if "pose" in loss.teaches and (by_network or name != Photometric.name)
        ]

    @property
    def teaches_uncertainty(self) -> bool:
        """Whether the depth network's head for uncertainty learns."""
        return any("uncertainty" in loss.teaches for loss in self.active.values())

    @property
    def trains_head_alone(self) -> bool:
        """Whether nothing else than that head learns."""
        return self.networks.freeze_depth and self.teaches_uncertainty and not self.teaches_pose

    @property
    def depth_teachers(self) -> list[Loss]:
        """The losses by which the depth network learns, unless it is frozen."""
        return [
            loss
            for loss in self.active.values()
            if "depth" in loss.teaches
            and (self.view_synthesis.train_depth or "neighbours" not in loss.needs)
        ] + [loss for part in self.mix.values() for loss in part.active.values()]

    @property
    def leaves_parameters_unused(self) -> bool:
        """Whether some weights may have no gradient at some steps."""
        scales = {s for loss in self.depth_teachers for s in getattr(loss, "scales", range(SCALES))}
        views = self.view_synthesis
        first = max(views.rotation_first_steps, views.pose_first_steps)
        # Nor before the warm-up's end, nor from a batch in which no feature matches.
        return len(scales) < SCALES or first > 0 or self.refinement.enabled

    def with_loss(self, name: str) -> Recipe:
        """The same with a loss by its default settings, unless it says something of it already."""
        if name in self.losses:
            return self
        losses = parse_losses({**self.losses, name: {}})
        return self.model_copy(update={"losses": losses})

    def with_models_found(self, find: Callable[[str], str]) -> Recipe:
        """The same with the folders of the models that it names, found by ``find``."""
        networks = self.networks
        found = {
            part: find(name)
            for part in ("depth", "pose")
            if (name := getattr(networks.init, part)) is not None
        }
        update: dict[str, Any] = {"init": networks.init.model_copy(update=found)}
        if networks.teacher is not None and _asks_teacher(self.needs_of_sets):
            update["teacher"] = find(networks.teacher)
        return self.model_copy(update={"networks": networks.model_copy(update=update)})

    @model_validator(mode="after")
    def _fits_the_architecture(self) -> Recipe:
        networks = self.networks
        try:
            check_size(networks.architecture, self.data.size)
        except ValueError as error:
            raise ValueError(f"data.size {error}") from None
        if not self.teaches_pose:
            return self
        without_pose = find_architecture(networks.architecture).pose is None
        if without_pose and networks.pose == "separate":
            raise ValueError(
                f"networks.architecture {networks.architecture} has no pose network: set"
                " networks.pose to posecnn, or view_synthesis.poses to matches without"
                " losses.consistency, or let true depth or a teacher teach alone"
            )
        if networks.pose == "none":
            name = self.pose_teachers[0]
            mend = (
                "view_synthesis.poses to matches"
                if name == Photometric.name
                else f"losses.{name} to null"
            )
            raise ValueError(
                f"networks.pose none leaves no pose network for losses.{name} to teach: set {mend}"
            )
        return self

    @model_validator(mode="after")
    def _teaches(self) -> Recipe:
        frozen = self.networks.freeze_depth
        if frozen and not (self.teaches_pose or self.teaches_uncertainty):
            raise ValueError(
                "networks.freeze_depth leaves the pose network to learn, and nothing teaches it:"
                " give losses.photometric or losses.pose a weight above 0"
            )
        useless = [loss.name for loss in self.depth_teachers if "pose" not in loss.teaches]
        if frozen and useless:
            raise ValueError(
                f"losses.{useless[0]} teaches the depth network, which networks.freeze_depth keeps:"
                f" set losses.{useless[0]} to null"
            )
        if not frozen and not self.depth_teachers:
            raise ValueError(
                "losses: nothing teaches the depth network: give losses.supervised or"
                " losses.teacher, or losses.photometric with view_synthesis.train_depth, a weight"
                " above 0"
            )
        return self

    @model_validator(mode="after")
    def _has_a_head_to_teach(self) -> Recipe:
        networks = self.networks
        if networks.uncertainty and not find_architecture(networks.architecture).tells_variance:
            name = networks.architecture
            raise ValueError(f"networks.uncertainty: {name} has no head for it: set it to 0")
        if self.teaches_uncertainty and not networks.uncertainty:
            taught = (n for n, loss in self.active.items() if "uncertainty" in loss.teaches)
            raise ValueError(
                f"losses.{next(taught)} teaches a head for uncertainty, and there is none: set"
                " networks.uncertainty to the number of its members, such as 4"
            )
        return self

    @model_validator(mode="after")
    def _has_what_losses_need(self) -> Recipe:
        if _asks_teacher(self.needs_of_sets) and self.networks.teacher is None:
            sets = {"": self.active}
            sets |= {f"mix.{name}.": part.active for name, part in self.mix.items()}
            name = next(
                f"{place}losses.{loss.name}"
                for place, losses in sets.items()
                for loss in losses.values()
                if _asks_teacher(loss.needs)
            )
            raise ValueError(
                f"{name} learns from another model: name it by networks.teacher (--teacher), or set"
                f" {name} to null"
            )
        if self.data.augmentation.perturbation and "pseudo_depth" not in self.needs:
            raise ValueError(
                "data.augmentation.perturbation is for losses by pseudo depth, and there are none:"
                " set it to null"
            )
        if self.trainer.batch_size % (1 + len(self.mix)):
            raise ValueError(
                f"trainer.batch_size {self.trainer.batch_size} cannot be shared evenly by --data"
                f" and {len(self.mix)} mixed sets: make it a multiple of {1 + len(self.mix)}"
            )
        if self.refinement.enabled and Photometric.name not in self.active:
            raise ValueError(
                "refinement refines the poses of view synthesis, which is off: give"
                " losses.photometric a weight above 0"
            )
        poses = self.view_synthesis.poses
        if self.refinement.enabled and poses != "network":
            raise ValueError(
                f"refinement refines the pose network's motions, but views are by {poses} ones: set"
                " refinement.enabled to false, or view_synthesis.poses to network"
            )
        better = self.refinement.enabled or poses != "network"
        if "consistency" in self.active and not better:
            raise ValueError(
                "losses.consistency draws poses to refined ones, and there are none: set"
                " refinement.enabled to true, or losses.consistency to null"
            )
        own = self.refinement.enabled and self.refinement.feat_source == "own"
        if self.networks.init.feature_encoder is not None and not own:
            raise ValueError(
                "networks.init.feature_encoder has weights of a feature network, and there is none:"
                " needs refinement.enabled with feat_source own"
            )
        return self


def _asks_teacher(needs: frozenset[Need]) -> bool:
    return not needs.isdisjoint({"teacher", "pseudo_depth"})
