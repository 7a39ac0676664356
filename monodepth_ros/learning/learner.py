"""What is learnt: the networks of a recipe, the loss of a batch and its figures in validation."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from monodepth_ros.data.samples.augmentation import Augmentation
from monodepth_ros.evaluation.depth_metrics import batch_median_scaled_metrics
from monodepth_ros.geometry import se3
from monodepth_ros.learning.batches import REPLAYED
from monodepth_ros.learning.losses.masked_mean import known_depth, true_depth
from monodepth_ros.learning.losses.objective import Objective
from monodepth_ros.learning.losses.pose_supervision import motion_difference
from monodepth_ros.learning.losses.self_supervision import SelfSupervisedObjective
from monodepth_ros.learning.losses.supervision import SupervisedObjective
from monodepth_ros.learning.losses.teacher import Teacher
from monodepth_ros.learning.pose_refiner import PoseRefiner, with_fixed_scale
from monodepth_ros.learning.recipe.networks import recipe_mask_net, recipe_pose_net
from monodepth_ros.learning.recipe.recipe import Recipe
from monodepth_ros.learning.step_stream import seed_batch
from monodepth_ros.networks.depth_network import FeatureEncoder, with_encoder
from monodepth_ros.networks.registry import build_depth_network

Batch = dict[str, Tensor]
Poses = tuple[Tensor, Tensor]  # to the previous and to the next image


class Learner(nn.Module):
    """A depth and a pose network that learn from image triplets, true depth, or both.

    Batches hold ``images`` ``(B, F, 3, H, W)`` ordered target, previous, next (the target alone,
    F = 1, where nothing learns from the neighbours), ``jittered`` the same, ``K`` ``(B, 3, 3)``
    and, with truth, ``depth`` ``(B, 1, H, W)`` and ``T_neighbour_target`` ``(B, F - 1, 4, 4)``, NaN
    where unknown, and ``valid`` where cameras are distorted: no objective depends on what the
    images hold elsewhere. The networks see the jittered images, the objectives the clean ones.
    """

    def __init__(self, recipe: Recipe) -> None:
        super().__init__()
        self.recipe = recipe
        objective = recipe.objective
        self.depth_net = build_depth_network(
            recipe.networks.architecture, recipe.networks.min_depth, recipe.networks.max_depth
        )
        self.pose_net = recipe_pose_net(recipe.networks, self.depth_net)
        self.mask_net = recipe_mask_net(self.depth_net) if self.predicts_masks else None
        self.self_supervised = SelfSupervisedObjective(
            objective.self_supervised, recipe.trainer.compile_objective
        )
        self.supervised = SupervisedObjective(objective.supervised)
        self.taught = SupervisedObjective(objective.teacher)
        self.refiner = PoseRefiner(
            recipe.refinement, () if self.aligned_encoder is None else self.aligned_encoder.channels
        )
        self.augment = Augmentation(**recipe.data.augmentation.model_dump())
        self._drawing = torch.Generator()  # of augmentations, on the CPU
        self.freezes_depth = recipe.networks.freeze_depth
        self.synthesises_views = objective.self_supervised.weight > 0
        self.learns_depth_from_truth = objective.supervised.weight > 0 and not self.freezes_depth
        teacher = Path(objective.teacher.model or "")
        self.teacher = Teacher(teacher, recipe.data.size) if objective.has_teacher else None
        # Networks without a gradient would stop distributed training.
        self.pose_net.requires_grad_(objective.teaches_pose)
        self.depth_net.requires_grad_(not self.freezes_depth)
        if recipe.trainer.channels_last:
            # mypy: PyTorch's stub of Module.to lacks this overload
            self.depth_net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
            self.pose_net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def train(self, mode: bool = True) -> Learner:
        """As of any module, but frozen networks and frozen batch statistics stay as they are."""
        super().train(mode)
        if self.freezes_depth:
            self.depth_net.eval()
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
            return {**batch, "images": batch["images"].float() / 255.0}
        seed_batch(self._drawing, self.recipe.trainer.seed, number, rank)
        replayed = {
            key.removeprefix(REPLAYED): value
            for key, value in batch.items()
            if key.startswith(REPLAYED)
        }
        batch = {key: value for key, value in batch.items() if not key.startswith(REPLAYED)}
        batch = self.augment(batch, self._drawing)
        if replayed:
            replayed = self.augment(replayed, self._drawing)
            batch |= {f"{REPLAYED}{key}": value for key, value in replayed.items()}
        return batch

    def training_loss(
        self, batch: Batch, step: int, generator: torch.Generator | None
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Of a prepared batch and of the known frames replayed with it, and the named terms.

        ``step`` counts the optimiser's; ``generator`` breaks ties, on the device of the batch.
        """
        disparities, masks = None, None
        targets, replayed = batch["jittered"][:, 0], batch.get(f"{REPLAYED}jittered")
        if self.sees_depth or replayed is not None:
            # In one pass, so that batch statistics are those of both.
            seen = targets if replayed is None else torch.cat([targets, replayed[:, 0]])
            disparities, masks = self.predictions(seen)
        loss, terms = self.objective(
            batch,
            disparities and [d[: len(targets)] for d in disparities],
            generator,
            masks and [m[: len(targets)] for m in masks],
            step,
        )
        if replayed is not None and disparities is not None:
            known = [d[len(targets) :] for d in disparities]
            K, images = (batch[f"{REPLAYED}{name}"] for name in ("K", "images"))
            truth = known_depth(batch[f"{REPLAYED}depth"], batch.get(f"{REPLAYED}valid"))
            part = self.supervised(known, truth, K, images[:, 0])
            loss = loss + self.recipe.replay.weight * part.loss
            terms |= _named("replay", part)
        return loss, terms

    forward = training_loss  # what trains a module in several processes calls the module

    def disparities(self, target: Tensor) -> list[Tensor]:
        """Inverse depths of ``(B, 3, H, W)`` in float32, finest first."""
        return self.predictions(target)[0]

    def predictions(self, target: Tensor) -> tuple[list[Tensor], list[Tensor] | None]:
        """Inverse depths, and of a mask network its masks, ``(B, 2, h, w)`` at each scale."""
        if self.mask_net is None:
            return self.depth_net(self._laid_out(target)).inverse_depth, None
        net = with_encoder(self.depth_net, "predictive_mask")
        features = net.encoder(self._laid_out(target))
        return net.decode(features).inverse_depth, [m.float() for m in self.mask_net(features)]

    @property
    def aligned_encoder(self) -> FeatureEncoder | None:
        """The depth encoder, where its features are what poses are aligned by."""
        settings = self.recipe.refinement
        if not settings.enabled or settings.feat_source != "depth_encoder":
            return None
        return with_encoder(self.depth_net, "refinement.feat_source depth_encoder").encoder

    @property
    def predicts_masks(self) -> bool:
        """Whether masks of a network, not the auto-mask, weigh the photometric error."""
        settings = self.recipe.objective.self_supervised
        return settings.weight > 0 and settings.predictive_mask

    def relative_poses(self, images: Tensor) -> Poses:
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

    def objective(
        self,
        batch: Batch,
        disparities: list[Tensor] | None,
        generator: torch.Generator | None,
        masks: list[Tensor] | None = None,
        step: int = 0,
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """The weighted sum of the objectives that the recipe switches on, and its named terms.

        ``disparities`` may be None where only true motions are compared.
        """
        recipe, images = self.recipe.objective, batch["images"][:, 0]
        loss = images.new_zeros(())
        terms: dict[str, Tensor] = {}
        poses = self.relative_poses(batch["jittered"]) if recipe.teaches_pose else None
        if self.synthesises_views and disparities is not None and poses is not None:
            part_loss, terms = self._self_supervision(
                batch, disparities, poses, generator, masks, step
            )
            loss = loss + part_loss
        if self.learns_depth_from_truth and disparities is not None:
            part = self.supervised(disparities, true_depth(batch), batch["K"], images)
            loss = loss + recipe.supervised.weight * part.loss
            terms |= _named("supervised", part)
        if self.teacher is not None and disparities is not None:
            taught = known_depth(self.teacher.depth(images), batch.get("valid"))
            part = self.taught(disparities, taught, batch["K"], images)
            loss = loss + recipe.teacher.weight * part.loss
            terms |= _named("teacher", part)
        if recipe.compares_motions and poses is not None:
            difference = recipe.supervised.pose_weight * self._motion_differences(batch, poses)
            loss = loss + recipe.supervised.weight * difference.mean()
            terms["supervised/pose"] = difference.mean().detach()
        return loss, terms

    def validation_metrics(self, batch: Batch) -> dict[str, Tensor]:
        """Of each image, ``(B,)``, NaN where it has no value; of a batch prepared to validate on.

        Photometric error always where it is learnt, depth metrics where there is truth.
        """
        images = batch["images"]
        metrics: dict[str, Tensor] = {}
        disparities, masks = self.predictions(images[:, 0])
        if self.recipe.objective.teaches_pose:
            poses = self.relative_poses(images)
            if self.synthesises_views:
                part = self._view_synthesis(batch, disparities, poses, None, masks)
                metrics["photometric"] = part.terms["photometric"].expand(len(images))
            if self.recipe.objective.compares_motions and "depth" in batch:
                metrics["pose"] = self._motion_differences(batch, poses)
        if "depth" in batch:
            limits = self.recipe.evaluation.min_depth, self.recipe.evaluation.max_depth
            metrics |= batch_median_scaled_metrics(1 / disparities[0], true_depth(batch), *limits)
        return metrics

    @property
    def sees_depth(self) -> bool:
        """Whether the depths of a batch are needed, or motions alone are compared."""
        return self.synthesises_views or self.learns_depth_from_truth or self.teacher is not None

    def refined_share(self, step: int) -> float:
        """How far refined poses have taken over view synthesis from the network's own: 0 to 1."""
        settings = self.recipe.refinement
        return settings.share(step) if self.training and settings.enabled else 0.0

    def _self_supervision(
        self,
        batch: Batch,
        disparities: list[Tensor],
        poses: Poses,
        generator: torch.Generator | None,
        masks: list[Tensor] | None,
        step: int,
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """View synthesis by the network's poses, by refined ones, or by both."""
        settings, share = self.recipe.refinement, self.refined_share(step)
        weight = self.recipe.objective.self_supervised.weight
        own = 1.0 - share + share * settings.network_pose_weight
        loss = batch["images"].new_zeros(())
        terms: dict[str, Tensor] = {}
        if own > 0:
            part = self._view_synthesis(batch, disparities, poses, generator, masks, step)
            loss = loss + weight * own * part.loss
            terms |= _named("self_supervised", part)
        if share > 0:
            refined, part = self._refined(batch, disparities, poses, generator)
            loss = loss + share * part.loss
            terms |= _named("refinement", part)
            if settings.detach_depth and settings.hold_scale:
                disparities = with_fixed_scale(disparities, batch.get("valid"))
            for previous, following in refined:
                part = self._view_synthesis(
                    batch, disparities, (previous, following), generator, masks, step
                )
                loss = loss + weight * share * part.loss / len(refined)
            terms |= _named("refinement", part)
        return loss, terms

    def _refined(
        self,
        batch: Batch,
        disparities: list[Tensor],
        poses: Poses,
        generator: torch.Generator | None,
    ) -> tuple[list[Poses], Objective]:
        """The refined poses, of each level where each has a loss, and what draws ours to them."""
        settings = self.recipe.refinement
        T, K, valid = torch.stack(poses, 1), batch["K"], batch.get("valid")
        weight = None
        if settings.automask:
            maps = self.self_supervised.error_maps(disparities, *poses, batch["images"], K, valid)
            weight = (~maps.automasked).float()
        seen = self._laid_out_all(batch["jittered" if settings.jittered else "images"])
        encoder = self.aligned_encoder
        refined = self.refiner(T, disparities[0], seen, K, generator, encoder, weight, valid)
        with torch.autocast(T.device.type, enabled=False):
            depth = known_depth(1 / disparities[0].detach(), valid)
            difference = motion_difference(T, refined.T.detach(), depth).mean()
        loss = settings.consistency_weight * difference
        statistics = {"shortened": refined.shortened, "refused": refined.refused}
        levels = refined.after_levels if settings.detach_levels else refined.after_levels[-1:]
        return [_pair(T) for T in levels], Objective(
            loss, {"consistency": loss.detach()}, statistics
        )

    def _view_synthesis(
        self,
        batch: Batch,
        disparities: list[Tensor],
        poses: Poses,
        generator: torch.Generator | None,
        masks: list[Tensor] | None = None,
        step: int = 0,
    ) -> Objective:
        settings = self.recipe.objective.self_supervised
        if self.training and step < settings.rotation_first_steps:
            farthest = 1 / self.depth_net.max_depth  # as far as can be
            disparities = [torch.full_like(d, farthest) for d in disparities]
        elif not settings.train_depth or step < settings.pose_first_steps:
            disparities = [d.detach() for d in disparities]
        images, K, valid = batch["images"], batch["K"], batch.get("valid")
        return self.self_supervised(disparities, *poses, images, K, generator, masks, valid)

    def _motion_differences(self, batch: Batch, poses: tuple[Tensor, Tensor]) -> Tensor:
        T = torch.stack(poses, 1)
        with torch.autocast(T.device.type, enabled=False):
            return motion_difference(T, batch["T_neighbour_target"], true_depth(batch))

    def _motion(self, first: Tensor, second: Tensor) -> Tensor:
        axis_angle, translation = self.pose_net(self._laid_out(first), self._laid_out(second))
        return se3.from_axis_angle_translation(axis_angle.float(), translation.float())

    def _laid_out_all(self, images: Tensor) -> Tensor:
        """``(B, F, 3, H, W)``: the layout is of what the networks see, B * F images."""
        return self._laid_out(images.flatten(0, 1)).unflatten(0, images.shape[:2])

    def _laid_out(self, image: Tensor) -> Tensor:
        if not self.recipe.trainer.channels_last:
            return image.contiguous()
        return image.contiguous(memory_format=torch.channels_last)


def _named(objective: str, part: Objective) -> dict[str, Tensor]:
    """Terms and statistics under the name of their objective, for the logs."""
    figures = {**part.terms, **part.statistics}
    return {f"{objective}/{name}": value for name, value in figures.items()}


def _pair(T: Tensor) -> Poses:
    previous, following = T.unbind(1)
    return previous, following
