"""What is learnt: the networks of a recipe and its losses; whoever trains them drives it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from monodepth_ros.data.samples.augmentation import Augmentation, as_float
from monodepth_ros.data.samples.perturbation import Perturbation
from monodepth_ros.geometry import se3
from monodepth_ros.learning.losses.loss import Loss, Need
from monodepth_ros.learning.losses.photometric import Photometric
from monodepth_ros.learning.losses.semantic_preservation import SemanticPreservation
from monodepth_ros.learning.pose_refiner import PoseRefiner
from monodepth_ros.learning.recipe.recipe import Recipe
from monodepth_ros.learning.recipe.sections import NetworksRecipe
from monodepth_ros.learning.semantics import FrozenEncoder
from monodepth_ros.learning.step import Batch, Step, other_sets
from monodepth_ros.learning.step_stream import seed_batch
from monodepth_ros.learning.teacher import Teacher
from monodepth_ros.networks.depth_network import DepthNetwork, with_encoder
from monodepth_ros.networks.pose_ablations import PoseCNN, SharedEncoderPoseNet
from monodepth_ros.networks.pose_net import NoPoseNet
from monodepth_ros.networks.registry import (
    Ambiguity,
    build_depth_network,
    build_pose_network,
    find_architecture,
)
from monodepth_ros.zoo.card import load_card

_SEMANTIC_LEVEL = 3  # of the encoder's features, at stride 16: about a patch of DINOv2


class Predictions(NamedTuple):
    """What the depth network says of images; None where nobody asks for it or it has none.

    ``inverse_depths`` of all scales ``(B, 1, h, w)`` in float32, finest first; ``masks``
    ``(B, 2, h, w)`` at each scale; log variances of a head's ``members`` ``(B, M, h, w)``;
    ``features`` in the space of a frozen encoder ``(B, C, h, w)``.
    """

    inverse_depths: list[Tensor]
    masks: list[Tensor] | None = None
    members: Tensor | None = None
    features: Tensor | None = None


class Learner(nn.Module):
    """A depth and a pose network, and the losses that they learn by.

    Batches are as of `CachedDataset`, those of other sets beside them named ``set/entry``; once
    prepared, ``images`` are float in [0, 1] and the networks see ``jittered`` ones instead.
    """

    def __init__(self, recipe: Recipe) -> None:
        super().__init__()
        self.recipe = recipe
        networks, self.losses = recipe.networks, recipe.active
        self.depth_net = build_depth_network(
            networks.architecture, networks.min_depth, networks.max_depth, networks.uncertainty
        )
        self.pose_net = _pose_net(networks, self.depth_net)
        self.mask_net: nn.Module | None = None
        if self.photometric.predictive_mask:  # one mask for each of the two sources
            net = with_encoder(self.depth_net, "losses.photometric.predictive_mask")
            self.mask_net = net.further_decoder(outputs=2)
        encoder = None
        if recipe.refinement.enabled and recipe.refinement.feat_source == "depth_encoder":
            encoder = with_encoder(self.depth_net, "refinement.feat_source depth_encoder").encoder
        self.refiner = PoseRefiner(recipe.refinement, encoder)
        self.teacher: Teacher | None = None
        if "teacher" in recipe.needs_of_sets and networks.teacher is not None:
            pupil = find_architecture(networks.architecture).ambiguity
            self.teacher = Teacher(Path(networks.teacher), recipe.data.size, pupil)
        self.teacher_ambiguity: Ambiguity | None = None
        if "pseudo_depth" in recipe.needs_of_sets and networks.teacher is not None:
            self.teacher_ambiguity = load_card(Path(networks.teacher)).ambiguity
        self.semantics: FrozenEncoder | None = None
        self.into_semantics: nn.Module | None = None  # of features at stride 16
        if isinstance(loss := self.losses.get("semantic_preservation"), SemanticPreservation):
            self.semantics = FrozenEncoder(Path(loss.encoder))
            net = with_encoder(self.depth_net, "losses.semantic_preservation")
            channels = net.encoder.channels[_SEMANTIC_LEVEL], self.semantics.channels
            self.into_semantics = nn.Conv2d(*channels, kernel_size=1)
        augmentation = recipe.data.augmentation.model_dump(exclude={"perturbation"})
        self.augment = Augmentation(**augmentation)
        self.perturb: Perturbation | None = None
        if (perturbation := recipe.data.augmentation.perturbation) is not None:
            self.perturb = Perturbation(**perturbation.model_dump())
        self._drawing = torch.Generator()  # of augmentations, on the CPU
        # Networks without a gradient would stop distributed training.
        self.pose_net.requires_grad_(recipe.teaches_pose)
        self.depth_net.requires_grad_(not networks.freeze_depth)
        if self.head is not None:
            self.head.requires_grad_(recipe.teaches_uncertainty)
        if recipe.trainer.channels_last:
            # mypy: PyTorch's stub of Module.to lacks this overload
            self.depth_net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
            self.pose_net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    @property
    def photometric(self) -> Photometric:
        """The recipe's; where it has none, the published one, to judge view synthesis by."""
        loss = self.losses.get(Photometric.name)
        return loss if isinstance(loss, Photometric) else Photometric()

    @property
    def head(self) -> nn.Module | None:
        """The depth network's head that tells its variance; None where it has none."""
        if not self.recipe.networks.uncertainty:
            return None
        return self.depth_net.get_submodule("uncertainty")

    def train(self, mode: bool = True) -> Learner:
        """As of any module, but frozen networks and frozen batch statistics stay as they are."""
        super().train(mode)
        if self.recipe.networks.freeze_depth:
            self.depth_net.eval()
        if self.head is not None:
            self.head.train(mode and self.recipe.teaches_uncertainty)
        if self.recipe.networks.freeze_statistics:
            norms = (nn.BatchNorm2d, nn.SyncBatchNorm)
            for norm in filter(lambda module: isinstance(module, norms), self.modules()):
                norm.eval()
        return self

    def compile_networks(self) -> None:
        """Compile them in place where the recipe says so: names of parameters stay as they are."""
        if self.recipe.trainer.compile_networks:
            self.depth_net.compile()
            self.pose_net.compile()

    def parameter_groups(self) -> list[dict[str, Any]]:
        """What an optimiser moves: all that learns, the solver's damping at a rate of its own."""
        damping = self.refiner.damping
        learning = [p for p in self.parameters() if p.requires_grad and p is not damping]
        groups: list[dict[str, Any]] = [{"params": learning}]
        if damping is not None and damping.requires_grad:
            faster = self.recipe.optimizer.lr * self.recipe.refinement.damping_lr
            groups.append({"params": [damping], "lr": faster})
        return groups

    def prepare(self, batch: Batch, number: int | None = None, rank: int = 0) -> Batch:
        """From uint8 images to what losses take; augmented when it is a batch to learn from.

        Args:
            batch: of a loader, on the device.
            number: the batch's in the stream of all steps, which decides what is drawn with the
                seed and the rank; None leaves the images as they are, to validate on.
            rank: of the process.
        """
        if number is None:
            return as_float(batch)
        seed_batch(self._drawing, self.recipe.trainer.seed, number, rank)
        sets = other_sets(batch)
        batch = {name: x for name, x in batch.items() if "/" not in name}
        batch = self._augmented(batch, self.recipe.needs)
        for name, entries in sets.items():
            mixed = self.recipe.mix.get(name)
            entries = self._augmented(entries, mixed.needs if mixed else frozenset())
            batch |= {f"{name}/{entry}": value for entry, value in entries.items()}
        return batch

    def _augmented(self, batch: Batch, needs: frozenset[Need]) -> Batch:
        batch = self.augment(batch, self._drawing)
        if self.perturb is not None and "pseudo_depth" in needs:
            batch |= self.perturb(batch, self._drawing)
        return batch

    def training_loss(
        self, batch: Batch, step: int, generator: torch.Generator | None
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """The weighted sum of the recipe's losses of a prepared batch, and its terms by name.

        ``step`` counts the optimiser's; ``generator`` is drawn from, on the device of the batch.
        """
        seen = Step(self, batch, step, generator)
        loss, terms = seen.target.new_zeros(()), {}
        with torch.autocast(loss.device.type, enabled=False):
            for name, each, of in self._to_minimise(seen):
                part = each(of)
                weighted = each.weight * part.loss
                loss = loss + weighted
                terms[name] = weighted.detach()
                terms |= {f"{name}/{figure}": value for figure, value in part.figures.items()}
        return loss, terms | seen.refinement_figures()

    def _to_minimise(self, step: Step) -> Iterator[tuple[str, Loss, Step]]:
        """Each loss by its name in logs, and what it is of."""
        for name, loss in self.losses.items():
            yield name, loss, step
        for part, mixed in self.recipe.mix.items():
            for name, loss in mixed.active.items():
                yield f"{part}/{name}", loss, step.sets[part]

    forward = training_loss  # what trains a module in several processes calls the module

    def validation_metrics(self, batch: Batch) -> dict[str, Tensor]:
        """Of each image, ``(B,)``, NaN where it has no value; of a batch prepared to validate on.

        Those of the losses, and depth metrics where there is truth.
        """
        seen = Step(self, batch)
        metrics: dict[str, Tensor] = {}
        with torch.autocast(seen.target.device.type, enabled=False):
            for loss in self.losses.values():
                metrics |= loss.validation_figures(seen)
        return metrics | (seen.depth_metrics() if "depth" in batch else {})

    def predictions(self, target: Tensor) -> Predictions:
        """What the recipe's losses take of ``(B, 3, H, W)``, by one run of the network."""
        target = self._laid_out(target)
        if self.mask_net is None and self.into_semantics is None:
            if self.head is None:
                return Predictions(self.depth_net(target).inverse_depth)
            output, members = self.depth_net.with_members(target)
            return Predictions(output.inverse_depth, members=members)
        net = with_encoder(self.depth_net, "what reads its features")
        features = net.encoder(target)
        output, members = net.decode_with_members(features)
        masks = None if self.mask_net is None else [m.float() for m in self.mask_net(features)]
        mapped = None
        if self.into_semantics is not None:
            mapped = self.into_semantics(features[_SEMANTIC_LEVEL])
        return Predictions(output.inverse_depth, masks, members, mapped)

    def relative_poses(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """``T_previous_target`` and ``T_next_target``, each ``(B, 4, 4)``.

        The network sees both pairs in temporal order, so the first of its motions is inverted.
        """
        target, previous, following = images.unbind(1)
        pairs = [(previous, target), (target, following)]
        if self.recipe.networks.joint_pose_batch:
            first, second = (torch.cat(side) for side in zip(*pairs, strict=True))
            T_target_previous, T_next_target = self._motion(first, second).chunk(2)
        else:
            T_target_previous, T_next_target = (self._motion(*pair) for pair in pairs)
        return se3.inverse(T_target_previous), T_next_target

    def laid_out_all(self, images: Tensor) -> Tensor:
        """``(B, F, 3, H, W)``: the layout is of what the networks see, B * F images."""
        return self._laid_out(images.flatten(0, 1)).unflatten(0, images.shape[:2])

    def _motion(self, first: Tensor, second: Tensor) -> Tensor:
        axis_angle, translation = self.pose_net(self._laid_out(first), self._laid_out(second))
        return se3.from_axis_angle_translation(axis_angle.float(), translation.float())

    def _laid_out(self, image: Tensor) -> Tensor:
        if not self.recipe.trainer.channels_last:
            return image.contiguous()
        return image.contiguous(memory_format=torch.channels_last)


def _pose_net(recipe: NetworksRecipe, depth_net: DepthNetwork) -> nn.Module:
    """The pose network that ``networks.pose`` names; ``shared`` is on the depth encoder.

    Where there is none, `NoPoseNet`: such a recipe teaches depth alone.
    """
    if recipe.pose == "posecnn":
        return PoseCNN()
    if recipe.pose == "shared":
        return SharedEncoderPoseNet(with_encoder(depth_net, "networks.pose shared").encoder)
    if recipe.pose == "none" or find_architecture(recipe.architecture).pose is None:
        return NoPoseNet()
    return build_pose_network(recipe.architecture)
