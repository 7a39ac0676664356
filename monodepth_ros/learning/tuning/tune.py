"""Tuning a model on new video, from recordings to a verdict; repeated, it goes on where it was."""

from __future__ import annotations

import fcntl
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from monodepth_ros.atomic_file import atomic_path
from monodepth_ros.data.cameras.capture_settings import NOTHING_STATED, CaptureSettings
from monodepth_ros.errors import UserError
from monodepth_ros.heartbeat import Heartbeat
from monodepth_ros.learning.batches import build_datasets, build_replay
from monodepth_ros.learning.export import export_run
from monodepth_ros.learning.recipe.recipe import Recipe
from monodepth_ros.learning.run.record import first_session
from monodepth_ros.learning.run.train import train
from monodepth_ros.learning.tuning.comparison import Verdict, judge, model_figures
from monodepth_ros.zoo.card import CARD_FILE, load_card
from monodepth_ros.zoo.weights import load_weights

VERDICT = "verdict.json"
_HELD_BACK = {"validation_fraction": 0.15, "validation_part": "middle"}  # unless the recipe says


@dataclass(frozen=True)
class Tuning:
    """One tuning: what learns from what, and when the result counts as better.

    ``replay`` and ``known`` hold frames with true depth of scenes that should not be forgotten: to
    learn from, and to check with. ``base`` is the model whose error on the latter counts.
    ``unusable`` says, for the verdict, which bags and cameras of the recordings could not be used.
    """

    model: Path
    base: Path
    recipe: Recipe
    recordings: Sequence[str | Path]
    replay: Sequence[str | Path] = ()
    known: Sequence[str | Path] = ()
    min_gain: float = 0.01
    max_forgetting: float = 0.1
    keep: float = 0.25  # share of the former weights that is mixed in
    licence: str = "unspecified"
    capture: CaptureSettings = NOTHING_STATED
    unusable: Sequence[str] = ()

    def run(self, folder: Path) -> dict[str, Any]:
        """Train, export and judge in ``folder``; the content of its verdict.json.

        Every part that is complete is kept, so a tuning that was killed goes on from its last
        checkpoint. UserError for wrong data; TrainingStopped and TrainingDiverged as of `train`.
        """
        train(self.recipe, self.recordings, folder / "run", (), True, self.replay, self.capture)
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
            figures = self._compare(candidate).as_dict()
        learnt_from = first_session(folder / "run")["data"]
        verdict = {
            "model": str(candidate),
            **figures,
            "calibration": load_card(candidate).provenance.calibration,
            "doubtful_cameras": learnt_from.get("doubtful_cameras", []),
            "left_out": learnt_from.get("left_out", {}),
            "unusable": list(self.unusable),
        }
        with atomic_path(folder / VERDICT) as temporary:
            temporary.write_text(json.dumps(verdict, indent=1) + "\n")
        return verdict

    def _compare(self, candidate: Path) -> Verdict:
        _, held_back = build_datasets(self.recipe, self.recordings, (), self.capture)
        assert held_back is not None
        known = build_replay(self.recipe, self.known) if self.known else None
        former = model_figures(self.model, self.recipe, held_back, known)
        if known is not None and self.base != self.model:
            base = model_figures(self.base, self.recipe, held_back, known)
            former = former.with_known_of(base)
        after = model_figures(candidate, self.recipe, held_back, known)
        return judge(former, after, self.min_gain, self.max_forgetting)


def settings_of_model(model: Path, recipe: Recipe) -> list[str]:
    """What ``recipe`` must say to start from a model, as overrides: its networks and its images.

    A teacher, where the recipe has one, is the model as it was.
    """
    card = load_card(model)
    height, width = card.size
    pose = [f"networks.init.pose={model}"] if "pose" in load_weights(model, card) else []
    return [
        f"networks.architecture={card.architecture}",
        f"networks.min_depth={card.min_depth}",
        f"networks.max_depth={card.max_depth}",
        f"networks.init.depth={model}",
        *([f"objective.teacher.model={model}"] if recipe.objective.has_teacher else []),
        *(pose or ["networks.init.pose=null"]),
        f"data.size={width}x{height}",
    ]


def holding_back(recipe: Recipe) -> Recipe:
    """The recipe with frames to judge by, whatever it says of validation."""
    if recipe.data.validation_fraction > 0:
        return recipe
    data = recipe.data.model_copy(update=_HELD_BACK)
    return recipe.model_copy(update={"data": data})


def read_verdict(folder: Path) -> dict[str, Any]:
    """What a finished tuning in ``folder`` came to."""
    content: dict[str, Any] = json.loads((folder / VERDICT).read_text())
    return content


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
