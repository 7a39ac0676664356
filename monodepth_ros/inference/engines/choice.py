"""What `engine: auto` and `precision: auto` mean on this machine: measured once, then remembered.

Torch in single precision is always among those measured, so that nothing slower is chosen.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any

from monodepth_ros.atomic_file import atomic_path
from monodepth_ros.cache_directory import cache_directory, locked
from monodepth_ros.data.notes import print_once
from monodepth_ros.errors import UserError
from monodepth_ros.inference.engines.agreement import TOLERANCE
from monodepth_ros.inference.engines.machine import library_versions, machine_facts
from monodepth_ros.module_process import module_process
from monodepth_ros.zoo.card import ModelCard

VARIABLE = "MONODEPTH_ENGINE"
_GAIN = 0.9  # of the time in single precision: for less, a lower precision is not worth its error
_TIMEOUT = 900.0  # seconds in which all candidates are exported, loaded and measured


@dataclass(frozen=True)
class Candidate:
    """An engine and a precision of its networks."""

    engine: str
    precision: str

    def __str__(self) -> str:
        return f"{self.engine} {self.precision}"


@dataclass(frozen=True)
class Job:
    """The model in ``folder``, for images of ``size`` (height, width), on a device by its name."""

    folder: str
    device: str
    size: tuple[int, int]
    threads: int


@dataclass(frozen=True)
class Trial:
    """What came of a candidate: milliseconds for one camera image, or why it was refused."""

    candidate: Candidate
    milliseconds: float | None = None  # also None where there was nothing to compare it with
    refused: str = ""

    @classmethod
    def read(cls, values: Mapping[str, Any]) -> Trial:
        """Of what `dataclasses.asdict` gives."""
        return cls(**{**values, "candidate": Candidate(**values["candidate"])})


@dataclass(frozen=True)
class Measurement:
    """All trials of one job, and the day on which they were made."""

    trials: list[Trial]
    day: str


def told(engine: str, precision: str, engines: Sequence[str]) -> tuple[str, str]:
    """The same, with what ``$MONODEPTH_ENGINE`` says in place of ``auto``.

    It is one of ``engines``, alone or with a precision, as in ``torch:fp32``.
    """
    text = os.environ.get(VARIABLE, "")
    if not text:
        return engine, precision
    name, _, given = text.partition(":")
    if name not in engines or (given or "fp32") not in TOLERANCE:
        raise UserError(
            f"{VARIABLE}={text}: use ENGINE or ENGINE:PRECISION, of {', '.join(engines)} and"
            f" {', '.join(TOLERANCE)}"
        )
    return (
        name if engine == "auto" else engine,
        (given or "fp32") if precision == "auto" else precision,
    )


def choose(
    job: Job, card: ModelCard, engine: str, precision: str, installed: Sequence[str]
) -> tuple[Candidate, str]:
    """The fastest candidate that ``engine`` and ``precision`` leave, and why it was chosen.

    Both may be ``auto``; what is left to choose from nobody asked for is not measured: with one
    candidate the reason is empty. :class:`UserError` where all candidates are refused.
    """
    names = installed if engine == "auto" else [engine]
    precisions = list(TOLERANCE) if precision == "auto" else [precision]
    wanted = [Candidate(name, kind) for name in names for kind in precisions]
    if not wanted:
        raise UserError("no engine is installed: pip install torch, openvino or onnxruntime")
    if len(wanted) == 1:
        return wanted[0], ""
    measurement = _measurement(job, card, [*dict.fromkeys([*installed, *names])])
    return fastest(measurement, wanted)


def fastest(measurement: Measurement, wanted: Sequence[Candidate]) -> tuple[Candidate, str]:
    """The candidate to use, and why.

    A lower precision must be clearly faster than single precision.
    """
    trials = {trial.candidate: trial for trial in measurement.trials}
    passed = [one for one in wanted if not trials[one].refused]
    if not passed:
        raise UserError(f"no engine can run it: {wanted[0]}: {trials[wanted[0]].refused}")

    def milliseconds(one: Candidate) -> float:
        return trials[one].milliseconds or 0.0

    chosen = min(passed, key=milliseconds)
    exact = [one for one in passed if one.precision == "fp32"]
    if exact and milliseconds(chosen) > _GAIN * milliseconds(min(exact, key=milliseconds)):
        chosen = min(exact, key=milliseconds)
    return chosen, _reason(chosen, trials, measurement.day)


def _reason(chosen: Candidate, trials: dict[Candidate, Trial], day: str) -> str:
    baseline = trials.get(Candidate("torch", "fp32"))
    took = trials[chosen].milliseconds
    if took is None:
        return f"{chosen}, the only one that can run the model here"
    if baseline is None or not baseline.milliseconds or baseline.candidate == chosen:
        return f"{chosen}, {took:.3g} ms an image, measured on {day}"
    return f"{chosen}, {baseline.milliseconds / took:.1f}x torch fp32, measured on {day}"


def _measurement(job: Job, card: ModelCard, engines: list[str]) -> Measurement:
    """The one remembered for this machine, model and these libraries, else a new one."""
    facts = {
        "machine": machine_facts(),
        "versions": library_versions(engines),
        "threads": [job.threads, os.environ.get("OMP_NUM_THREADS", "")],
        "model": {"name": card.name, "files": card.files, "size": job.size, "device": job.device},
        "exports": [export.files for export in card.exports],
    }
    key = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:24]
    path = cache_directory("choices") / f"{key}.json"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with locked(path.with_suffix(".lock")):  # two nodes that start together measure once
            if (found := _remembered(path)) is None:
                found = _measure(job, card, engines)
                if any(not trial.refused for trial in found.trials):
                    with atomic_path(path) as temporary:
                        temporary.write_text(json.dumps({**facts, **asdict(found)}, indent=1))
            return found
    except OSError as error:
        print_once(f"{path.parent}: the choice of an engine is not remembered: {error.strerror}")
        return _measure(job, card, engines)


def _remembered(path: Path) -> Measurement | None:
    with suppress(OSError, ValueError, KeyError, TypeError):
        content = json.loads(path.read_text())
        return Measurement([Trial.read(trial) for trial in content["trials"]], content["day"])
    return None


def _measure(job: Job, card: ModelCard, engines: list[str]) -> Measurement:
    """Try all candidates in a process of its own. One that ends it is refused, and the rest tried
    again.
    """
    height, width = job.size
    print_once(f"measuring which engine runs {card.name} fastest at {width}x{height} here: once")
    left = [Candidate(engine, precision) for engine in engines for precision in TOLERANCE]
    trials: list[Trial] = []
    while left:
        lines, ended = _run(job, left)
        last = lines[-1] if lines else {}
        if "trials" in last:
            trials += map(Trial.read, last["trials"])
            break
        culprit = Candidate(**last["trying"]) if last else left[0]
        trials.append(Trial(culprit, refused=ended))
        left.remove(culprit)
    return Measurement(trials, date.today().isoformat())


def _run(job: Job, candidates: list[Candidate]) -> tuple[list[dict[str, Any]], str]:
    """What the process said, as JSON, and how it ended."""
    request = {"job": asdict(job), "candidates": [asdict(one) for one in candidates]}
    with subprocess.Popen(
        **module_process("monodepth_ros.inference.engines.trial", request),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,  # libraries talk
        text=True,
    ) as process:
        try:
            output, _ = process.communicate(timeout=_TIMEOUT)
            ended = f"the process that tried it ended with status {process.returncode}"
        except subprocess.TimeoutExpired:
            process.kill()
            output, _ = process.communicate()
            ended = f"it took more than {_TIMEOUT:.0f} s"
    return [json.loads(line) for line in output.splitlines() if line.startswith("{")], ended
