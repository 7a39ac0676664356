"""Bags as recordings: extracted once, into a cache, and opened from there."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from monodepth_ros.atomic_file import atomic_path
from monodepth_ros.data.bag_extraction import BagExtraction, ExtractedSequence, ExtractionRequest
from monodepth_ros.data.bag_file import BagFile
from monodepth_ros.data.capture_settings import NOTHING_STATED, CaptureSettings
from monodepth_ros.data.extraction_record import origin_of, read_outcome
from monodepth_ros.data.frame_cache import default_cache, locked
from monodepth_ros.data.sequence import Sequence
from monodepth_ros.data.sequence_folder import FolderSequence
from monodepth_ros.errors import UserError

_CAMERAS = "cameras.json"  # which topics were extracted, into folders by their numbers


def open_bag(path: Path, capture: CaptureSettings = NOTHING_STATED) -> list[Sequence]:
    """The cameras of a bag, without truth: `monodepth extract` takes that from topics by name.

    Frames are written to the user's cache, as PNG so that nothing is lost, and found there the next
    time. A bag that has changed since is extracted anew. UserError as of `monodepth extract`.
    """
    request = ExtractionRequest(
        camera=capture.camera, field_of_view=capture.field_of_view, image_format="png"
    )
    with BagFile(path) as bag:
        key = hashlib.sha256(origin_of(bag, "", request).model_dump_json().encode()).hexdigest()
        folder = default_cache().parent / "bags" / f"{path.stem}_{key[:16]}"
        folder.mkdir(parents=True, exist_ok=True)
        with locked(folder / "lock"):  # another process may want the same bag
            if not _complete(folder):
                _extract_all(BagExtraction(bag, request), folder)
    sequences: list[Sequence] = []
    for number, topic in enumerate(_topics(folder)):
        sequence = FolderSequence(folder / str(number))
        sequence.name = f"{path.stem}{topic}"
        sequences.append(sequence)
        _tell(path.name, topic, read_outcome(folder / str(number)) or {})
    return sequences


def _extract_all(extraction: BagExtraction, folder: Path) -> None:
    path = extraction.bag.path
    for number, topic in enumerate(extraction.images):
        out = folder / str(number)
        print(f"{path.name}: extracting {topic} to {out}", file=sys.stderr)
        last = [ExtractedSequence(topic, out), *extraction.extract(topic, out)][-1]
        if last.frames == 0:
            raise UserError(f"{path}: no image of {topic} can be used: {dict(last.left_out)}")
    with atomic_path(folder / _CAMERAS) as temporary:
        temporary.write_text(json.dumps(extraction.images))


def _topics(folder: Path) -> list[str]:
    file = folder / _CAMERAS
    return list(json.loads(file.read_text())) if file.is_file() else []


def _complete(folder: Path) -> bool:
    outcomes = [read_outcome(folder / str(number)) for number in range(len(_topics(folder)))]
    return bool(outcomes) and None not in outcomes


def _tell(bag: str, topic: str, outcome: Mapping[str, Any]) -> None:
    for reason, count in outcome.get("left_out", {}).items():
        print(f"{bag}: {topic}: {count} left out: {reason}", file=sys.stderr)
    for problem in dict.fromkeys(outcome.get("problems", ())):
        print(f"{bag}: {problem}", file=sys.stderr)
