"""A tuner beside a live depth node: what it costs in latency, and what kills do to both.

    python benchmark/tuner.py latency --bags build/bags --prefix 7scenes --out latency.json
    python benchmark/tuner.py kills --bags build/bags --prefix 7scenes --out kills.json

The camera sends 640x480 images at 30 Hz, as in benchmark/soak.py. `kills` ends the tuner and then
the training with SIGKILL at random moments, again and again, and waits for the outcome. The machine
must have nothing else to do: a tuning takes what is left over.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from soak import CAMERA, Listener

from monodepth_ros.dds_environment import private_environment
from monodepth_ros.learning.recipe.file import find_recipe

NODE = "from monodepth_ros.nodes.programs import {0}; {0}()"


class Machine(Listener):
    """A camera, a live depth node, and a tuner that can be killed and started again."""

    def __init__(self, folder: Path, parameters: list[str]) -> None:
        super().__init__()
        from std_msgs.msg import String
        from std_srvs.srv import Trigger

        self._parameters = [f"folder:={folder / 'tunings'}", *parameters]
        self._environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        self._environment["MONODEPTH_MODELS"] = str(folder / "models")
        self._log = (folder / "nodes.log").open("w")
        self.status: dict[str, str] = {}
        self._trigger = Trigger
        self.node.create_subscription(String, "tuner_node/status", self._note, 10)
        self._tune = self.node.create_client(Trigger, "tuner_node/tune")
        camera = subprocess.Popen([sys.executable, "-c", CAMERA], env=self._environment)
        self.processes = [camera, self._start("depth_node", "device:=cpu")]
        while not self.latencies:
            self.until(time.monotonic() + 0.1)
        self.until(time.monotonic() + 5.0)
        self.start_tuner()

    def start_tuner(self) -> None:
        self.tuner = self._start("tuner_node", *self._parameters)
        self.processes.append(self.tuner)

    def tune(self) -> None:
        assert self._tune.wait_for_service(20.0)
        answer = self._tune.call_async(self._trigger.Request())
        while not answer.done():
            self.until(time.monotonic() + 0.1)
        if not answer.result().success:
            sys.exit(answer.result().message)

    def reach(self, *stages: str, seconds: float = 3600.0) -> None:
        end = time.monotonic() + seconds
        while self.status.get("stage") not in stages:
            self.until(time.monotonic() + 0.2)
            if time.monotonic() > end:
                sys.exit(f"not {stages} within {seconds} s: {self.status}")

    def training(self) -> int | None:
        """The process that learns."""
        tasks = Path(f"/proc/{self.tuner.pid}/task").glob("*/children")
        return next((int(child) for task in tasks for child in task.read_text().split()), None)

    def close(self) -> None:
        for process in self.processes:
            process.kill()

    def _start(self, node: str, *parameters: str) -> subprocess.Popen[bytes]:
        arguments = [word for parameter in parameters for word in ("-p", parameter)]
        command = [sys.executable, "-c", NODE.format(node), "--ros-args", *arguments]
        return subprocess.Popen(command, env=self._environment, stdout=self._log, stderr=self._log)

    def _note(self, message: Any) -> None:
        self.status = json.loads(message.data)


def latency(machine: Machine, seconds: float) -> dict[str, Any]:
    """Of live depth: without a tuning, and while it learns."""
    rows = {}
    machine.latencies.clear()
    machine.until(time.monotonic() + seconds)
    rows["alone"] = _of(machine.latencies, seconds)
    machine.tune()
    machine.reach("tuning")
    while not machine.status["message"].startswith("tuning: step"):
        machine.until(time.monotonic() + 0.5)
    machine.latencies.clear()
    stages = []
    for _ in range(round(seconds)):
        machine.until(time.monotonic() + 1.0)
        stages.append(machine.status["stage"])
    rows["while tuning"] = _of(machine.latencies, seconds)
    ratio = rows["while tuning"]["p95_ms"] / rows["alone"]["p95_ms"]
    return {**rows, "p95_ratio": ratio, "paused_share": stages.count("paused") / len(stages)}


def _of(latencies: list[float], seconds: float) -> dict[str, float]:
    median, p95 = np.percentile(latencies, (50, 95))
    return {"hz": len(latencies) / seconds, "median_ms": float(median), "p95_ms": float(p95)}


def kills(machine: Machine, count: int, seed: int) -> dict[str, Any]:
    """So many of the tuner, up to so many of the training; then the outcome of the tuning."""
    rng = random.Random(seed)
    machine.latencies.clear()
    began = time.monotonic()
    machine.tune()
    for _ in range(count):
        machine.until(time.monotonic() + rng.uniform(0.5, 15.0))
        machine.tuner.send_signal(signal.SIGKILL)
        machine.tuner.wait()
        machine.status = {}
        machine.start_tuner()
    killed = 0
    while killed < count:
        # Five in a row before a start is through, which takes half a minute, would be the end.
        machine.until(time.monotonic() + rng.uniform(0.5, 90.0))
        if machine.status.get("stage") not in ("starting", "measuring", "tuning", "paused"):
            break
        training = machine.training()
        if training is not None:
            os.kill(training, signal.SIGKILL)
            killed += 1
    machine.reach("handed over", "kept", "better", "failed")
    machine.until(time.monotonic() + 5.0)
    return {
        "tuner_killed": count,
        "training_killed": killed,
        "outcome": machine.status["message"],
        "live": _of(machine.latencies, time.monotonic() - began),
    }


def main() -> None:
    """Measure, print, and write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("what", choices=["latency", "kills"])
    parser.add_argument("--bags", type=Path, required=True, help="folder of bags to learn from")
    parser.add_argument("--prefix", default="", help="of a recorder; else every bag there")
    parser.add_argument("--seconds", type=float, default=120.0, help="of each measurement")
    parser.add_argument("--minutes", type=float, default=4.0, help="of training")
    parser.add_argument("--kills", type=int, default=20, help="of the tuner and of the training")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    os.environ.update(private_environment())
    with tempfile.TemporaryDirectory() as folder:
        recipe = yaml.safe_load(find_recipe("finetune").read_text())
        recipe["trainer"]["checkpoint_minutes"] = 0.05  # so that frequent kills lose little
        recipe_file = Path(folder) / "finetune.yaml"
        recipe_file.write_text(yaml.safe_dump(recipe))
        parameters = [
            f"bags_folder:={arguments.bags.resolve()}",
            f"prefix:={arguments.prefix}",
            f"training_minutes:={arguments.minutes}",
            f"recipe:={recipe_file}",
        ]
        machine = Machine(Path(folder), parameters)
        try:
            if arguments.what == "latency":
                figures = latency(machine, arguments.seconds)
            else:
                figures = kills(machine, arguments.kills, arguments.seed)
        finally:
            machine.close()
    print(json.dumps(figures, indent=1))
    if arguments.out is not None:
        arguments.out.write_text(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()
