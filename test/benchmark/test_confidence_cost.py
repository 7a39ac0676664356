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
    assert all(value > 0 for value in found["fastest_tenth_ms"].values())
    fastest = found["fastest_tenth_ms"]
    added = fastest["depth and confidence"] - fastest["depth"]
    assert found["confidence_ms"] == pytest.approx(added)
    ratio = (fastest["network"] + added) / fastest["network"]
    assert found["network_with_confidence_over_network"] == pytest.approx(ratio)
