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

    def train(self, name: str, *arguments: str) -> None:
        """Train into ``models/<name>`` unless it is there; an interrupted run goes on."""
        command = ["train", *arguments, "--out", f"runs/{name}", "--export", f"models/{name}"]
        if (self.build / "models" / name / "card.yaml").exists():
            self.note(name, *command)
        else:
            resume = ["--resume"] if (self.build / "runs" / name).exists() else []
            self.run(name, *command, *resume)
