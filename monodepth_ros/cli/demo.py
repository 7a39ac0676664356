"""``monodepth demo``: the main job with nothing prepared, by real nodes on real DDS."""

from __future__ import annotations

import importlib.util
import json
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from monodepth_ros.cli.options.model import Device, Model
from monodepth_ros.cli.options.motion import Method, chosen_method
from monodepth_ros.cli.options.recordings import Camera, FieldOfView, Fps, capture_settings
from monodepth_ros.dds_environment import private_environment
from monodepth_ros.errors import UserError
from monodepth_ros.share_directory import share_directory
from monodepth_ros.zoo import catalogue

_STOP_WITHIN = 5.0  # seconds
# All that a demo writes into its folder: nothing else is ever removed from it.
_WRITTEN = re.compile(
    r"(depth|odometry)_node\.log|figures\.json|demo\.rrd|log/[^/]+\.log"
    r"|bag/(metadata\.yaml|bag\.mcap)|pictures/[0-9.]+s\.png"
)


def demo(
    source: Annotated[
        str | None,
        typer.Option(
            "--input",
            help="Input: a recording, a video, a folder of images, a bag, or a webcam's"
            " index; by default the walk that comes with the package.",
        ),
    ] = None,
    out: Annotated[Path, typer.Option(help="Output folder.")] = Path("demo_output"),
    model: Model = "demo",
    device: Device = "auto",
    seconds: Annotated[
        float | None, typer.Option(help="Maximum duration in seconds.", min=0)
    ] = None,
    method: Method = None,
    camera: Camera = None,
    field_of_view: FieldOfView = None,
    fps: Fps = None,
) -> None:
    """Play a camera into depth and odometry nodes; write a bag, pictures and metrics."""
    if importlib.util.find_spec("rclpy") is None:
        raise UserError("no ROS 2 found: source one, or pip install 'monodepth_ros[ros]'")
    folder = catalogue.resolve(model)
    method = chosen_method(method)
    _claim(out)
    environment = private_environment()
    environment.setdefault("ROS_LOG_DIR", str((out / "log").resolve()))
    parameters = {
        "model": str(folder.resolve()),
        "device": device,
        "diagnostics_period": "0.5",
    }
    nodes = {
        "depth_node": parameters,
        # The camera is its own robot; TF, where there is any, does not know it.
        "odometry_node": {**parameters, "method": method, "mounting": "parameters"},
    }
    walk = share_directory() / "models/demo/sample_walk"
    request = {
        "input": str(walk) if source is None else source,
        "out": str(out),
        "seconds": seconds,
        "capture": [None if camera is None else str(camera), field_of_view, fps],
    }
    capture_settings(camera, field_of_view, fps)  # wrong values are refused before nodes start
    session = [sys.executable, "-m", "monodepth_ros.nodes.demo.session", json.dumps(request)]
    with _running(nodes, environment, out):
        played = _run_to_its_end(session, environment)
    if played:
        raise typer.Exit(played)
    _print_results(out)


def _run_to_its_end(command: list[str], environment: dict[str, str]) -> int:
    """Its exit status. Ctrl-C ends the playing, and what was recorded is still written."""
    process = subprocess.Popen(command, env=environment)
    interrupted = False
    while True:
        try:
            return process.wait()
        except KeyboardInterrupt:  # the session has got it as well
            if interrupted:
                process.kill()
            interrupted = True


def _claim(out: Path) -> None:
    """An empty folder; what an earlier demo has left there is removed, and nothing else."""
    if out.exists() and not out.is_dir():
        raise UserError(f"{out}: is a file; take another --out")
    out.mkdir(parents=True, exist_ok=True)
    found = sorted(out.rglob("*"))
    files = [path for path in found if path.is_symlink() or not path.is_dir()]
    others = [file for file in files if not _WRITTEN.fullmatch(str(file.relative_to(out)))]
    if files and not (out / "depth_node.log").is_file():
        others = files
    if others:
        raise UserError(
            f"{out}: holds {others[0].relative_to(out)}, not a demo's; take another --out"
        )
    for file in files:
        file.unlink()
    for folder in reversed([path for path in found if path not in files]):
        folder.rmdir()


@contextmanager
def _running(
    nodes: dict[str, dict[str, str]], environment: dict[str, str], out: Path
) -> Iterator[None]:
    """The nodes with their parameters, each a process in the namespace /camera.

    They are ended as a robot ends them.
    """
    processes = []
    try:
        for node, parameters in nodes.items():
            arguments = ["--ros-args", "-r", "__ns:=/camera"]
            for name, value in parameters.items():
                arguments += ["-p", f"{name}:={value}"]
            program = f"from monodepth_ros.nodes.programs import {node}; {node}()"
            with (out / f"{node}.log").open("w") as log:
                processes.append(
                    subprocess.Popen(
                        [sys.executable, "-c", program, *arguments],
                        env=environment,
                        stdout=log,
                        stderr=subprocess.STDOUT,
                        start_new_session=True,  # Ctrl-C is for the session, and nodes outlive it
                    )
                )
        yield
    finally:
        for process in processes:
            process.send_signal(signal.SIGINT)
        for process in processes:
            try:
                process.wait(_STOP_WITHIN)
            except subprocess.TimeoutExpired:
                process.kill()


def _print_results(out: Path) -> None:
    """The figures as a table, and what lies where."""
    figures = json.loads((out / "figures.json").read_text())
    table = Table("result", "count", "Hz", "ms: median", "95 %", "error against truth")
    for name in ("depth", "odometry"):
        row = figures[name]
        errors = ""
        if "abs_rel" in row:
            errors = f"abs_rel {row['abs_rel']:.3f}, a1 {row['a1']:.3f}, median-scaled"
        if "ate_m" in row:
            errors = f"ATE {row['ate_m']:.3f} m of {row['length_m']:.1f} m, 7-DoF aligned"
        keys = ("rate_hz", "latency_median_ms", "latency_p95_ms")
        numbers = [f"{row[key]:.1f}" if key in row else "" for key in keys]
        table.add_row(name, str(row["count"]), *numbers, errors)
    Console().print(table)
    for name, what in (
        ("bag", "the recorded bag (MCAP)"),
        ("pictures", "image | depth | confidence | from above, with the trajectory"),
        ("demo.rrd", "for the Rerun viewer: rerun demo.rrd"),
        ("figures.json", "all figures"),
    ):
        if (out / name).exists():
            print(f"{out / name}: {what}")
