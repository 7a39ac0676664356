"""Tries engines with one model: which of them load, agree with torch, and how long one image takes.

`choice.py` runs it as a process of its own, ``python -m monodepth_ros.inference.engines.trial
REQUEST``, so that no library that is not chosen stays in memory, and none can end the node.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np

from monodepth_ros.errors import reason_of
from monodepth_ros.inference.engines.base import Engine, Rgb
from monodepth_ros.inference.engines.choice import Candidate, Job, Trial
from monodepth_ros.inference.engines.registry import load_engine
from monodepth_ros.inference.engines.short_check import short_check

_SECONDS = 2.0  # of all measurements together
_ROUNDS = 3  # at least
_RUNS = 3  # of one engine in a round
_TOO_SLOW = 3.0  # times the fastest: not worth another run


def try_engines(
    job: Job, candidates: Sequence[Candidate], announce: Callable[[Candidate], None]
) -> list[Trial]:
    """Load, check and time all ``candidates``; each is announced before it is loaded."""
    engines: dict[Candidate, Engine] = {}
    refused: dict[Candidate, str] = {}
    for candidate in candidates:
        announce(candidate)
        try:
            engine = load_engine(
                job.folder,
                candidate.engine,
                job.device,
                candidate.precision,
                job.size,
                job.threads,
            )
            if reason := short_check(engine, Path(job.folder), ("depth", "pose")):
                refused[candidate] = reason
            else:
                engines[candidate] = engine
        except Exception as error:  # libraries raise what they like
            refused[candidate] = reason_of(error)
    times = _milliseconds(engines) if len(engines) > 1 else dict.fromkeys(engines)
    return [Trial(one, times.get(one), refused.get(one, "")) for one in candidates]


def _milliseconds(engines: dict[Candidate, Engine]) -> dict[Candidate, float | None]:
    """The fastest run of each engine, in turns: what other programs take is not the engine's."""
    image = np.random.default_rng(0).integers(0, 256, (1, 480, 640, 3), dtype=np.uint8)
    for engine in engines.values():
        _seconds(engine, image)
    best = {candidate: _seconds(engine, image) for candidate, engine in engines.items()}
    fast = [one for one in engines if best[one] < _TOO_SLOW * min(best.values())]
    end, rounds = time.perf_counter() + _SECONDS, 0
    while rounds < _ROUNDS or time.perf_counter() < end:
        for one in fast:
            best[one] = min(best[one], *(_seconds(engines[one], image) for _ in range(_RUNS)))
        rounds += 1
    return {one: round(1000 * seconds, 3) for one, seconds in best.items()}


def _seconds(engine: Engine, image: Rgb) -> float:
    begin = time.perf_counter()
    engine.inverse_depth(engine.prepare(image))
    return time.perf_counter() - begin


def main() -> None:
    """Print the announced candidates and then the trials, each as a line of JSON."""
    request = json.loads(sys.argv[1])
    job = Job(**{**request["job"], "size": tuple(request["job"]["size"])})
    candidates = [Candidate(**one) for one in request["candidates"]]

    def announce(candidate: Candidate) -> None:
        print(json.dumps({"trying": asdict(candidate)}), flush=True)

    trials = try_engines(job, candidates, announce)
    print(json.dumps({"trials": [asdict(trial) for trial in trials]}), flush=True)


if __name__ == "__main__":
    main()
