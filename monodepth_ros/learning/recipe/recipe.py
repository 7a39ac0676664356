"""The recipe of a training run: every number is a named key; the defaults are Monodepth2's.

Sources of the defaults: Godard et al., "Digging into Self-Supervised Monocular Depth Estimation"
(ICCV 2019) for networks, losses, augmentation, optimiser and schedule. Unknown keys are refused.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal

from pydantic import (
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    SerializeAsAny,
    field_validator,
    model_validator,
)

from monodepth_ros.learning.losses.loss import Loss, Need, Section
from monodepth_ros.learning.losses.photometric import Photometric
from monodepth_ros.learning.losses.pose import Consistency
from monodepth_ros.learning.losses.registry import parse_losses
from monodepth_ros.learning.losses.smoothness import Smoothness
from monodepth_ros.learning.matched_points import MatchesSettings
from monodepth_ros.learning.pose_refiner import RefinementSettings
from monodepth_ros.networks.depth_decoder import SCALES
from monodepth_ros.networks.registry import find_architecture, trainable
from monodepth_ros.zoo.card import check_size
from monodepth_ros.zoo.size import NetworkSize

Probability = Annotated[float, Field(ge=0.0, le=1.0)]


class AugmentationRecipe(Section):
    """Mirror and colour jitter; one draw a sample, shared by its three frames."""

    flip: Probability = 0.5
    jitter: Probability = 0.5
    brightness: NonNegativeFloat = 0.2
    contrast: NonNegativeFloat = 0.2
    saturation: NonNegativeFloat = 0.2
    hue: Annotated[float, Field(ge=0.0, le=0.5)] = 0.1
    crop: Annotated[float, Field(gt=0.0, le=1.0)] = 1.0  # smallest share of a side; 1: no crops
    aspect: Annotated[float, Field(ge=0.0, le=0.5)] = 0.0  # how far crops change the aspect ratio


class DataRecipe(Section):
    """What the sequences become before they reach the networks."""

    size: NetworkSize = (192, 640)
    stride: PositiveInt | Literal["motion"] = 1  # frames between the target and its neighbours
    motion: PositiveFloat = 0.015  # of stride "motion": apparent shift, share of image width
    max_stride: PositiveInt = 30  # of stride "motion", in frames
    min_motion: NonNegativeFloat = 0.0  # mean image difference below which a triplet is left out
    validation_fraction: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.0
    validation_part: Literal["end", "middle"] = "end"  # of each sequence is held back
    cache: str | None = None  # folder of the resized frames; none: the user's cache folder
    workers: NonNegativeInt = 0  # frames come from a memory map: the training process keeps up
    augmentation: AugmentationRecipe = AugmentationRecipe()


class InitRecipe(Section):
    """Weights to start from; none of them means random weights."""

    depth: str | None = None  # a model's name or folder
    pose: str | None = None  # a model's name or folder
    imagenet_encoder: str | None = None  # file of its published weights, or efficientnet-lite0
    feature_encoder: str | None = None  # the same for the features of refinement.feat_source: own


class NetworksRecipe(Section):
    """The networks and the depth range of their sigmoid."""

    architecture: str = "monodepth2-resnet18"
    min_depth: PositiveFloat = 0.1
    max_depth: PositiveFloat = 100.0
    # Both pairs through the pose network in one pass: faster on a GPU, but batch normalisation then
    # sees joint statistics and updates its running ones once, not twice. Off, as published.
    joint_pose_batch: bool = False
    freeze_depth: bool = False  # bit for bit; the pose network or the head for uncertainty learns
    uncertainty: NonNegativeInt = 0  # members of that head, which tells depth's variance; 0: none
    # Batch normalisation by the running statistics of the weights that a run starts from: small
    # batches of one scene would replace them by its own, and forget all others.
    freeze_statistics: bool = False
    # The published ablations: a decoder on the depth encoder's features, or seven plain
    # convolutions. Their pose networks teach the depth network and are not exported. `none`: depth
    # alone, by view_synthesis.poses or without views.
    pose: Literal["separate", "shared", "posecnn", "none"] = "separate"
    init: InitRecipe = InitRecipe()
    teacher: str | None = None  # a model's name or folder, of the losses that need one

    @field_validator("architecture")
    @classmethod
    def _known(cls, name: str) -> str:
        if name not in (known := trainable()):
            raise ValueError(f"allowed are {', '.join(known)}")
        return name

    @model_validator(mode="after")
    def _ordered(self) -> NetworksRecipe:
        if self.min_depth >= self.max_depth:
            raise ValueError("min_depth must be less than max_depth")
        if self.pose != "separate" and self.init.pose is not None:
            raise ValueError("init.pose has weights of a separate pose network: pose must be so")
        return self


class ViewSynthesisRecipe(Section):
    """What losses that compare views may teach, and when."""

    train_depth: bool = True  # False: they teach the pose network alone
    # Whose motions views are synthesised by: the pose network's, those of matched points at the
    # length that depth says, or true ones. Only the first can be refined, and learn from views.
    poses: Literal["network", "matches", "true"] = "network"
    # Steps at the beginning in which the scene is taken to be far away, so that only rotations can
    # explain the images. Otherwise the turning of a handheld camera is first explained by moving
    # sideways along a flat scene, which the networks do not leave again.
    rotation_first_steps: NonNegativeInt = 0
    # Steps at the beginning, those included, in which the pose network learns alone: poor poses
    # would spoil the depths that a run starts from.
    pose_first_steps: NonNegativeInt = 0


class OptimizerRecipe(Section):
    """Adam, or AdamW where weight_decay should be decoupled."""

    kind: Literal["adam", "adamw"] = "adam"
    lr: PositiveFloat = 1e-4
    betas: tuple[Probability, Probability] = (0.9, 0.999)
    eps: PositiveFloat = 1e-8
    weight_decay: NonNegativeFloat = 0.0
    clip_norm: PositiveFloat | None = None  # of all gradients together


class ScheduleRecipe(Section):
    """How long to train, and how the learning rate moves.

    ``step`` multiplies it by ``gamma`` every ``step_epochs``; ``cosine`` and ``one_cycle`` end at
    ``final`` of it, ``one_cycle`` after rising over the first ``rise`` of the run. With
    ``trainer.max_minutes`` the latter two follow the clock where that is ahead of the steps.
    """

    kind: Literal["step", "cosine", "one_cycle"] = "step"
    epochs: PositiveInt = 20
    step_epochs: PositiveInt = 15
    gamma: PositiveFloat = 0.1
    warmup_steps: NonNegativeInt = 0
    rise: Annotated[float, Field(gt=0.0, lt=1.0)] = 0.3
    final: NonNegativeFloat = 0.01


class TrainerRecipe(Section):
    """The machine side of a run: it should not change what is learnt."""

    batch_size: PositiveInt = 12  # on each device
    accumulate: PositiveInt = 1  # batches whose gradients make a step
    seed: NonNegativeInt = 0
    max_steps: PositiveInt | None = None
    max_minutes: PositiveFloat | None = None
    accelerator: Literal["auto", "cpu", "cuda"] = "auto"
    devices: PositiveInt = 1
    num_nodes: PositiveInt = 1
    precision: Literal["32", "bf16", "fp16"] = "32"  # of the networks; losses stay in 32
    channels_last: bool = True
    compile_networks: bool = False
    compile_objective: bool = False  # its per-pixel arithmetic; on a CPU needs a C++ compiler
    sync_batchnorm: bool = False
    threads: PositiveInt | None = None
    checkpoint_minutes: PositiveFloat = 10.0
    log_every: PositiveInt = 50
    pictures_every: NonNegativeInt = 1000  # steps; 0 draws none
    nan_guard: bool = True

    @field_validator("precision", mode="before")
    @classmethod
    def _number_as_name(cls, value: Any) -> Any:
        return str(value) if isinstance(value, int) else value  # YAML reads a bare 32 as a number


class EvaluationRecipe(Section):
    """Validation on the held-back frames during training."""

    every_epochs: PositiveFloat = 1.0
    every_steps: PositiveInt | None = None  # instead of every_epochs
    max_frames: PositiveInt | None = None  # evenly spread over the held-back ones
    min_depth: PositiveFloat = 1e-3  # of the true depth that counts
    max_depth: PositiveFloat = 80.0


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

    @property
    def active(self) -> dict[str, Loss]:
        """The losses with a weight, by name."""
        return {name: loss for name, loss in self.losses.items() if loss.weight > 0}

    @property
    def needs(self) -> frozenset[Need]:
        """What these losses need, all together, and the motions that views are synthesised by."""
        return self.poses_need.union(*(loss.needs for loss in self.active.values()))

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
        ]

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
        if networks.teacher is not None and "teacher" in self.needs:
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
        if "teacher" in self.needs and self.networks.teacher is None:
            name = next(loss.name for loss in self.active.values() if "teacher" in loss.needs)
            raise ValueError(
                f"losses.{name} learns from another model: name it by networks.teacher, or set"
                f" losses.{name} to null"
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
