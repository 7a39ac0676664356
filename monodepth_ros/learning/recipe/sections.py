"""The sections of a recipe: every number is a named key; the defaults are Monodepth2's.

Sources of the defaults: Godard et al., "Digging into Self-Supervised Monocular Depth Estimation"
(ICCV 2019) for networks, losses, augmentation, optimiser and schedule. Unknown keys are refused.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import (
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    field_validator,
    model_validator,
)

from monodepth_ros.learning.losses.loss import Section
from monodepth_ros.networks.registry import trainable
from monodepth_ros.zoo.size import NetworkSize

Probability = Annotated[float, Field(ge=0.0, le=1.0)]


class PerturbationRecipe(Section):
    """How hard the image is made from which a pupil learns what its teacher said of it.

    As of `Perturbation`; 0 switches a kind off.
    """

    jitter: Probability = 0.8
    brightness: NonNegativeFloat = 0.5
    contrast: NonNegativeFloat = 0.5
    saturation: NonNegativeFloat = 0.5
    hue: Annotated[float, Field(ge=0.0, le=0.5)] = 0.25
    blur: Probability = 0.5
    blur_sigma: Annotated[float, Field(ge=0.1)] = 2.0  # of the network's pixels, at most
    cutmix: Probability = 0.5


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
    perturbation: PerturbationRecipe | None = None  # for losses by pseudo depth alone; none: off


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
    teacher: str | None = None  # a model's name or folder, of the losses that need one (--teacher)

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
