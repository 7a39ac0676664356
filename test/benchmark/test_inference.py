"""The benchmarks of inference: what is made of what was measured, and one small run."""

import json
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

BENCHMARK = Path(__file__).parents[2] / "benchmark"


@pytest.fixture(autouse=True)
def programs(monkeypatch: pytest.MonkeyPatch) -> None:
    """The programs import each other as when they are run."""
    monkeypatch.syspath_prepend(BENCHMARK / "common")
    monkeypatch.syspath_prepend(BENCHMARK)


@pytest.fixture
def inference_run() -> ModuleType:
    import inference_run

    return inference_run


def test_medians_are_those_of_all_turns(inference_run: ModuleType) -> None:
    turns = [
        {"milliseconds": [4.0, 4.0, 10.0], "peak_bytes": 5},
        {"milliseconds": [2.0, 4.0], "peak_bytes": 7},
    ]
    row = inference_run.Row("auto", {"engine": {"precision": "bf16"}}, turns).as_json(batch=2)
    assert row["median_ms"] == 4.0 and row["turn_medians_ms"] == [4.0, 3.0]
    assert row["images_per_second"] == 500.0 and row["peak_bytes"] == 7


def test_share_of_peak_is_of_the_precision_that_an_engine_says(inference_run: ModuleType) -> None:
    measured = {"images_per_second": 10.0, "median_ms": 100.0, "turn_medians_ms": [200.0, 50.0]}
    row = {**measured, "engine": {"precision": "bf16"}}
    assert inference_run._share_of_peak(row, 5, {"fp32": 50.0, "bf16": 200.0}) == 0.5
    assert inference_run._share_of_peak(measured, 5, {"fp32": 100.0}) == 1.0
    assert inference_run._share_of_peak({"refused": "no"}, 5, {"fp32": 100.0}) is None


def test_ratios_leave_out_who_did_not_run(inference_run: ModuleType) -> None:
    rows = [
        {"contender": "eager", "median_ms": 6.0},
        {"contender": "auto", "median_ms": 2.0},
        {"contender": "openvino:fp32", "refused": "not installed"},
    ]
    assert inference_run.ratios(rows, "eager") == {"eager": 1.0, "auto": 3.0}
    assert inference_run.ratios(rows, "reference") == {}


def test_every_second_round_goes_backwards() -> None:
    import turns

    class Noting:
        def __init__(self, name: str) -> None:
            self.name = name

        def ask(self, question: dict[str, Any]) -> dict[str, Any]:
            asked.append(self.name)
            return question

    asked: list[str] = []
    answers = turns.in_turns({name: Noting(name) for name in "abc"}, 2, {"seconds": 1})
    assert asked == ["a", "b", "c", "c", "b", "a"]
    assert answers["b"] == [{"seconds": 1}] * 2


def test_metrics_of_either_evaluation_are_read() -> None:
    import offline

    ours = json.dumps({"abs_rel": 0.115, "a1": 0.877, "rmse": 4.8})
    theirs = """ Scaling ratios | med: 30.1 | std: 0.1
   abs_rel |   sq_rel |     rmse | rmse_log |       a1 |       a2 |       a3 |
&   0.115  &   0.903  &   4.863  &   0.193  &   0.877  &   0.959  &   0.981  \\\\"""
    assert offline.metrics_of(ours) == offline.metrics_of(theirs) == {"abs_rel": 0.115, "a1": 0.877}


def test_truth_for_both_evaluations_is_the_same(tmp_path: Path) -> None:
    import offline
    from drive_recording import write_recording

    from monodepth_ros.data.layouts.kitti_raw import open_kitti_raw

    write_recording(tmp_path, frames=2)
    truth = offline.write_truth(tmp_path, 2)
    (sequence,) = open_kitti_raw(tmp_path, truth="improved")
    for number in range(2):
        depth = sequence.depth(number)
        assert depth is not None
        np.testing.assert_array_equal(np.nan_to_num(depth, nan=0.0), truth[number])


@pytest.mark.slow
def test_engines_are_measured_beside_eager_torch(tmp_path: Path) -> None:
    import inference

    out = tmp_path / "report.json"
    inference.main(
        ["--tiny", "--models", "demo", "--engines", "torch:fp32", "none:fp32", "--out", str(out)]
    )
    report = json.loads(out.read_text())
    (case,) = report["cases"]
    eager, torch, none = case["rows"]
    assert eager["difference"] == 0.0 and torch["difference"] < 1e-4
    assert 0 < torch["median_ms"] <= torch["p95_ms"] and 0 < torch["share_of_peak"] < 1.5
    assert "none" in none["refused"]
    assert report["machine"]["cores"] > 0 and "torch" in report["machine"]["versions"]
