"""The cameras of a bag, each extracted into a folder of its own, with a progress bar."""

from __future__ import annotations

import re
from contextlib import nullcontext
from pathlib import Path

from rich.console import Console

from monodepth_ros.data.bags.extraction import BagExtraction
from monodepth_ros.data.bags.file import BagFile
from monodepth_ros.data.coverage import never_found
from monodepth_ros.data.extraction.extracted_sequence import ExtractedSequence
from monodepth_ros.data.extraction.record import own_folder
from monodepth_ros.data.extraction.request import ExtractionRequest
from monodepth_ros.errors import UserError
from monodepth_ros.heartbeat import Heartbeat


def extract_cameras(
    bag: Path, out: Path, prefix: str, request: ExtractionRequest, console: Console
) -> list[ExtractedSequence]:
    """Every camera that is asked for, each into a folder of its own: ``out/<prefix><topic>``.

    What is there already is kept, and another recording is left alone. Tells what came of each.
    UserError where a folder holds another extraction of this bag.
    """
    outcomes = []
    with BagFile(bag) as opened:
        with nullcontext() if console.quiet else Heartbeat(lambda: f"reading {bag}"):
            extraction = BagExtraction(opened, request)
        for topic in extraction.images:
            name = re.sub(r"\W+", "_", topic.removesuffix("/compressed")).strip("_")
            folder = own_folder(out / f"{prefix}{name}", opened, topic)
            done = extraction.follow(topic, folder, console)
            done.problems = list(dict.fromkeys(opened.problems))
            outcomes.append(done)
            if not done.failure:
                done.print_to(console)
        for problem in dict.fromkeys(opened.problems):
            console.print(f"{bag.name}: {problem}")
    unusable = [done.failure for done in outcomes if done.failure]
    if outcomes and len(unusable) == len(outcomes):
        raise UserError("; ".join(unusable))
    for failure in unusable:
        console.print(failure)
    return outcomes


def failures(outcomes: list[ExtractedSequence], request: ExtractionRequest) -> list[str]:
    """A line for each thing that was asked for by name of one bag, and of which it has nothing."""
    missing = never_found(c for done in outcomes for c in done.coverage.values())
    named = [done.topic for done in outcomes if request.images and not done.frames]
    return [*(f"{topic}: no image could be taken" for topic in named), *missing]
