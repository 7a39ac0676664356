"""What a run learns from and validates on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
from torch.utils.data import Dataset, Subset

from monodepth_ros.data.cameras.capture_settings import CaptureSettings
from monodepth_ros.data.samples.triplets import CachedDataset
from monodepth_ros.data.sequence import Sequence as Recording
from monodepth_ros.errors import UserError
from monodepth_ros.learning.batches import (
    Sample,
    build_datasets,
    build_mixed,
    build_replay,
    open_sequences,
)
from monodepth_ros.learning.recipe.recipe import Recipe
from monodepth_ros.learning.run.record import Recordings
from monodepth_ros.learning.step import REHEARSED

Paths = Sequence[str | Path]


@dataclass(frozen=True)
class RunData:
    """The samples of a run, and where they come from: paths by option, and open recordings."""

    paths: dict[str, Paths]
    opened: list[Recording]
    training: CachedDataset
    validation: Dataset[Sample] | None
    sets: dict[str, CachedDataset]  # beside those of training: known frames, and mixed sets

    @property
    def recordings(self) -> Recordings:
        """What tells whether a resumed run goes on with the same."""
        datasets = {"--data": self.training, "--val": self.validation, "--replay": None}
        for name, dataset in self.sets.items():
            datasets["--replay" if name == REHEARSED else f"mix.{name}.data"] = dataset
        return {option: _fingerprints(dataset) for option, dataset in datasets.items()}

    @property
    def validates_on_truth(self) -> bool:
        """Whether held-back frames have true depth."""
        return self.validation is not None and "depth" in self.validation[0]

    def account(self, doubts: list[str]) -> dict[str, Any]:
        """For the record of a session; ``doubts`` name cameras that do not fit their images."""
        return {
            **{name: [str(path) for path in paths] for name, paths in self.paths.items()},
            "recordings": self.recordings,
            "training_samples": len(self.training),
            "focal_length": _focal_length(self.training),
            "guessed_cameras": self.training.guessed_cameras,
            "doubtful_cameras": doubts,
            "left_out": account_of(self.opened),
            "pairs_left_out": self.training.pairs_left_out,
        }


def open_run_data(
    recipe: Recipe, data: Paths, held_back: Paths, replay: Paths, capture: CaptureSettings
) -> RunData:
    """Open what the options name; UserError where it does not fit the recipe."""
    opened = open_sequences(data, capture)
    training, validation = build_datasets(recipe, opened, held_back, capture)
    if replay and recipe.networks.freeze_depth:
        raise UserError(
            "--replay keeps depth from being forgotten, but networks.freeze_depth is on"
        )
    sets = build_mixed(recipe)
    if replay and "rehearsal" in recipe.needs:
        sets = {REHEARSED: build_replay(recipe, replay), **sets}
    paths = {"training": data, "validation": held_back, "replay": replay}
    paths |= {f"mix.{name}": mixed.data for name, mixed in recipe.mix.items()}
    return RunData(paths, opened, training, validation, sets)


def account_of(sequences: Iterable[Recording]) -> dict[str, list[str]]:
    """What was left out of each recording when it was extracted, in lines; none without any.

    Bags of one camera make recordings of one name: the second is ``name (2)``.
    """
    account: dict[str, list[str]] = {}
    seen: Counter[str] = Counter()
    for sequence in sequences:
        seen[sequence.name] += 1
        number = seen[sequence.name]
        if sequence.account:
            key = sequence.name if number == 1 else f"{sequence.name} ({number})"
            account[key] = sequence.account
    return account


def _fingerprints(dataset: Dataset[Sample] | None) -> list[list[str]]:
    """Name and fingerprint of each sequence that a dataset is made of."""
    whole = dataset.dataset if isinstance(dataset, Subset) else dataset
    if whole is None:
        return []
    return [[s.name, s.fingerprint] for s in cast(CachedDataset, whole).sequences]


def _focal_length(dataset: CachedDataset) -> float | None:
    """sqrt(fx fy) in pixels at the network's size, where all cameras agree within 1 %."""
    focal = np.sqrt([sequence.K[0, 0] * sequence.K[1, 1] for sequence in dataset.sequences])
    return float(np.median(focal)) if np.ptp(focal) <= 0.01 * focal.min() else None
