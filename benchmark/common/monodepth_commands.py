"""Runs `monodepth` inside a build folder and keeps what it ran, for results that others rebuild."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class MonodepthCommands:
    """Commands whose paths are relative to the build folder; models go to its ``models``."""

    build: Path
    threads: int = 2  # of evaluations; trainings are told by their recipe as well
    commands: dict[str, str] = field(default_factory=dict)

    def run(self, name: str, *arguments: str) -> str:
        """Run ``monodepth`` with ``arguments``, keep the command, return what it printed."""
        self.note(name, *arguments)
        print(f"[{name}] {self.commands[name]}", flush=True)
        program = [str(Path(sys.executable).with_name("monodepth")), *arguments]
        environment = {**os.environ, "MONODEPTH_MODELS": "models"}
        environment["OMP_NUM_THREADS"] = str(self.threads)
        done = subprocess.run(
            program, cwd=self.build, env=environment, stdout=subprocess.PIPE, text=True
        )
        if done.returncode:
            sys.exit(f"{name}: exit {done.returncode}")
        return done.stdout

    def note(self, name: str, *arguments: str) -> None:
        """Keep a command whose result stands already."""
        self.commands[name] = shlex.join(["monodepth", *arguments])

    def render(
        self, world: str, seed: int, frames: int, fps: float | None = None, make: bool = True
    ) -> str:
        """A place of a world, its folder; rendered unless it is complete or not to be made.

        `synth` itself continues what is not complete. Without ``fps`` at the world's own rate.
        """
        out = f"worlds/{world}_{seed:03d}"
        command = ["synth", world, "--out", out, "--seed", str(seed), "--frames", str(frames)]
        command += ["--width", "192", "--height", "128"]
        if fps is not None:
            command += ["--fps", str(fps)]
        table = self.build / out / "frames.csv"
        if table.exists() and len(table.read_text().splitlines()) == frames + 1:
            self.note(out, *command)
        elif make:
            self.run(out, *command)
        return out

    def train(self, name: str, *arguments: str) -> None:
        """Train into ``models/<name>`` unless it is there; an interrupted run goes on."""
        command = ["train", *arguments, "--out", f"runs/{name}", "--export", f"models/{name}"]
        if (self.build / "models" / name / "card.yaml").exists():
            self.note(name, *command)
        else:
            resume = ["--resume"] if (self.build / "runs" / name).exists() else []
            self.run(name, *command, *resume)
