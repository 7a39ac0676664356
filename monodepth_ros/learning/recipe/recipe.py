"""The recipe of a training run: every number is a named key; the defaults are Monodepth2's.

Sources of the defaults: Godard et al., "Digging into Self-Supervised Monocular Depth Estimation"
(ICCV 2019) for networks, objective, augmentation, optimiser and schedule. Unknown keys are refused.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    field_validator,
    model_validator,
)

from monodepth_ros.learning.losses.self_supervision import SelfSupervisionSettings
from monodepth_ros.learning.losses.supervision import SupervisionSettings
from monodepth_ros.learning.losses.teacher import TeacherSettings
from monodepth_ros.learning.pose_refiner import RefinementSettings
from monodepth_ros.networks.registry import ARCHITECTURES, find_architecture
from monodepth_ros.zoo.card import NetworkSize, check_size

Probability = Annotated[float, Field(ge=0.0, le=1.0)]


class Section(BaseModel):
    """A part of the recipe: fixed keys, no others."""

    model_config = ConfigDict(extra="forbid", frozen=True)


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
    freeze_depth: bool = False  # the depth network stays as it is, the pose network learns
    # Batch normalisation by the running statistics of the weights that a run starts from: small
    # batches of one scene would replace them by its own, and forget all others.
    freeze_statistics: bool = False
    # The published ablations: a decoder on the depth encoder's features, or seven plain
    # convolutions. Their pose networks teach the depth network and are not exported.
    pose: Literal["separate", "shared", "posecnn"] = "separate"
    init: InitRecipe = InitRecipe()

    @field_validator("architecture")
    @classmethod
    def _known(cls, name: str) -> str:
        if name not in ARCHITECTURES:
            raise ValueError(f"allowed are {', '.join(ARCHITECTURES)}")
        return name

    @model_validator(mode="after")
    def _ordered(self) -> NetworksRecipe:
        if self.min_depth >= self.max_depth:
            raise ValueError("min_depth must be less than max_depth")
        if self.pose != "separate" and self.init.pose is not None:
            raise ValueError("init.pose has weights of a separate pose network: pose must be so")
        return self


class SelfSupervisedRecipe(SelfSupervisionSettings):
    """View synthesis from the neighbours; weight 0 leaves its work out."""

    weight: NonNegativeFloat = 1.0
    # False: only the pose network learns from it, the depth network from true depth.
    train_depth: bool = True
    # Steps at the beginning in which the scene is taken to be far away, so that only rotations can
    # explain the images. Otherwise the turning of a handheld camera is first explained by moving
    # sideways along a flat scene, which the networks do not leave again.
    rotation_first_steps: NonNegativeInt = 0
    # Steps at the beginning, those included, in which it teaches the pose network alone: poor poses
    # would spoil the depths that a run starts from.
    pose_first_steps: NonNegativeInt = 0


class SupervisedRecipe(SupervisionSettings):
    """True depth, where the sequences hold it; weight 0 leaves its work out."""

    weight: NonNegativeFloat = 0.0
    # Of the difference to true motions, in the unit of parallax: needs true depth and true poses.
    pose_weight: NonNegativeFloat = 0.0


class ObjectiveRecipe(Section):
    """The weighted sum that training minimises."""

    self_supervised: SelfSupervisedRecipe = SelfSupervisedRecipe()
    supervised: SupervisedRecipe = SupervisedRecipe()
    teacher: TeacherSettings = TeacherSettings()

    @property
    def has_teacher(self) -> bool:
        """Whether the depths of another model count."""
        return self.teacher.model is not None and self.teacher.weight > 0

    @property
    def compares_motions(self) -> bool:
        """Whether the pose network learns from true motions."""
        return self.supervised.weight > 0 and self.supervised.pose_weight > 0

    @property
    def teaches_pose(self) -> bool:
        """Whether the pose network learns, for which a sample needs its neighbours."""
        return self.self_supervised.weight > 0 or self.compares_motions

    @property
    def teaches_depth(self) -> bool:
        """Whether the depth network learns, unless it is frozen."""
        view_synthesis = self.self_supervised.weight > 0 and self.self_supervised.train_depth
        return view_synthesis or self.supervised.weight > 0 or self.has_teacher


class ReplayRecipe(Section):
    """Frames with true depth of scenes that the model knows, so that it does not forget them.

    Their folders are given with the data (``--replay``); ``objective.supervised`` says how their
    depth is compared, whatever its weight is for the data itself.
    """

    batch_size: PositiveInt = 2  # frames beside each batch, on each device
    weight: NonNegativeFloat = 1.0


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
    precision: Literal["32", "bf16", "fp16"] = "32"  # of the networks; the objective stays in 32
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
    """Everything that decides a run, but for the data and the folder it writes."""

    data: DataRecipe = DataRecipe()
    networks: NetworksRecipe = NetworksRecipe()
    objective: ObjectiveRecipe = ObjectiveRecipe()
    refinement: RefinementSettings = RefinementSettings()
    replay: ReplayRecipe = ReplayRecipe()
    optimizer: OptimizerRecipe = OptimizerRecipe()
    schedule: ScheduleRecipe = ScheduleRecipe()
    trainer: TrainerRecipe = TrainerRecipe()
    evaluation: EvaluationRecipe = EvaluationRecipe()

    def with_models_found(self, find: Callable[[str], str]) -> Recipe:
        """The same with the folders of the models that it names, found by ``find``."""
        init, teacher = self.networks.init, self.objective.teacher
        init = init.model_copy(
            update={
                part: find(name)
                for part in ("depth", "pose")
                if (name := getattr(init, part)) is not None
            }
        )
        if teacher.model is not None:
            teacher = teacher.model_copy(update={"model": find(teacher.model)})
        return self.model_copy(
            update={
                "networks": self.networks.model_copy(update={"init": init}),
                "objective": self.objective.model_copy(update={"teacher": teacher}),
            }
        )

    @model_validator(mode="after")
    def _fits_the_architecture(self) -> Recipe:
        networks = self.networks
        try:
            check_size(networks.architecture, self.data.size)
        except ValueError as error:
            raise ValueError(f"data.size {error}") from None
        without_pose = find_architecture(networks.architecture).pose is None
        if without_pose and networks.pose == "separate" and self.objective.teaches_pose:
            raise ValueError(
                f"networks.architecture {networks.architecture} has no pose network: set"
                " networks.pose to posecnn, or let true depth or a teacher teach alone"
            )
        return self

    @model_validator(mode="after")
    def _teaches(self) -> Recipe:
        if self.networks.freeze_depth and self.objective.has_teacher:
            raise ValueError(
                "objective.teacher teaches the depth network, which networks.freeze_depth keeps:"
                " set teacher.model to null"
            )
        if self.networks.freeze_depth and not self.objective.teaches_pose:
            raise ValueError(
                "networks.freeze_depth leaves the pose network to learn, and nothing teaches it:"
                " give objective.self_supervised.weight, or objective.supervised.weight and"
                " pose_weight, a value above 0"
            )
        if not self.networks.freeze_depth and not self.objective.teaches_depth:
            raise ValueError(
                "objective: nothing teaches the depth network: give supervised.weight, or"
                " self_supervised.weight with train_depth, a value above 0, or a teacher.model"
            )
        return self

    @model_validator(mode="after")
    def _refines_what_is_synthesised(self) -> Recipe:
        if self.refinement.enabled and self.objective.self_supervised.weight == 0:
            raise ValueError(
                "refinement refines the poses of view synthesis, which is off: give"
                " objective.self_supervised.weight a value above 0"
            )
        own = self.refinement.enabled and self.refinement.feat_source == "own"
        if self.networks.init.feature_encoder is not None and not own:
            raise ValueError(
                "networks.init.feature_encoder has weights of a feature network, and there is none:"
                " needs refinement.enabled with feat_source own"
            )
        return self

    @model_validator(mode="before")
    @classmethod
    def _one_depth_range(cls, values: Any) -> Any:
        """The objectives see the depth range of the networks, unless they are told otherwise."""
        values = copy.deepcopy(values)
        networks, objective = values.get("networks"), values.setdefault("objective", {})
        if not isinstance(networks, dict) or not isinstance(objective, dict):
            return values  # what is wrong with them is told where they are read
        for part in ("self_supervised", "supervised", "teacher"):
            section = objective.setdefault(part, {})
            for key in ("min_depth", "max_depth"):
                if key in networks and isinstance(section, dict):
                    section.setdefault(key, networks[key])
        return values
