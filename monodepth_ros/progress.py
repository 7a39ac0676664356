"""The progress bar of work that is counted in frames."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from monodepth_ros.heartbeat import Heartbeat


def plain_console(quiet: bool = False, bars: bool = True) -> Console:
    """The error stream, for texts as they are: names and reasons may hold brackets, as `[nan`.

    Without ``bars`` it is no terminal: those of several processes would overwrite each other.
    """
    terminal = None if bars else False
    return Console(
        stderr=True,
        quiet=quiet,
        force_terminal=terminal,
        markup=False,
        highlight=False,
        soft_wrap=True,
    )


def frame_progress(
    console: Console | None = None, disable: bool = False, transient: bool = False
) -> Progress:
    """What is worked on, a bar, how many of how many, and the time that is left."""
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    return Progress(*columns, console=console, disable=disable, transient=transient)


@contextmanager
def count_frames(
    console: Console, what: str, total: int, transient: bool = False
) -> Iterator[Callable[[], None]]:
    """A bar, or a line now and then where ``console`` is no terminal; call it for each frame.

    A ``transient`` bar is gone when it is full.
    """
    if console.quiet:
        yield lambda: None
    elif console.is_terminal:
        with frame_progress(console, transient=transient) as progress:
            task = progress.add_task(what, total=total)
            yield lambda: progress.advance(task)
    else:
        done = 0

        def advance() -> None:
            nonlocal done
            done += 1

        with Heartbeat(lambda: f"{what}: {done} of {total} frames"):
            yield advance
