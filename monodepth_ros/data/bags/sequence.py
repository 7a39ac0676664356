"""Bags as recordings: extracted once, into a cache, and opened from there."""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path

from monodepth_ros.atomic_file import atomic_path
from monodepth_ros.cache_directory import cache_directory, locked
from monodepth_ros.data.bags.extraction import BagExtraction
from monodepth_ros.data.bags.file import BagFile
from monodepth_ros.data.cameras.capture_settings import NOTHING_STATED, CaptureSettings
from monodepth_ros.data.extraction.record import origin_of
from monodepth_ros.data.extraction.request import ExtractionRequest
from monodepth_ros.data.layouts.sequence_folder import FolderSequence, read_outcome
from monodepth_ros.data.sequence import Sequence
from monodepth_ros.errors import UserError
from monodepth_ros.heartbeat import Heartbeat
from monodepth_ros.progress import plain_console

_CAMERAS = "cameras.json"


def open_bag(
    path: Path, capture: CaptureSettings = NOTHING_STATED, topic: str | None = None
) -> list[Sequence]:
    """The cameras of a bag, without truth: `monodepth extract` takes that from topics by name.

    ``topic`` is that of one camera's images; all cameras where it is None, of which those that
    cannot be used are told. Frames are written to the user's cache, as PNG so that nothing is
    lost, and found there the next time. A bag that has changed since is extracted anew. UserError
    as of `monodepth extract`.
    """
    request = ExtractionRequest(
        images=None if topic is None else (topic,),
        camera=capture.camera,
        field_of_view=capture.field_of_view,
        image_format="png",
    )
    with BagFile(path) as bag:
        origin = origin_of(bag, topic or "", request).model_dump_json()
        key = hashlib.sha256(origin.encode()).hexdigest()
        folder = cache_directory("bags") / f"{path.stem}_{key[:16]}"
        folder.mkdir(parents=True, exist_ok=True)
        with locked(folder / "lock"):  # another process may want the same bag
            if not _complete(folder):
                with Heartbeat(lambda: f"reading {path}"):
                    extraction = BagExtraction(bag, request)
                _extract_all(extraction, folder)
    sequences: list[Sequence] = []
    for number, name in enumerate(_cameras(folder)["topics"]):
        sequence = FolderSequence(folder / str(number))
        sequence.name = f"{path.stem}{name}"
        sequences.append(sequence)
        for reason, count in sequence.left_out.items():
            print(f"{path.name}: {name}: {count} left out: {reason}", file=sys.stderr)
        for problem in sequence.notes:
            print(f"{path.name}: {problem}", file=sys.stderr)
    unusable = _cameras(folder)["unusable"]
    for line in unusable:
        print(line, file=sys.stderr)
    sequences[0].notes = (*sequences[0].notes, *unusable)  # for records of what was left out
    return sequences


def _extract_all(extraction: BagExtraction, folder: Path) -> None:
    path = extraction.bag.path
    topics: list[str] = []
    unusable: list[str] = []
    for topic in extraction.images:
        out = folder / str(len(topics))
        print(f"{path.name}: extracting {topic} to {out}", file=sys.stderr)
        done = extraction.follow(topic, out, plain_console())
        if done.frames:
            topics.append(topic)
        else:
            why = f"{path}: no image of {topic} can be used: {dict(done.left_out)}"
            unusable.append(done.failure or why)
    if not topics:
        raise UserError("; ".join(unusable))
    with atomic_path(folder / _CAMERAS) as temporary:
        temporary.write_text(json.dumps({"topics": topics, "unusable": unusable}))


def _cameras(folder: Path) -> dict[str, list[str]]:
    """The topics that were extracted, into folders by their numbers, and why others were not."""
    file = folder / _CAMERAS
    found: dict[str, list[str]] = {"topics": [], "unusable": []}
    return {**found, **json.loads(file.read_text())} if file.is_file() else found


def _complete(folder: Path) -> bool:
    parts = range(len(_cameras(folder)["topics"]))
    return bool(parts) and all(read_outcome(folder / str(number)) for number in parts)
