"""The progress bar of work that is counted in frames."""

from __future__ import annotations

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn


def frame_progress(console: Console | None = None, disable: bool = False) -> Progress:
    """What is worked on, a bar, how many of how many, and the time that is left."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    return Progress(*columns, console=console, disable=disable)
