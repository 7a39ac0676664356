"""How fast engines run the bundled model and a ResNet-18, beside the public Monodepth2.

    python benchmark/inference.py --reference ~/monodepth2
    python benchmark/inference.py --threads 2 --batch 1 4 --engines torch:fp32 auto
    python benchmark/inference.py --account                               # where the time goes
    python benchmark/inference.py --tiny                                  # tries it, in seconds

Every engine in every precision that is installed here, what `auto` picks, and the networks as torch
runs them unchanged (`eager`); with --reference also its networks, of the same random weights. Each
runs in a process of its own, on cores of its own choice; all take turns. An output is compared with
that of the first contender. The peak rate is measured in turns with them (common/peak_rate.py).
--account instead lists what kinds of layers cost by OpenVINO's own profile, in fp32 and where the
processor has it in bf16, beside what their operations and bytes need at the measured peak rates.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

from common import paths  # noqa: F401 - the programs of common import each other
from inference_run import Case, case_of, ratios, run_case
from layer_account_run import account_table, run_account
from machine import describe_machine, is_busy
from resnet18_model import make_resnet18
from rich.console import Console
from rich.table import Table
from turns import Refused

from monodepth_ros.atomic_file import atomic_path

ENGINES = (
    "torch:fp32", "torch:bf16", "openvino:fp32", "openvino:bf16", "openvino:fp16",
    "onnxruntime:fp32", "auto",
)  # fmt: skip
PEAKS = ("fp32", "bf16", "int8")
console = Console(width=110, soft_wrap=True)


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    add = parser.add_argument
    add("--reference", type=Path, help="checkout of the public Monodepth2 to compare with")
    add("--models", nargs="+", default=["demo", "resnet18"], help="names or folders, or resnet18")
    add("--engines", nargs="+", default=list(ENGINES), help="ENGINE:PRECISION, or auto")
    add("--batch", nargs="+", type=int, default=[1])
    add("--threads", type=int, default=1)
    add("--rounds", type=int, default=5, help="turns of each contender (default 5)")
    add("--seconds", type=float, default=1.5, help="of a turn (default 1.5)")
    add("--account", action="store_true", help="what kinds of layers cost, by OpenVINO")
    add("--tiny", action="store_true", help="small images and short turns: only to try it")
    add("--out", type=Path, help="JSON; default benchmark/results/inference_THREADS.json")
    options = parser.parse_args(arguments)
    if options.tiny:
        options.rounds, options.seconds = 1, 0.05
    if options.out is None:
        kind = "account" if options.account else "inference"
        name = f"{kind}_{options.threads}_threads.json"
        options.out = Path(__file__).parent / "results" / name
    return options


def cases(options: argparse.Namespace, work: Path) -> list[Case]:
    """Models times batches."""
    found = []
    for model in options.models:
        settings: dict[str, Any] = {"threads": options.threads}
        if model == "resnet18":
            model = str(make_resnet18(work, options.reference))
            if options.reference:
                settings |= {"reference": options.reference, "weights": work / "weights"}
        size = (64, 96) if options.tiny else None
        found += [case_of(model, size, batch=batch, **settings) for batch in options.batch]
    return found


def main(arguments: list[str] | None = None) -> None:
    """Measure, print, write after each case."""
    options = parse_arguments(arguments)
    report: dict[str, Any] = {
        "machine": describe_machine(),
        "settings": {"threads": options.threads, "rounds": options.rounds,
                     "seconds": options.seconds, "tiny": options.tiny},
        "cases": [],
    }  # fmt: skip
    with tempfile.TemporaryDirectory(prefix="inference-benchmark-") as work:
        for case in cases(options, Path(work)):
            if options.account:
                report["cases"] += accounts(case, options)
                write(report, options.out)
                continue
            names = ["eager", *(["reference"] if case.reference else []), *options.engines]
            result = run_case(case, names, PEAKS, options.rounds, options.seconds)
            result["over_eager"] = ratios(result["rows"], "eager")
            result["over_reference"] = ratios(result["rows"], "reference")
            report["cases"].append(result)
            print_case(result)
            write(report, options.out)
    if is_busy(report["machine"]):
        console.print(f"The machine was not idle: load {report['machine']['load_before']:.1f}.")
    console.print(f"written: {options.out}")


def accounts(case: Case, options: argparse.Namespace) -> list[dict[str, Any]]:
    """In each precision that OpenVINO has here; its tables are printed."""
    found = []
    for precision in ("fp32", "bf16"):
        try:
            found.append(run_account(case, precision, options.rounds, options.seconds))
        except Refused as refused:
            console.print(f"{case.name} {precision}: {refused}")
            continue
        console.print(account_table(found[-1]))
    return found


def write(report: dict[str, Any], path: Path) -> None:
    """So far."""
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(report, indent=1) + "\n")


def print_case(result: dict[str, Any]) -> None:
    """The table of a case, and the peak rates."""
    table = Table(title=f"{result['case']}, {result['threads']} threads")
    for heading in (
        "", "median ms", "p95 ms", "images/s", "x eager", "x reference", "of peak", "MB", "differs",
    ):  # fmt: skip
        table.add_column(heading, justify="right" if heading else "left")
    for row in result["rows"]:
        name = row["contender"]
        if "refused" in row:
            continue
        share = row["share_of_peak"]
        beside = [result[key].get(name) for key in ("over_eager", "over_reference")]
        table.add_row(
            name,
            f"{row['median_ms']:.2f}",
            f"{row['p95_ms']:.2f}",
            f"{row['images_per_second']:.1f}",
            *("-" if ratio is None else f"{ratio:.2f}" for ratio in beside),
            "-" if share is None else f"{100 * share:.0f} %",
            f"{row['peak_bytes'] / 1e6:.0f}",
            "-" if row["difference"] is None else f"{row['difference']:.1e}",
        )
    console.print(table)
    for row in result["rows"]:
        if "refused" in row:
            console.print(f"{row['contender']}: {row['refused'].splitlines()[0]}")
    rates = result["peak_operations_per_second"]
    console.print("peak: " + ", ".join(f"{k} {v / 1e9:.0f} GFLOP/s" for k, v in rates.items()))


if __name__ == "__main__":
    main()
