"""Tuning a model on new video, from recordings to a verdict; repeated, it goes on where it was."""

from __future__ import annotations

import fcntl
import json
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from rich.console import Console

from monodepth_ros.atomic_file import atomic_path
from monodepth_ros.data.cameras.capture_settings import NOTHING_STATED, CaptureSettings
from monodepth_ros.data.extraction.record import by_option, request_values
from monodepth_ros.data.extraction.request import ExtractionRequest
from monodepth_ros.errors import Failure, UserError
from monodepth_ros.heartbeat import Heartbeat
from monodepth_ros.learning.batches import build_datasets, build_replay
from monodepth_ros.learning.export import export_run
from monodepth_ros.learning.recipe.file import load_recipe
from monodepth_ros.learning.recipe.recipe import Recipe
from monodepth_ros.learning.run.record import first_session
from monodepth_ros.learning.run.stopping import TrainingStopped
from monodepth_ros.learning.run.train import train
from monodepth_ros.learning.tuning.comparison import Verdict, judge, model_figures
from monodepth_ros.learning.tuning.recordings import learnable_recordings, named_bags
from monodepth_ros.learning.tuning.request import (
    claim,
    model_request,
    recipe_request,
    recordings_request,
)
from monodepth_ros.networks.registry import find_architecture
from monodepth_ros.zoo.card import CARD_FILE, load_card
from monodepth_ros.zoo.catalogue import resolve
from monodepth_ros.zoo.weights import load_weights

VERDICT = "verdict.json"


@dataclass(frozen=True)
class Tuning:
    """One tuning: what learns from what, and when the result counts as better.

    ``recordings`` are paths; of bags among them ``request`` says what to take. ``replay`` and
    ``known`` hold frames with true depth of scenes that should not be forgotten: to
    learn from, and to check with. ``base`` is the model whose error on the latter counts.
    """

    model: Path
    base: Path
    recipe: Recipe
    recordings: Sequence[str]
    request: ExtractionRequest = ExtractionRequest()
    replay: Sequence[str] = ()
    known: Sequence[str] = ()
    min_gain: float = 0.01
    max_forgetting: float = 0.1
    keep: float = 0.25  # share of the former weights that is mixed in
    licence: str = "unspecified"
    capture: CaptureSettings = NOTHING_STATED

    def verdict(self, folder: Path, console: Console) -> dict[str, Any]:
        """Extract, train, export and judge in ``folder``; the content of its verdict.json.

        Every part that is complete is kept, so a tuning that was killed goes on from its last
        checkpoint, and one that is finished only tells. UserError for wrong data and for a folder
        of another tuning; Failure where training diverges, is stopped, or has nothing to judge by.
        """
        with only_one(folder):
            claim(folder, self._as_request())
            if not (folder / VERDICT).is_file():
                unusable: list[str] = []
                sources = learnable_recordings(
                    self.recordings, folder / "sequences", self.request, unusable, console
                )
                self._run(folder, sources, unusable)
            for copies in (folder / "sequences", folder / "cache"):  # of what the recordings hold
                shutil.rmtree(copies, ignore_errors=True)
        content: dict[str, Any] = json.loads((folder / VERDICT).read_text())
        return content

    def _as_request(self) -> dict[str, Any]:
        """What it is of, by the options of the command."""
        named = [(text, named_bags(text)[0]) for text in self.recordings]
        known_scenes = [(scenes, ()) for scenes in (*self.replay, *self.known)]
        return {
            **recordings_request("RECORDINGS", named, self.capture),
            **model_request("--model", self.model),
            **model_request("--base", self.base),
            **self._teacher_request(),
            **recordings_request("--known", known_scenes),
            **by_option(request_values(self.request)),
            **recipe_request(self.recipe),
            "--min-gain": self.min_gain,
            "--max-forgetting": self.max_forgetting,
            "--keep": self.keep,
            "--licence": self.licence,
            "--fps": self.capture.fps,
        }

    def _teacher_request(self) -> dict[str, Any]:
        teacher = self.recipe.networks.teacher
        if teacher is None or "pseudo_depth" not in self.recipe.needs:
            return {}
        return model_request("--teacher", Path(teacher))

    def _run(self, folder: Path, sources: Sequence[str], unusable: Sequence[str]) -> None:
        """Learn from ``sources``; ``unusable`` says, for the verdict, what else there was."""
        try:
            train(self.recipe, sources, folder / "run", (), True, self.replay, self.capture)
        except TrainingStopped:
            raise Failure("stopped by a signal; the same command goes on") from None
        candidate = folder / folder.name
        if not (candidate / CARD_FILE).is_file():
            export_run(
                folder / "run",
                candidate,
                self.licence,
                checkpoint="last",
                scale=load_card(self.model).scale,
                kept=(self.model, self.keep),
            )
        with Heartbeat(lambda: f"judging {folder.name} on the frames held back"):
            figures = asdict(self._compare(candidate, sources))
        learnt_from = first_session(folder / "run")["data"]
        verdict = {
            "model": str(candidate),
            **figures,
            "calibration": load_card(candidate).provenance.calibration,
            "doubtful_cameras": learnt_from.get("doubtful_cameras", []),
            "left_out": learnt_from.get("left_out", {}),
            "unusable": list(unusable),
        }
        with atomic_path(folder / VERDICT) as temporary:
            temporary.write_text(json.dumps(verdict, indent=1) + "\n")

    def _compare(self, candidate: Path, sources: Sequence[str]) -> Verdict:
        _, held_back = build_datasets(self.recipe, sources, (), self.capture)
        assert held_back is not None
        known = build_replay(self.recipe, self.known) if self.known else None
        former = model_figures(self.model, self.recipe, held_back, known)
        if known is not None and self.base != self.model:
            base = model_figures(self.base, self.recipe, held_back, known)
            former = replace(former, known_abs_rel=base.known_abs_rel)
        after = model_figures(candidate, self.recipe, held_back, known)
        return judge(former, after, self.min_gain, self.max_forgetting)


def plan_of(
    recipe: str, model: Path, limits: Sequence[str], changes: Sequence[str], cache: Path
) -> tuple[Recipe, str]:
    """The recipe that tunes a model, overridden by ``changes``; a note where its size is another.

    Images are as large as the model's, whatever the recipe asks for.
    """
    asked = load_recipe(recipe, changes)
    settings = [*settings_of_model(model, asked), f"data.cache={cache}", *limits]
    plan = holding_back(load_recipe(recipe, [*settings, *changes]))
    plan = plan.with_models_found(lambda name: str(resolve(name)))
    if "size" not in asked.data.model_fields_set or asked.data.size == plan.data.size:
        return plan, ""
    (height, width), (rows, columns) = plan.data.size, asked.data.size
    return plan, (
        f"learning at the model's image size {width}x{height}, not at the recipe's data.size"
        f" {columns}x{rows}: --set data.size={columns}x{rows} asks for that"
    )


def settings_of_model(model: Path, recipe: Recipe) -> list[str]:
    """What ``recipe`` must say to start from a model, as overrides: its networks and its images.

    A teacher that is asked at every step, where the recipe has one, is the model as it was.
    """
    card = load_card(model)
    height, width = card.usual_size
    pose = model if "pose" in load_weights(model, card) else "null"
    settings = [
        f"networks.architecture={card.architecture}",
        f"networks.init.depth={model}",
        f"networks.init.pose={pose}",
        f"data.size={width}x{height}",
    ]
    if card.output == "disparity":
        settings.append(f"networks.min_depth={card.min_depth}")
        settings.append(f"networks.max_depth={card.max_depth}")
    if card.uncertainty:
        settings.append(f"networks.uncertainty={card.uncertainty.members}")
    if "teacher" in recipe.needs:
        settings.append(f"networks.teacher={model}")
    if find_architecture(card.architecture).pose is None:
        if recipe.view_synthesis.poses == "network":
            # One that learns beside depth, and is of no further use.
            settings.append("networks.pose=posecnn")
        else:
            settings += ["networks.pose=none", "losses.consistency=null"]
    return settings


def holding_back(recipe: Recipe) -> Recipe:
    """The recipe with frames to judge by, whatever it says of validation."""
    if recipe.data.validation_fraction > 0:
        return recipe
    held_back = {"validation_fraction": 0.15, "validation_part": "middle"}
    data = recipe.data.model_copy(update=held_back)
    return recipe.model_copy(update={"data": data})


@contextmanager
def only_one(folder: Path) -> Iterator[None]:
    """Let one process work in a folder; UserError in a second one. Ends with the process."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise UserError(f"{folder}: another tuning is at work there") from None
        yield
