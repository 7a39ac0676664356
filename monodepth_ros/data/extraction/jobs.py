"""Many bags and recordings, extracted one after another or several at a time."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from monodepth_ros.child_processes import Ended, in_processes
from monodepth_ros.data.bags.file import is_bag
from monodepth_ros.data.cameras.capture_settings import CaptureSettings
from monodepth_ros.data.extraction.bag_cameras import extract_cameras, failures
from monodepth_ros.data.extraction.extracted_sequence import ExtractedSequence
from monodepth_ros.data.extraction.request import ExtractionRequest
from monodepth_ros.data.extraction.sequence import copy_recordings
from monodepth_ros.errors import UserError
from monodepth_ros.progress import plain_console


@dataclass
class Extracted:
    """What came of a path: sequences, what failed, and the error that refused it."""

    sequences: list[ExtractedSequence] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    refused: UserError | None = None


@dataclass(frozen=True)
class Extraction:
    """Extracts to ``out`` what ``request`` says, silently if ``quiet``."""

    out: Path
    request: ExtractionRequest
    capture: CaptureSettings
    quiet: bool

    def all(self, paths: list[Path], jobs: int) -> list[Extracted]:
        """Each path, ``jobs`` at a time; what may share a name goes one after another."""
        if jobs == 1:
            return [self.one(path) for path in paths]
        groups = _groups(paths)
        found: dict[Path, Extracted] = {}
        results = in_processes(self.group, groups, min(jobs, len(groups)))
        for group, result in zip(groups, results, strict=True):
            if isinstance(result, Ended):
                again = "the same command goes on where it stopped"
                lost = [Extracted(failed=[f"{p}: {result.reason}; {again}"]) for p in group]
                result = lost
            found |= zip(group, result, strict=True)
        return [found[path] for path in paths]

    def group(self, paths: list[Path]) -> list[Extracted]:
        """In a process beside others, so lines rather than bars tell the progress."""
        return [self.one(path, bars=False) for path in paths]

    def one(self, path: Path, bars: bool = True) -> Extracted:
        """What came of one path; a UserError is noted, for the others may be good."""
        console = plain_console(self.quiet, bars)
        try:
            if not is_bag(path):
                return Extracted(
                    copy_recordings(path, self.out, self.request, self.capture, console)
                )
            found = extract_cameras(path, self.out, f"{path.stem}_", self.request, console)
        except UserError as error:
            return Extracted(refused=error)
        return Extracted(found, [f"{path}: {line}" for line in failures(found, self.request)])


def _groups(paths: list[Path]) -> list[list[Path]]:
    """Paths whose folders may be called alike, in their order.

    A bag's begin with its name; those of other recordings only they know.
    """
    stems = {path.stem for path in paths}
    groups: dict[str | None, list[Path]] = {}
    for path in paths:
        alike = [stem for stem in stems if f"{path.stem}_".startswith(f"{stem}_")]
        bag = path.exists() and is_bag(path)
        groups.setdefault(min(alike, key=len) if bag else None, []).append(path)
    return list(groups.values())
