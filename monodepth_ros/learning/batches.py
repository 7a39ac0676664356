"""From the folders that the user names to the batches of training and validation."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Collection, Iterable, Mapping, Sized
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, cast

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import ConcatDataset, DataLoader, Dataset, Subset, default_collate

from monodepth_ros.data.cameras.capture_settings import NOTHING_STATED, CaptureSettings
from monodepth_ros.data.open_sequence import open_sequence
from monodepth_ros.data.samples.triplets import CachedDataset, FrameDataset, TripletDataset
from monodepth_ros.data.sequence import Sequence, SlicedSequence
from monodepth_ros.errors import UserError
from monodepth_ros.learning.losses.depth_comparison import Rehearsal
from monodepth_ros.learning.losses.loss import Need
from monodepth_ros.learning.matched_triplets import MatchedTriplets
from monodepth_ros.learning.pseudo_depth import PseudoDepth
from monodepth_ros.learning.recipe.recipe import Recipe
from monodepth_ros.learning.step import other_sets
from monodepth_ros.learning.step_stream import MixedSampler, Plan, StepSampler

Sample = dict[str, Tensor]
# What losses may need of a recording: how it is called, and whether one has it.
RECORDED: dict[Need, tuple[str, Callable[[Sequence], bool]]] = {
    "depth": ("true depth", lambda sequence: sequence.has_depth),
    "poses": ("true poses", lambda sequence: sequence.has_pose),
    "masks": ("reflective masks", lambda sequence: sequence.has_masks),
    "stereo": ("second camera", lambda sequence: sequence.stereo is not None),
}


def open_sequences(
    data: Iterable[str | Path | Sequence], capture: CaptureSettings = NOTHING_STATED
) -> list[Sequence]:
    """All sequences at the given paths, and those that are open already.

    UserError for a path that holds none.
    """
    opened: list[Sequence] = []
    for item in data:
        opened += [item] if isinstance(item, Sequence) else open_sequence(item, capture=capture)
    return opened


def hold_back(
    sequences: list[Sequence], fraction: float, part: Literal["end", "middle"]
) -> tuple[list[Sequence], list[Sequence]]:
    """The sequences to train on, and the ``part`` of each that is held back, in one piece.

    Consecutive frames look alike, so frames held back at random would hide overfitting. Without
    its middle a sequence falls into two.
    """
    if fraction == 0.0:
        return sequences, []
    kept: list[Sequence] = []
    held: list[Sequence] = []
    for sequence in sequences:
        frames = len(sequence)
        count = max(3, round(fraction * frames))
        before = frames - count if part == "end" else (frames - count) // 2
        pieces = [slice(0, before), slice(before + count, None)]
        trained = [piece for piece in pieces if len(range(frames)[piece]) >= 3]
        if not trained:
            raise UserError(
                f"{sequence.name}: {frames} frames are too few to hold back"
                f" data.validation_fraction={fraction:g} of them; give --val folders instead"
            )
        kept += [SlicedSequence(sequence, piece) for piece in trained]
        held.append(SlicedSequence(sequence, slice(before, before + count)))
    return kept, held


def build_datasets(
    recipe: Recipe,
    data: Iterable[str | Path | Sequence],
    held_back: Iterable[str | Path],
    capture: CaptureSettings = NOTHING_STATED,
) -> tuple[CachedDataset, Dataset[Sample] | None]:
    """Training samples, and validation samples where frames are held back."""
    opened = open_sequences(data, capture)
    sequences, held = hold_back(
        opened, recipe.data.validation_fraction, recipe.data.validation_part
    )
    held = held + open_sequences(held_back, capture)
    # Beside a loss that learns from images alone, some of the sequences may lack what others need.
    images_alone = any(
        loss.teaches and loss.needs.isdisjoint({*RECORDED, "rehearsal"})
        for loss in recipe.active.values()
    )
    for loss in recipe.active.values():
        for need in sorted(loss.needs & RECORDED.keys()):
            _require(sequences, need, f"losses.{loss.name}", may_lack=images_alone)
    for need in sorted(recipe.poses_need & RECORDED.keys()):
        _require(sequences, need, "view_synthesis.poses", may_lack=True)
    training = _dataset(recipe, sequences, recipe.needs)
    if isinstance(training, MatchedTriplets):
        training.check()
    if not held:
        return training, None
    # What the losses need, where it is there, and true depth, which judges every model.
    offered = {need for need, (_, has) in RECORDED.items() if any(map(has, held))}
    validation = _dataset(
        recipe, held, recipe.needs - (RECORDED.keys() - offered) | offered & {"depth"}
    )
    return training, _evenly_spread(validation, recipe.evaluation.max_frames)


def build_replay(recipe: Recipe, paths: Iterable[str | Path]) -> CachedDataset:
    """Single frames with true depth of scenes that a model should not forget."""
    sequences = open_sequences(paths)
    _require(sequences, "depth", "--replay", may_lack=False)
    cache = Path(recipe.data.cache) if recipe.data.cache else None
    return FrameDataset(sequences, recipe.data.size, True, cache)


def build_mixed(recipe: Recipe) -> dict[str, CachedDataset]:
    """The samples of each mixed set, by its name."""
    found = {}
    for name, mixed in recipe.mix.items():
        sequences = open_sequences(mixed.data)
        for loss in mixed.active.values():
            for need in sorted(loss.needs & RECORDED.keys()):
                key = f"mix.{name}.losses.{loss.name}"
                _require(sequences, need, key, may_lack=False)
        found[name] = _dataset(recipe, sequences, mixed.needs)
    return found


class WithSets(ConcatDataset[Sample]):
    """Training samples, and behind them other sets, whose entries are called ``set/entry``."""

    def __init__(self, training: Dataset[Sample], sets: Mapping[str, Dataset[Sample]]) -> None:
        super().__init__([training, *sets.values()])
        self._names = list(sets)

    def __getitem__(self, index: int) -> Sample:
        """A sample of the set that the index says."""
        sample: Sample = super().__getitem__(index)
        number = bisect_right(self.cumulative_sizes, index)
        if number == 0:
            return sample
        return {f"{self._names[number - 1]}/{name}": value for name, value in sample.items()}


def _require(sequences: list[Sequence], need: Need, key: str, may_lack: bool) -> None:
    """UserError unless all sequences have what ``key`` needs, or with ``may_lack`` at least one."""
    called, has = RECORDED[need]
    known = [has(sequence) for sequence in sequences]
    if all(known) or (may_lack and any(known)):
        return
    raise UserError(
        f"{sequences[known.index(False)].name} has no {called}, which {key} needs: leave out the"
        " recording or what needs it"
    )


def _dataset(recipe: Recipe, sequences: list[Sequence], needs: Collection[Need]) -> CachedDataset:
    """Triplets, or single frames where nothing is learnt from their neighbours."""
    data = recipe.data
    cache = Path(data.cache) if data.cache else None
    depth, masks, stereo = (need in needs for need in ("depth", "masks", "stereo"))
    pseudo = None
    if "pseudo_depth" in needs:
        assert recipe.networks.teacher is not None
        pseudo = PseudoDepth(Path(recipe.networks.teacher), data.size, cache).of
    if not {"neighbours", "matches"} & set(needs):
        return FrameDataset(sequences, data.size, depth, cache, masks, stereo, pseudo_depth=pseudo)
    options: dict[str, Any] = {
        "stride": data.stride,
        "depth": depth,
        "cache": cache,
        "min_motion": data.min_motion,
        "motion": data.motion,
        "max_stride": data.max_stride,
        "motions": "poses" in needs,
        "masks": masks,
        "stereo": stereo,
        "pseudo_depth": pseudo,
    }
    if "matches" in needs:
        return MatchedTriplets(recipe.matches.points, sequences, data.size, **options)
    return TripletDataset(sequences, data.size, **options)


def collate(samples: list[Sample]) -> Sample:
    """A batch; samples of a recording without truth get NaN where others of the batch have it."""
    triplets = [sample for sample in samples if "images" in sample]
    if any("depth" in sample for sample in triplets):
        for sample in triplets:
            unknown = torch.full((1, *sample["images"].shape[-2:]), torch.nan)
            sample.setdefault("depth", unknown)
    batch: Sample = default_collate(triplets)
    sets: dict[str, list[Sample]] = {}
    for sample in samples:
        for name in other_sets(sample):
            sets.setdefault(name, []).append(sample)
    for others in sets.values():
        batch |= default_collate(others)
    return batch


def _evenly_spread(dataset: Dataset[Sample], count: int | None) -> Dataset[Sample]:
    total = len(cast(Sized, dataset))
    if count is None or count >= total:
        return dataset
    return Subset(dataset, np.linspace(0, total - 1, count).round().astype(int).tolist())


def training_loader(
    recipe: Recipe,
    plan: Plan,
    training: Dataset[Sample],
    sets: Mapping[str, Dataset[Sample]] = MappingProxyType({}),
    start: int = 0,
    rank: int = 0,
    world: int = 1,
    pin_memory: bool = False,
) -> DataLoader[Sample]:
    """The batches of one process of ``world`` from step ``start`` on, ``sets`` beside each."""
    sampler = StepSampler(plan, recipe.trainer.seed, rank, world, start)
    if not sets:
        return _loader(recipe, training, pin_memory, batch_sampler=sampler)
    lengths = [len(cast(Sized, dataset)) for dataset in sets.values()]
    counts = [_drawn(recipe, name) for name in sets]
    mixed = MixedSampler(sampler, len(cast(Sized, training)), lengths, counts)
    return _loader(recipe, WithSets(training, sets), pin_memory, batch_sampler=mixed)


def _drawn(recipe: Recipe, name: str) -> int:
    """Samples of a set in a batch on each device: of known frames as their loss says."""
    rehearsal = recipe.losses.get(name)
    return rehearsal.batch_size if isinstance(rehearsal, Rehearsal) else recipe.share_of_batch


def validation_loader(
    recipe: Recipe,
    validation: Dataset[Sample],
    rank: int = 0,
    world: int = 1,
    pin_memory: bool = False,
) -> DataLoader[Sample]:
    """Every held-back frame once, in order; of ``world`` processes each loads its share."""
    share = Subset(validation, range(rank, len(cast(Sized, validation)), world))
    return _loader(recipe, share, pin_memory, batch_size=recipe.trainer.batch_size)


def _loader(
    recipe: Recipe, dataset: Dataset[Sample], pin_memory: bool, **batching: Any
) -> DataLoader[Sample]:
    workers = recipe.data.workers
    return DataLoader(
        dataset,
        num_workers=workers,
        persistent_workers=workers > 0,
        collate_fn=collate,
        pin_memory=pin_memory,
        **batching,
    )
