"""What a tuning learns from: recordings, bags extracted, and scenes that it should not forget."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from monodepth_ros.data.coverage import Coverage, never_found
from monodepth_ros.data.extraction.bag_cameras import extract_cameras
from monodepth_ros.data.extraction.request import ExtractionRequest
from monodepth_ros.data.open_sequence import SLICE, bags_at
from monodepth_ros.errors import Failure, UserError
from monodepth_ros.share_directory import share_directory


def known_scenes(folder: str | None) -> tuple[list[str], list[str]]:
    """The folders to replay and to check with, empty where there are none."""
    if folder == "none":
        return [], []
    root = share_directory() / "training" / "known_scenes" if folder is None else Path(folder)
    parts = [root / "replay", root / "check"]
    missing = [part for part in parts if not part.is_dir()]
    if missing:
        raise UserError(f"--known {root}: there is no {missing[0].name}/ in it")
    return [str(parts[0])], [str(parts[1])]


def learnable_recordings(
    recordings: Sequence[str],
    folder: Path,
    request: ExtractionRequest,
    unusable: list[str],
    console: Console,
) -> list[str]:
    """What to learn from: bags as they are extracted, all else as it is.

    A bag or camera that cannot be used is left out, unless there is nothing else; ``unusable`` gets
    a line for each. Failure where no frame of any bag has the true depth that was asked for.
    """
    sources: list[str] = []
    bad = 0  # bags
    coverages: list[Coverage] = []
    for text in recordings:
        bags, topic, part = named_bags(text)
        if not bags:
            sources.append(text)
        for bag in bags:
            own = request if topic is None else replace(request, images=(topic,))
            out = folder / f"{len(sources) + bad:03d}_{bag.stem}"
            try:
                cameras = extract_cameras(bag, out, "", own, console)
                if not any(camera.frames for camera in cameras):
                    raise UserError(f"{bag}: no image of it can be used")
            except UserError as error:
                bad += 1
                unusable.append(str(error))
                console.print(f"left out: {error}")
                continue
            for camera in cameras:
                coverages += camera.coverage.values()
                if camera.frames:
                    sources.append(f"{camera.folder}{part}")
                else:
                    none = f"{bag}: no image of {camera.topic} can be used"
                    unusable.append(camera.failure or none)
    if not sources:
        raise UserError(unusable[0])
    if lines := never_found(coverages):
        raise Failure("; ".join(lines))
    return sources


def named_bags(text: str) -> tuple[list[Path], str | None, str]:
    """The bags that a recording is or holds, the topic of `BAG@/topic`, and the slice behind.

    No bags where it is of another kind.
    """
    name, _, part = text.rpartition("@")
    sliced = bool(name) and SLICE.fullmatch(part) is not None
    text = name if sliced else text
    name, _, end = text.rpartition("@")
    topic = end if name and end.startswith("/") and not Path(text).exists() else None
    bags = bags_at(Path(text if topic is None else name))
    return bags, topic, f"@{part}" if sliced else ""
