"""`monodepth evaluate depth|odometry|scale`."""

import typer

from monodepth_ros.cli.evaluation.depth import depth
from monodepth_ros.cli.evaluation.odometry import odometry
from monodepth_ros.cli.evaluation.scale import scale

evaluate = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    help="Evaluate depth, odometry or scale against ground truth.",
)
evaluate.command()(depth)
evaluate.command()(odometry)
evaluate.command()(scale)
