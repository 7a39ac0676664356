"""A tuning on board with a process that follows a script: limits, verdicts, hand-over, restarts."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("rclpy", reason="no ROS 2: install the extra [ros]")

from monodepth_ros.errors import UserError
from monodepth_ros.nodes.tuner import job as tuning_job
from monodepth_ros.nodes.tuner.job import TuningJob, TuningLimits, outcome
from monodepth_ros.share_directory import share_directory
from monodepth_ros.zoo.versions import ModelVersions

QUICK = TuningLimits(max_latency_ratio=1.5, baseline_seconds=0.05, min_pause_seconds=0.1)


class Live:
    """Live nodes whose latency, health and willingness the test decides."""

    def __init__(self) -> None:
        self.ratio = 1.0
        self.loaded: list[str] = []
        self.refuses: set[str] = set()
        self.problem = ""

    def latencies(self, seconds: float) -> dict[str, float]:
        return {"depth_node": 20.0}

    def max_slowdown(self, baseline: dict[str, float]) -> tuple[str, float]:
        assert baseline == {"depth_node": 20.0}
        return "depth_node", self.ratio

    def current_error(self) -> str:
        return self.problem if self.loaded and self.loaded[-1] != "demo" else ""

    def load_model(self, model: str) -> list[str]:
        if model in self.refuses:
            raise UserError(f"depth_node cannot load {model}")
        self.loaded.append(model)
        return ["depth_node"]


class Process:
    """In the place of `monodepth tune`: runs until the test ends it."""

    started: list[Process]  # noqa: F821 - of this class

    def __init__(self, arguments: list[str], log: Path, threads: int) -> None:
        self.arguments, self.paused, self.memory_mb = arguments, False, 100.0
        self.status: int | None = None
        self.pauses = 0
        log.write_text("step 10/100\n")
        Process.started.append(self)

    def pause(self) -> None:
        self.pauses += not self.paused
        self.paused = True

    def resume(self) -> None:
        self.paused = False

    def stop(self, seconds: float) -> None:
        self.status = 1


@pytest.fixture
def live() -> Live:
    return Live()


@pytest.fixture
def job(tmp_path: Path, live: Live, monkeypatch: pytest.MonkeyPatch) -> Callable[..., TuningJob]:
    """Makes jobs of one folder."""
    Process.started = []
    monkeypatch.setattr(tuning_job, "TuningProcess", Process)
    monkeypatch.setattr(tuning_job, "_POLL_PERIOD", 0.02)
    monkeypatch.setattr(tuning_job, "_PROBATION", 0.05)
    (tmp_path / "models").mkdir()
    folder = tmp_path / "tunings" / "tuned_1"
    TuningJob.create(folder, ["BAG", "--out", str(folder)])

    def make(limits: TuningLimits = QUICK, hand_over: bool = True) -> Any:
        versions = ModelVersions(tmp_path / "models", "tuned", "demo")
        return TuningJob(folder, limits, live, versions, hand_over)  # type: ignore[arg-type]

    return make


def until(condition: Callable[[], Any]) -> None:
    end = time.monotonic() + 10.0
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def process() -> Process:
    until(lambda: Process.started)
    return Process.started[-1]


def verdict(job: TuningJob, better: bool) -> None:
    """What `monodepth tune` leaves behind."""
    candidate = job.folder / job.folder.name
    shutil.copytree(share_directory() / "models" / "demo", candidate, dirs_exist_ok=True)
    content = {"model": str(candidate), "better": better, "reason": "0.2 -> 0.1"}
    (job.folder / "verdict.json").write_text(json.dumps(content))


def test_a_better_model_is_handed_over(job: Any, live: Live, tmp_path: Path) -> None:
    one = job()
    one.start()
    assert process().arguments[0] == "BAG"
    until(lambda: (one.stage, one.detail) == ("tuning", "step 10/100"))
    assert TuningJob.unfinished(tmp_path / "tunings")
    verdict(one, better=True)
    process().status = 0
    until(lambda: not one.running)
    assert one.stage == "handed over" and live.loaded == [str(tmp_path / "models" / "tuned")]
    assert (tmp_path / "models" / "tuned").resolve().name == "tuned_1"
    assert outcome(one.folder).startswith("handed over: tuned_1 to depth_node: 0.2 -> 0.1")
    assert not TuningJob.unfinished(tmp_path / "tunings")


def test_a_worse_model_is_not(job: Any, live: Live) -> None:
    one = job()
    one.start()
    verdict(one, better=False)
    process().status = 0
    until(lambda: not one.running)
    assert one.stage == "kept" and live.loaded == []


def test_a_model_can_wait_for_its_user(job: Any, live: Live) -> None:
    one = job(hand_over=False)
    one.start()
    verdict(one, better=True)
    process().status = 0
    until(lambda: not one.running)
    assert one.stage == "better" and live.loaded == []


def test_it_pauses_while_live_nodes_are_slow(job: Any, live: Live) -> None:
    one = job()
    one.start()
    until(lambda: one.stage == "tuning")
    live.ratio = 2.0
    until(lambda: process().paused)
    until(lambda: one.stage == "paused")
    assert one.detail == "the latency of depth_node is 2.0 times that before"
    live.ratio = 1.0
    until(lambda: not process().paused)
    assert process().pauses == 1
    one.stop()


def test_it_pauses_while_too_much_power_is_drawn(job: Any, tmp_path: Path) -> None:
    sensor = tmp_path / "power"
    sensor.write_text("50000000\n")
    one = job(
        TuningLimits(
            max_power=30, power_sensor=str(sensor), max_latency_ratio=0, min_pause_seconds=0
        )
    )
    one.start()
    until(lambda: one.stage == "paused")
    assert one.detail == "50.0 W, max_power is 30.0"
    sensor.write_text("20000000\n")
    until(lambda: one.stage == "tuning")
    one.stop()


def test_too_much_memory_ends_it(job: Any) -> None:
    one = job(TuningLimits(max_memory_mb=50, max_latency_ratio=0))
    one.start()
    until(lambda: not one.running)
    assert outcome(one.folder).startswith("failed: it needs more than max_memory_mb, 50 MB")


def test_a_stopped_one_goes_on_later(job: Any, tmp_path: Path) -> None:
    one = job()
    one.start()
    until(lambda: one.stage == "tuning")
    one.stop()
    assert one.stage == "stopped" and process().status == 1
    assert TuningJob.unfinished(tmp_path / "tunings") == [one.folder]
    again = job()
    again.start()
    until(lambda: len(Process.started) == 2)
    assert Process.started[0].arguments == Process.started[1].arguments
    again.stop()


def test_a_killed_process_is_started_again_but_not_for_ever(job: Any) -> None:
    one = job()
    one.start()
    for number in range(1, 8):
        until(lambda number=number: len(Process.started) == number)
        if number == 3:  # it has got further
            (one.folder / "run").mkdir()
            (one.folder / "run" / "last.ckpt").touch()
        Process.started[-1].status = -9
    until(lambda: not one.running)
    assert outcome(one.folder).startswith("failed: killed 5 times without progress")


def test_wrong_data_is_told_with_its_reason(job: Any) -> None:
    one = job()
    one.start()
    running = process()
    (one.folder / "tuning.log").write_text("extracting\nmonodepth: BAG: 2 frames are too few\n\n")
    running.status = 2
    until(lambda: not one.running)
    assert outcome(one.folder) == "failed: monodepth: BAG: 2 frames are too few"


def test_an_interrupted_hand_over_is_done_again(job: Any, live: Live, tmp_path: Path) -> None:
    """Killed between the verdict and the outcome: no learning again, the nodes are told again."""
    one = job()
    verdict(one, better=True)
    ModelVersions(tmp_path / "models", "tuned", "demo").adopt(one.folder / one.folder.name)
    one.start()
    until(lambda: not one.running)
    assert not Process.started and one.stage == "handed over" and len(live.loaded) == 1


def test_nodes_that_refuse_get_their_model_back(job: Any, live: Live, tmp_path: Path) -> None:
    live.refuses = {str(tmp_path / "models" / "tuned")}
    one = job()
    verdict(one, better=True)
    one.start()
    until(lambda: not one.running)
    assert one.stage == "failed" and "depth_node cannot load" in one.detail
    assert live.loaded == ["demo"] and not (tmp_path / "models" / "tuned").exists()


def test_nodes_that_fail_with_it_get_their_model_back(job: Any, live: Live, tmp_path: Path) -> None:
    live.problem = "depth_node: every image fails"
    one = job()
    verdict(one, better=True)
    one.start()
    until(lambda: not one.running)
    assert one.stage == "failed" and "with tuned_1, depth_node: every image" in one.detail
    assert live.loaded == [str(tmp_path / "models" / "tuned"), "demo"]


def test_an_abandoned_one_is_not_gone_on_with(job: Any, tmp_path: Path) -> None:
    folder = job().folder
    TuningJob.abandon(folder, "tuned_2 came after it")
    assert not TuningJob.unfinished(tmp_path / "tunings")
    assert outcome(folder) == "abandoned: tuned_2 came after it"


def test_frames_that_were_extracted_are_progress(job: Any) -> None:
    one = job()
    assert one._progress() == 0.0
    table = one.folder / "sequences" / "000_bag" / "image_raw" / "frames.csv"
    table.parent.mkdir(parents=True)
    table.touch()
    assert one._progress() > 0.0
