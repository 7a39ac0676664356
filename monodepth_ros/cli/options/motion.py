"""Options that say how motions are measured."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from monodepth_ros.errors import UserError
from monodepth_ros.inference.odometry.registry import DEFAULT, METHODS, method_class

Method = Annotated[
    str | None,
    typer.Option(
        help=f"What measures the motions: {', '.join(METHODS)}; by default {DEFAULT}.",
        show_default=False,
    ),
]
Refine = Annotated[
    bool, typer.Option("--refine", help="The former name of --method refined.", hidden=True)
]


def chosen_method(method: str | None, refine: bool = False) -> str:
    """The method that both options ask for. UserError for an unknown one, and where they differ."""
    if refine:
        if method not in (None, "refined"):
            raise UserError(f"--refine is --method refined, which is not --method {method}")
        print("--refine is now --method refined", file=sys.stderr)
        return "refined"
    chosen = DEFAULT if method is None else method
    method_class(chosen)
    return chosen
