"""The option that says what runs a model's networks."""

from __future__ import annotations

from typing import Annotated

import typer

from monodepth_ros.inference.engines.registry import ENGINES

EngineName = Annotated[
    str, typer.Option(help=f"What runs the networks: auto, {', '.join(ENGINES)}.")
]
