"""Contenders of inference side by side: what inference.py, scaling.py and gpu.py share."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from turns import Answer, Contender, Refused, cores_for, in_turns

from monodepth_ros.zoo.card import load_card
from monodepth_ros.zoo.catalogue import resolve


@dataclass(frozen=True)
class Case:
    """A model at a size (height, width) and a batch, on so many threads.

    ``weights`` are the reference's files; ``pinned`` keeps a process on its own cores.
    """

    model: str
    size: tuple[int, int]
    batch: int = 1
    threads: int = 1
    device: str = "cpu"
    reference: Path | None = None
    weights: Path | None = None
    pinned: bool = True

    @property
    def name(self) -> str:
        return f"{Path(self.model).name} {self.size[1]}x{self.size[0]} batch {self.batch}"


@dataclass
class Row:
    """What one contender reached in a case."""

    contender: str
    facts: Answer = field(default_factory=dict)
    turns: list[Answer] = field(default_factory=list)
    difference: float | None = None  # mean relative, of the first contender's inverse depth
    refused: str = ""

    def as_json(self, batch: int) -> dict[str, Any]:
        """Medians, percentiles and memory; the reason where there is nothing."""
        if self.refused:
            return {"contender": self.contender, "refused": self.refused}
        times = np.concatenate([turn["milliseconds"] for turn in self.turns])
        median = float(np.median(times))
        return {
            "contender": self.contender,
            "median_ms": median,
            "p95_ms": float(np.percentile(times, 95)),
            "turn_medians_ms": [float(np.median(turn["milliseconds"])) for turn in self.turns],
            "images_per_second": 1000 * batch / median,
            "peak_bytes": max(turn["peak_bytes"] for turn in self.turns),
            **{k: v for k, v in self.turns[-1].items() if k == "cuda_peak_bytes"},
            "difference": self.difference,
            **self.facts,
        }


def case_of(model: str, size: tuple[int, int] | None = None, **settings: Any) -> Case:
    """The case of a model of the zoo, at its card's size by default."""
    folder = resolve(model)
    return Case(str(folder), size or load_card(folder).size, **settings)


def run_case(
    case: Case, contenders: Sequence[str], peaks: Sequence[str], rounds: int, seconds: float
) -> dict[str, Any]:
    """All contenders in turns of ``seconds``, the peak rates of the processor among them.

    The result has ``rows``, ``peak_operations_per_second`` and ``operations`` of an image. Whoever
    cannot run (an engine that is not installed, a precision that it lacks) is a row that says so.
    """
    with ExitStack() as stack:
        work = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="inference-benchmark-")))
        rows = {name: Row(name) for name in contenders}
        ready: dict[str, Contender] = {}
        for name in (*contenders, *(f"peak:{precision}" for precision in peaks)):
            try:
                ready[name] = _start(case, name, work)
            except Refused as refused:
                if name in rows:
                    rows[name].refused = str(refused)
                continue
            stack.callback(ready[name].close)
        answers = in_turns(ready, rounds, {"seconds": seconds})
    rates = {
        name.partition(":")[2]: max(turn["operations_per_second"] for turn in turns)
        for name, turns in answers.items()
        if name.startswith("peak:")
    }
    for name, row in rows.items():
        if not row.refused:
            row.turns, row.facts = answers[name], ready[name].ready
    _compare(rows, ready)
    operations = next(
        (r.facts["operations"] for r in rows.values() if "operations" in r.facts), None
    )
    results = [row.as_json(case.batch) for row in rows.values()]
    for result in results:
        result["share_of_peak"] = _share_of_peak(result, operations, rates)
    return {
        "case": case.name,
        "size": f"{case.size[1]}x{case.size[0]}",
        "batch": case.batch,
        "threads": case.threads,
        "operations": operations,
        "peak_operations_per_second": rates,
        "rows": results,
    }


def _start(case: Case, name: str, work: Path) -> Contender:
    request = {
        "contender": name,
        "model": case.model,
        "size": case.size,
        "batch": case.batch,
        "threads": case.threads,
        "device": case.device,
        "reference": str(case.reference or ""),
        "weights": str(case.weights or ""),
        "output": str(work / f"{name.replace(':', '-')}.npy"),
    }
    cores = cores_for(case.threads) if case.pinned else os.sched_getaffinity(0)
    contender = Contender("inference_measurement.py", request, cores, case.threads)
    output = Path(request["output"])
    contender.ready["output"] = np.load(output) if output.exists() else None
    return contender


def _compare(rows: dict[str, Row], ready: dict[str, Contender]) -> None:
    """The mean relative difference of each output to the first contender's."""
    outputs = {name: ready[name].ready.pop("output") for name in rows if name in ready}
    if not outputs:
        return
    first = next(iter(outputs.values()))
    for name, output in outputs.items():
        rows[name].difference = float(np.mean(np.abs(output - first) / first))


def _share_of_peak(
    result: dict[str, Any], operations: int | None, rates: dict[str, float]
) -> float | None:
    """Operations a second over what the processor reaches in the same precision.

    Of the fastest turn, since the peak rate is the best of its turns.
    """
    engine = result.get("engine", {})
    precision = engine.get("precision", "fp32")
    if "images_per_second" not in result or operations is None or precision not in rates:
        return None
    rate = result["images_per_second"] * result["median_ms"] / min(result["turn_medians_ms"])
    return float(operations * rate / rates[precision])


def ratios(rows: list[dict[str, Any]], base: str) -> dict[str, float]:
    """How many times as fast as ``base`` each contender is, by the median latency."""
    median = {row["contender"]: row.get("median_ms") for row in rows}
    return {name: median[base] / ms for name, ms in median.items() if ms and median.get(base)}
