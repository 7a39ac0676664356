"""The program that says what confidence costs: one small run."""

from __future__ import annotations

import importlib
import json
from pathlib import Path

import pytest

BENCHMARK = Path(__file__).parents[2] / "benchmark"


def test_a_small_run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.syspath_prepend(BENCHMARK / "common")
    monkeypatch.syspath_prepend(BENCHMARK)
    out = tmp_path / "cost.json"
    arguments = ["--tiny", "--engine", "torch:fp32", "--out", str(out)]
    importlib.import_module("confidence_cost").main(arguments)
    found = json.loads(out.read_text())
    assert found["frames"] == 3 and found["model"] == "demo"
    (row,) = found["engines"]
    fastest = row["fastest_tenth_ms"]
    assert row["engine"] == "torch:fp32" and all(value > 0 for value in fastest.values())
    added = fastest["depth and confidence"] - fastest["depth"]
    ratio = (fastest["network"] + added) / fastest["network"]
    assert row["confidence_over_network"] == pytest.approx(ratio, abs=1e-3)
    assert row["telling_over_network"] == pytest.approx(
        fastest["telling"] / fastest["network"], abs=1e-3
    )
