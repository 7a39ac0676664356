"""What came of an extraction, in extraction.json beside the frames: written with the last of them.

Where the file is missing, the extraction was interrupted.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from monodepth_ros.atomic_file import atomic_path

OUTCOME = "extraction.json"


def write_outcome(folder: Path, outcome: dict[str, Any]) -> None:
    """Note that an extraction is complete, and what came of it; ``frames`` is how many."""
    with atomic_path(folder / OUTCOME) as temporary:
        temporary.write_text(json.dumps(outcome, indent=1) + "\n")


def read_outcome(folder: Path) -> dict[str, Any] | None:
    """The outcome of a complete extraction, None of one that was interrupted."""
    try:
        outcome: dict[str, Any] = json.loads((folder / OUTCOME).read_text())
        rows = (folder / "frames.csv").read_bytes().count(b"\n") - 1
    except (OSError, ValueError):
        return None
    return outcome if outcome.get("frames") == rows else None
