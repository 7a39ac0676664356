"""Output of evaluations: progress, skipped items and metrics."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
from rich.console import Console
from rich.progress import track

from monodepth_ros.evaluation.depth_evaluation import DepthEvaluation
from monodepth_ros.evaluation.report_files import to_json

T = TypeVar("T")
NAMED_SKIPS = 10  # the rest is counted, and listed in the report folder

Out = Annotated[Path | None, typer.Option(help="Output folder for metrics, CSV tables and plots.")]
Json = Annotated[bool, typer.Option("--json", help="Print the metrics as JSON.")]


def with_progress(
    items: Iterable[T], description: str, total: float | None = None, silent: bool = False
) -> Iterable[T]:
    """The items, with a bar on a terminal's error stream while they are worked on."""
    console = Console(stderr=True, quiet=silent)
    return track(items, description, total, console=console, transient=True)


def print_left_out(evaluation: DepthEvaluation) -> None:
    """Say which images and pixels do not count."""
    print_skipped(evaluation.skipped, "images")
    if evaluation.missing_fraction > 0:
        share = f"{100 * evaluation.missing_fraction:.2g} %"
        print(f"{share} of the truth's pixels had no prediction: left out", file=sys.stderr)


def print_skipped(skipped: list[tuple[str, str]], what: str) -> None:
    """Say what was skipped, and why."""
    if not skipped:
        return
    print(f"{len(skipped)} {what} skipped:", file=sys.stderr)
    for name, reason in skipped[:NAMED_SKIPS]:
        print(f"  {name}: {reason}", file=sys.stderr)
    if len(skipped) > NAMED_SKIPS:
        print(f"  and {len(skipped) - NAMED_SKIPS} more", file=sys.stderr)


def show(metrics: Mapping[str, Any], json: bool) -> None:
    """Print the metrics, as JSON or for people; those of parts are a table below the others."""
    if json:
        print(to_json(metrics))
        return
    for key, value in metrics.items():
        if isinstance(value, Mapping):
            _show_parts(value)
        else:
            print(f"{key:>28}  {value if isinstance(value, int) else f'{value:.4f}'}")


def _show_parts(parts: Mapping[str, Mapping[str, float]]) -> None:
    columns = next(iter(parts.values()))
    print(f"\n{'':>12}" + "".join(f"{name:>14}" for name in columns))
    for name, values in parts.items():
        print(f"{name:>12}" + "".join(f"{value:14.4f}" for value in values.values()))
