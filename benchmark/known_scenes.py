"""Writes training/known_scenes: frames of synthetic places that tuning should not forget.

    python benchmark/known_scenes.py --build build

``replay`` is learnt from beside new video, ``check`` measures what was forgotten. Each holds one
frame of each of many places, with true depth; no place is in both. The worlds are rendered unless
they are in the build folder, as benchmark/learning.py left them.
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

from common.monodepth_commands import MonodepthCommands

from monodepth_ros.data.layouts.sequence_folder import FolderSequence, SequenceWriter

KNOWN = Path(__file__).resolve().parents[1] / "training" / "known_scenes"
# World -> seeds and frames of the places, as in benchmark/learning.py; every third is for checks.
PLACES = {
    "rooms": (range(300, 354), 40),
    "street": (range(400, 436), 40),
    "glossy_rooms": (range(500, 508), 24),
}
_STEP = 7  # from place to place another frame of its walk


def main() -> None:
    """Render what is missing, and write both folders."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", type=Path, required=True, help="folder of the worlds")
    commands = MonodepthCommands(parser.parse_args().build.resolve())
    shutil.rmtree(KNOWN, ignore_errors=True)
    for world, (seeds, frames) in PLACES.items():
        folders = [commands.render(world, seed, frames, fps=0.5) for seed in seeds]
        places = [FolderSequence(commands.build / folder) for folder in folders]
        for part, checks in (("replay", False), ("check", True)):
            mine = [place for n, place in enumerate(places) if (n % 3 == 2) == checks]
            _write(KNOWN / part / world, mine)


def _write(folder: Path, places: list[FolderSequence]) -> None:
    first = places[0]
    with SequenceWriter(
        folder,
        first.camera,
        fps=1.0,
        jpeg_quality=90,
        depth_scale=first.record.depth_scale,
        source=f"one frame of each of {len(places)} places of `monodepth synth {folder.name}`",
        licence="CC0-1.0",
    ) as writer:
        for number, place in enumerate(places):
            frame = number * _STEP % len(place)
            writer.add(place.image(frame), depth=place.depth(frame))


if __name__ == "__main__":
    main()
