"""Whether weights learnt on new video are better than those that they came from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from monodepth_ros.learning.batches import Sample, validation_loader
from monodepth_ros.learning.initial_weights import load_initial_weights
from monodepth_ros.learning.learner import Learner
from monodepth_ros.learning.recipe.recipe import Recipe
from monodepth_ros.learning.step import Step
from monodepth_ros.zoo.card import load_card
from monodepth_ros.zoo.weights import load_weights


@dataclass(frozen=True)
class ModelFigures:
    """What a model does on held-back frames; None where nothing can tell.

    ``photometric``: mean error of the views that its depth synthesises, by poses aligned to that
    depth, so that the pose network has no part in it. ``abs_rel`` and ``known_abs_rel``:
    median-scaled, where the new frames hold truth, and on frames of known scenes.
    """

    photometric: float
    abs_rel: float | None
    known_abs_rel: float | None


@dataclass(frozen=True)
class Verdict:
    """Whether a candidate should replace the model it came from, why, and both their figures."""

    better: bool
    reason: str
    former: ModelFigures
    candidate: ModelFigures


def judge(
    former: ModelFigures, candidate: ModelFigures, min_gain: float, max_forgetting: float
) -> Verdict:
    """Better is: less error on the new frames, by true depth where there is any, else photometric.

    Args:
        former: figures of the model in use.
        candidate: of the one that has learnt.
        min_gain: by which share its error must be lower at least.
        max_forgetting: by which share its error on known scenes may be higher at most.
    """
    found = {k: v for k, v in asdict(candidate).items() if v is not None}
    broken = [name for name, value in found.items() if not np.isfinite(value)]
    if broken:
        return Verdict(False, f"{broken[0]} is not finite", former, candidate)
    criterion = "photometric" if candidate.abs_rel is None else "abs_rel"
    before, after = (getattr(figures, criterion) for figures in (former, candidate))
    told = f"{criterion} on held-back frames {before:.4f} -> {after:.4f}"
    if after > (1.0 - min_gain) * before:
        reason = f"{told}: not lower by {min_gain:.0%}"
        return Verdict(False, reason, former, candidate)
    known = former.known_abs_rel, candidate.known_abs_rel
    if known[0] is not None and known[1] is not None:
        told += f", abs_rel on known scenes {known[0]:.4f} -> {known[1]:.4f}"
        if known[1] > (1.0 + max_forgetting) * known[0]:
            reason = f"{told}: higher by more than {max_forgetting:.0%}"
            return Verdict(False, reason, former, candidate)
    return Verdict(True, told, former, candidate)


@torch.no_grad()
def model_figures(
    model: Path, recipe: Recipe, held_back: Dataset[Sample], known: Dataset[Sample] | None
) -> ModelFigures:
    """The figures of a model of the recipe's architecture, with a pose network or without.

    Args:
        model: its folder.
        recipe: says how views are synthesised and poses are aligned to depth.
        held_back: triplets, with or without true depth.
        known: single frames with true depth of scenes that it should not forget.
    """
    pose = str(model) if "pose" in load_weights(model, load_card(model)) else None
    start = recipe.networks.init.model_copy(update={"depth": str(model), "pose": pose})
    networks = recipe.networks.model_copy(update={"init": start})
    recipe = recipe.model_copy(update={"networks": networks})
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.trainer.seed)  # of a pose network that the model lacks
        learner = Learner(recipe).eval()
    load_initial_weights(learner, recipe.networks)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    learner.to(device)
    points = torch.Generator(device).manual_seed(0)  # the same for both models
    errors: dict[str, list[Tensor]] = {"photometric": [], "abs_rel": [], "known": []}
    for batch in _batches(learner, held_back, device):
        step = Step(learner, batch, generator=points)
        T = step.refine().T if recipe.refinement.enabled else step.unrefined
        errors["photometric"].append(learner.photometric.error_maps(step, T).means())
        if "depth" in batch:
            errors["abs_rel"].append(step.depth_metrics()["abs_rel"])
    for batch in _batches(learner, known, device) if known is not None else ():
        errors["known"].append(Step(learner, batch).depth_metrics()["abs_rel"])
    photometric = torch.cat(errors["photometric"]).nanmean()
    return ModelFigures(float(photometric), _mean(errors["abs_rel"]), _mean(errors["known"]))


def _batches(
    learner: Learner, dataset: Dataset[Sample], device: torch.device
) -> Iterator[dict[str, Tensor]]:
    for batch in validation_loader(learner.recipe, dataset):
        yield learner.prepare({name: value.to(device) for name, value in batch.items()})


def _mean(parts: list[Tensor]) -> float | None:
    """Of all images that have truth; None where none has."""
    values = torch.cat(parts) if parts else torch.empty(0)
    values = values[~values.isnan()]
    return float(values.mean()) if len(values) else None
