"""Videos, plain images and other recordings copied into folders, with a progress bar."""

from __future__ import annotations

import re
from pathlib import Path

from rich.console import Console

from monodepth_ros.data.bags.extraction import ExtractedSequence
from monodepth_ros.data.cameras.capture_settings import CaptureSettings
from monodepth_ros.data.extraction.bag_cameras import CameraOutcome, print_outcome
from monodepth_ros.data.extraction.record import own_folder
from monodepth_ros.data.extraction.request import ExtractionRequest
from monodepth_ros.data.extraction.sequence import SequenceFiles, extract_sequence
from monodepth_ros.data.open_sequence import open_sequence
from monodepth_ros.progress import count_frames


def copy_recordings(
    path: Path, out: Path, request: ExtractionRequest, capture: CaptureSettings, console: Console
) -> list[CameraOutcome]:
    """Every recording at ``path``, each into a folder of its own: ``out/<name>``.

    What is there already is kept. UserError where a folder holds another extraction of it.
    """
    outcomes = []
    for sequence in open_sequence(path, capture=capture):
        name = re.sub(r"\W+", "_", sequence.name).strip("_") or "recording"
        files = SequenceFiles(path, sequence)
        folder = own_folder(out / name, files, sequence.name)
        done = ExtractedSequence(sequence.name, folder)
        with count_frames(console, sequence.name, len(sequence)) as advance:
            for progressed in extract_sequence(files, folder, request):
                done = progressed
                advance()
        outcomes.append(CameraOutcome(path, done, []))
        print_outcome(done, path, console)
    return outcomes
