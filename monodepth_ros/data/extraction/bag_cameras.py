"""The cameras of a bag, each extracted into a folder of its own, with a progress bar."""

from __future__ import annotations

import re
from collections.abc import Iterable
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from monodepth_ros.data.bags.cameras import UnusableCamera
from monodepth_ros.data.bags.extraction import BagExtraction, ExtractedSequence
from monodepth_ros.data.bags.file import BagFile
from monodepth_ros.data.coverage import never_found
from monodepth_ros.data.extraction.record import own_folder
from monodepth_ros.data.extraction.request import ExtractionRequest
from monodepth_ros.errors import UserError
from monodepth_ros.heartbeat import Heartbeat
from monodepth_ros.progress import count_frames


@dataclass(frozen=True)
class CameraOutcome:
    """Of one camera of one bag."""

    bag: Path
    sequence: ExtractedSequence
    problems: list[str]

    @property
    def frames(self) -> int:
        """How many were taken, those found from before among them."""
        return self.sequence.frames

    def as_json(self) -> dict[str, object]:
        """For people's programs."""
        return {
            "bag": str(self.bag),
            "images": self.sequence.topic,
            "out": str(self.sequence.folder),
            **self.sequence.as_outcome(),
            "failure": self.sequence.failure,
            "problems": self.problems,
        }


def extract_cameras(
    bag: Path, out: Path, prefix: str, request: ExtractionRequest, console: Console
) -> list[CameraOutcome]:
    """Every camera that is asked for, each into a folder of its own: ``out/<prefix><topic>``.

    What is there already is kept, and another recording is left alone. Tells what came of each.
    UserError where a folder holds another extraction of this bag.
    """
    outcomes = []
    with BagFile(bag) as opened:
        with nullcontext() if console.quiet else Heartbeat(lambda: f"reading {bag}"):
            extraction = BagExtraction(opened, request)
        for topic in extraction.images:
            folder = own_folder(out / f"{prefix}{_file_name(topic)}", opened, topic)
            sequence = ExtractedSequence(topic, folder)
            total = len(extraction.times.recorded(topic))
            with count_frames(console, topic, total) as advance:
                try:
                    for done in extraction.extract(topic, folder):
                        sequence = done
                        advance()
                except UnusableCamera as error:  # the others may be good
                    sequence = ExtractedSequence(topic, folder, failure=str(error))
            outcomes.append(CameraOutcome(bag, sequence, list(dict.fromkeys(opened.problems))))
            if not sequence.failure:
                print_outcome(sequence, bag, console)
        for problem in dict.fromkeys(opened.problems):
            console.print(f"{bag.name}: {problem}")
    unusable = [outcome.sequence.failure for outcome in outcomes if outcome.sequence.failure]
    if outcomes and len(unusable) == len(outcomes):
        raise UserError("; ".join(unusable))
    for failure in unusable:
        console.print(failure)
    return outcomes


def failures(outcomes: Iterable[CameraOutcome], request: ExtractionRequest) -> list[str]:
    """A line for each thing that was asked for by name of one bag, and of which it has nothing."""
    found = list(outcomes)
    missing = never_found(c for outcome in found for c in outcome.sequence.coverage.values())
    named = [outcome for outcome in found if request.images and not outcome.frames]
    return [
        *(f"{outcome.sequence.topic}: no image could be taken" for outcome in named),
        *missing,
    ]


def print_outcome(sequence: ExtractedSequence, bag: Path, console: Console) -> None:
    """Say how many frames were written where, and what was left out."""
    told = f"{bag.name}: no image of {sequence.topic} can be used"
    if sequence.frames:
        told = f"{sequence.frames} frames of {sequence.topic} of {bag} in {sequence.folder}"
    console.print(told)
    for coverage in sequence.coverage.values():
        console.print(f"  {coverage}")
    for reason, count in sequence.left_out.items():
        console.print(f"  {count} left out: {reason}")


def _file_name(topic: str) -> str:
    """A topic's name as a part of a file's."""
    return re.sub(r"\W+", "_", topic.removesuffix("/compressed")).strip("_")
