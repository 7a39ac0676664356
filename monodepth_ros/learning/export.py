"""From a run folder to a model folder that nodes and commands load."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any, Literal

import torch

from monodepth_ros.errors import UserError
from monodepth_ros.learning.losses.depth_comparison import Supervised, TeacherDepth
from monodepth_ros.learning.losses.relative_depth import RelativeDepth
from monodepth_ros.learning.recipe.file import load_recipe
from monodepth_ros.learning.recipe.recipe import Recipe
from monodepth_ros.learning.run.checkpoints import BEST, LAST, read_checkpoint
from monodepth_ros.learning.run.record import RECIPE, first_session
from monodepth_ros.networks.registry import find_architecture
from monodepth_ros.zoo.card import ModelCard, Provenance, Uncertainty, load_card
from monodepth_ros.zoo.weights import add_head, load_weights, save_model, split_off_head

Weights = dict[str, torch.Tensor]
NETWORKS = {"depth": "depth_net.", "pose": "pose_net."}


def export_run(
    run: Path,
    model: Path,
    licence: str,
    half: bool = True,
    checkpoint: str = "best",
    scale: Literal["metric", "relative"] | None = None,
    kept: tuple[Path, float] | None = None,
) -> Path:
    """Write the networks of a run as a model folder and return it.

    A run that taught the head for uncertainty alone adds it to the model that it started from,
    which else stays as it is: ``licence``, ``half``, ``scale`` and ``kept`` are that model's.

    Args:
        run: run folder.
        model: folder to write; its name becomes the model's.
        licence: licence of the weights, which the training data decides.
        half: store convolutions as fp16, half the size.
        checkpoint: ``best`` (``last`` where nothing was validated) or ``last``.
        scale: what the card calls the depth; by default metric where true depth taught it. Say
            relative when metres of the training scenes mean little elsewhere.
        kept: the model that the run started from, and the share of its weights that is mixed in:
            between the two a network forgets less than it loses of what it has learnt (Wortsman et
            al., "Robust fine-tuning of zero-shot models", 2022).
    """
    recipe = load_recipe(run / RECIPE)
    path = run / (BEST if checkpoint == "best" and (run / BEST).is_file() else LAST)
    if not path.is_file():
        raise UserError(f"{run}: no checkpoint to export; is it a run folder of monodepth train?")
    content = read_checkpoint(path)
    states = {
        name: {
            key.removeprefix(prefix): value
            for key, value in content["weights"].items()
            if key.startswith(prefix)
        }
        for name, prefix in NETWORKS.items()
        if name == "depth" or _has_pose(recipe)
    }
    validation = content["state"]["validation"]
    uncertainty = _uncertainty(run, recipe, validation)
    if uncertainty is not None and recipe.trains_head_alone and recipe.networks.init.depth:
        head, _ = split_off_head(states["depth"])
        add_head(Path(recipe.networks.init.depth), model, head, uncertainty)
        return model
    if kept is not None:
        states = _mixed(states, *kept)
    if scale is None:
        # True depth teaches metres; view synthesis alone leaves the scale open.
        taught = "supervised" in recipe.active
        ambiguity = find_architecture(recipe.networks.architecture).ambiguity
        metric = taught and ambiguity != "scale_and_shift"
        scale = "metric" if metric else "relative"
    card = _card(run, model.name, recipe, licence, scale, validation)
    card = card.model_copy(update={"uncertainty": uncertainty})
    save_model(model, card, states, torch.float16 if half else torch.float32)
    return model


def _mixed(states: dict[str, Weights], former: Path, share: float) -> dict[str, Weights]:
    """``share`` of the former weights and the rest of these; what the former lacks stays."""
    parts = load_weights(former, load_card(former))
    return {
        part: {
            key: torch.lerp(value, parts[part][key].to(value), share)
            if part in parts and value.is_floating_point()
            else value
            for key, value in state.items()
        }
        for part, state in states.items()
    }


def _has_pose(recipe: Recipe) -> bool:
    """Whether the run trained a pose network that models have, or started from one and kept it."""
    if recipe.networks.pose != "separate":
        return False
    return recipe.teaches_pose or recipe.networks.init.pose is not None


def _began_with_a_guess(recipe: Recipe) -> bool:
    """Whether a model that the run started from was learnt with guessed intrinsics."""
    models = {
        Path(model) for model in (recipe.networks.init.depth, recipe.networks.init.pose) if model
    }
    # A model that is gone by now cannot be asked.
    cards = [load_card(model) for model in models if model.is_dir()]
    return any(card.provenance.calibration == "guessed" for card in cards)


def _uncertainty(run: Path, recipe: Recipe, results: dict[str, float]) -> Uncertainty | None:
    """What the card says of the head; where nothing taught it, it is that of the first model."""
    networks = recipe.networks
    if not networks.uncertainty:
        return None
    if not recipe.teaches_uncertainty:
        former = networks.init.depth
        known = load_card(Path(former)).uncertainty if former and Path(former).is_dir() else None
        return known or Uncertainty(members=networks.uncertainty)
    return Uncertainty(
        members=networks.uncertainty,
        temperature=round(results.get("val/temperature", 1.0), 4),
        provenance=_provenance(first_session(run), recipe, results, None),
    )


def _provenance(
    session: dict[str, Any],
    recipe: Recipe,
    results: dict[str, float],
    calibration: Literal["measured", "guessed"] | None,
) -> Provenance:
    sources = [Path(source.split("@")[0]).name for source in session["data"]["training"]]
    return Provenance(
        data=", ".join(sources),
        recipe=json.dumps(recipe.model_dump(mode="json", exclude_defaults=True)),
        command=shlex.join(["monodepth", *session["command"][1:]]),
        results={key: round(value, 5) for key, value in results.items()},
        calibration=calibration,
    )


def _shift_is_open(recipe: Recipe) -> bool:
    """Whether losses that do not mind a shift of inverse depth taught it.

    Only depth itself on the same frames holds the shift. View synthesis does not, and true depth of
    other places does in part: measured by benchmark/distillation.py.
    """
    if recipe.networks.freeze_depth:
        return False
    if any(isinstance(loss, (Supervised, TeacherDepth)) for loss in recipe.active.values()):
        return False
    teacher = recipe.networks.teacher
    known = load_card(Path(teacher)).ambiguity if teacher and Path(teacher).is_dir() else None
    relative = [loss for loss in recipe.depth_teachers if isinstance(loss, RelativeDepth)]
    return any(loss.leaves_shift_open(known) for loss in relative)


def _card(
    run: Path,
    name: str,
    recipe: Recipe,
    licence: str,
    scale: Literal["metric", "relative"],
    results: dict[str, float],
) -> ModelCard:
    session = first_session(run)
    guessed = session["data"].get("guessed_cameras") or _began_with_a_guess(recipe)
    networks, stated = recipe.networks, dict[str, Any]()
    if _shift_is_open(recipe):
        stated["ambiguity"] = "scale_and_shift"
    if find_architecture(networks.architecture).output == "disparity":
        stated |= {"min_depth": networks.min_depth, "max_depth": networks.max_depth}
    return ModelCard(
        name=name,
        licence=licence,
        provenance=_provenance(session, recipe, results, "guessed" if guessed else "measured"),
        architecture=networks.architecture,
        size=recipe.data.size,
        **stated,
        scale=scale,
        focal_length=session["data"]["focal_length"] if scale == "metric" else None,
    )
