"""Options that say which model runs, by what and where."""

from __future__ import annotations

from typing import Annotated

import typer

from monodepth_ros.errors import UserError
from monodepth_ros.inference.engines.agreement import TOLERANCE
from monodepth_ros.inference.engines.registry import ENGINES
from monodepth_ros.zoo.size import parse_size

Model = Annotated[str, typer.Option(help="A model's name or folder.")]
EngineName = Annotated[
    str,
    typer.Option(
        help=f"What runs the networks: {', '.join(ENGINES)}; auto: the fastest, measured once."
    ),
]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")]
Precision = Annotated[
    str,
    typer.Option(
        help=f"Number format of the networks: {', '.join(TOLERANCE)}; auto: the fastest that"
        " agrees with fp32."
    ),
]
Threads = Annotated[int, typer.Option(min=0, help="CPU threads of the networks; 0: one per core.")]

Background = Annotated[
    str,
    typer.Option(
        help="black_invalid: no depth where the image is black without texture, as in space; keep."
    ),
]


def network_size(text: str | None) -> tuple[int, int] | None:
    """(height, width) of ``--size WIDTHxHEIGHT``, None without it; UserError for what is none."""
    try:
        return None if text is None else parse_size(text)
    except ValueError as error:
        raise UserError(f"--size {error}") from None
