"""The account of a network's time by kinds of layers, beside what the processor can do at best."""

from __future__ import annotations

from typing import Any

from inference_run import Case
from rich.table import Table
from turns import Answer, Contender, cores_for, in_turns

_RUNS = 30  # in a turn


def run_account(case: Case, precision: str, rounds: int, seconds: float) -> dict[str, Any]:
    """OpenVINO's layers in turns with the peak rate of the precision and that of memory.

    ``layers`` are by kind: milliseconds, operations, bytes, and the milliseconds that they need at
    the peak rate (``at_peak_ms``) and that the bytes take as a copy of memory (``copied_ms``). The
    turn that was fastest in all counts.
    """
    names = ("layer_account.py", precision), ("inference_measurement.py", f"peak:{precision}"), (
        "inference_measurement.py", "peak:memory"
    )  # fmt: skip
    contenders = {name: _start(case, program, name) for program, name in names}
    try:
        answers = in_turns(contenders, rounds, {"runs": _RUNS, "seconds": seconds})
    finally:
        for contender in contenders.values():
            contender.close()
    rates = {
        name: max(turn["operations_per_second"] for turn in answers[f"peak:{name}"])
        for name in (precision, "memory")
    }
    layers = min(answers[precision], key=_total)
    for row in layers.values():
        row["at_peak_ms"] = 1000 * row.get("operations", 0) / rates[precision]
        row["copied_ms"] = 1000 * row.get("bytes", 0) / rates["memory"]
    return {
        "case": case.name,
        "precision": precision,
        "threads": case.threads,
        "milliseconds": _total(layers),
        "operations_per_second": rates[precision],
        "bytes_per_second": rates["memory"],
        "layers": dict(sorted(layers.items(), key=lambda item: -item[1]["milliseconds"])),
    }


def account_table(account: dict[str, Any]) -> Table:
    """A row for each kind of layer, the most expensive first."""
    table = Table(title=f"{account['case']}, openvino {account['precision']}")
    for heading in ("layers", "ms", "share", "at the peak rate, ms", "MB", "copied, ms"):
        table.add_column(heading, justify="left" if heading == "layers" else "right")
    for kind, row in account["layers"].items():
        table.add_row(
            kind,
            f"{row['milliseconds']:.2f}",
            f"{100 * row['milliseconds'] / account['milliseconds']:.1f} %",
            f"{row['at_peak_ms']:.2f}",
            f"{row.get('bytes', 0) / 1e6:.1f}",
            f"{row['copied_ms']:.2f}",
        )
    return table


def _start(case: Case, program: str, name: str) -> Contender:
    request = {
        "contender": name,
        "precision": name,
        "model": case.model,
        "size": case.size,
        "batch": 1,
        "threads": case.threads,
        "device": case.device,
        "output": "",
    }
    return Contender(program, request, cores_for(case.threads), case.threads)


def _total(layers: Answer) -> float:
    return float(sum(row["milliseconds"] for row in layers.values()))
