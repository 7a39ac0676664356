"""Bags as recordings: extracted once, into a cache, and opened from there."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

from monodepth_ros.data.bag_extraction import BagExtraction, ExtractedSequence, ExtractionRequest
from monodepth_ros.data.bag_file import BagFile
from monodepth_ros.data.frame_cache import default_cache
from monodepth_ros.data.sequence import Sequence
from monodepth_ros.data.sequence_folder import FolderSequence
from monodepth_ros.errors import UserError


def open_bag(path: Path) -> list[Sequence]:
    """The cameras of a bag, without truth: `monodepth extract` takes that from topics by name.

    Frames are written to the user's cache, as PNG so that nothing is lost, and found there the next
    time. A bag that has changed since is extracted anew. UserError as of `monodepth extract`.
    """
    folder = default_cache().parent / "bags" / f"{path.stem}_{_state(path)}"
    sequences: list[Sequence] = []
    with BagFile(path) as bag:
        extraction = BagExtraction(bag, ExtractionRequest(image_format="png"))
        for number, topic in enumerate(extraction.images):
            out = folder / str(number)
            whole = out / "complete"
            if not whole.is_file():
                print(f"{path.name}: extracting {topic} to {out}", file=sys.stderr)
                steps = [ExtractedSequence(topic, out), *extraction.extract(topic, out)]
                if steps[-1].frames == 0:
                    reasons = dict(steps[-1].left_out)
                    raise UserError(f"{path}: no image of {topic} can be used: {reasons}")
                whole.touch()
            sequence = FolderSequence(out)
            sequence.name = f"{path.stem}{topic}"
            sequences.append(sequence)
        for problem in dict.fromkeys(bag.problems):
            print(f"{path.name}: {problem}", file=sys.stderr)
    return sequences


def _state(path: Path) -> str:
    """Changes with the files of the bag: their names, sizes and times."""
    files = sorted(path.iterdir()) if path.is_dir() else [path]
    digest = hashlib.sha256()
    for file in files:
        stat = file.stat()
        digest.update(f"{file.resolve()} {stat.st_size} {stat.st_mtime_ns}\n".encode())
    return digest.hexdigest()[:16]
