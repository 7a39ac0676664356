"""The process that tries engines: refusals are told, and what is slow is not run often."""

import time

import pytest
from toy_engine import ToyEngine

from monodepth_ros.errors import UserError
from monodepth_ros.inference.engines import trial
from monodepth_ros.inference.engines.choice import Candidate, Job

MILLISECONDS = {"fp32": 4.0, "bf16": 1.0, "fp16": 100.0}


class SleepingEngine(ToyEngine):
    runs = 0

    def inverse_depth(self, frames):
        self.runs += 1
        time.sleep(MILLISECONDS[self.precision] / 1000)
        return super().inverse_depth(frames)


@pytest.fixture
def engines(monkeypatch, card):
    made = {}

    def load(folder, engine, device, precision, size, threads):
        if engine == "absent":
            raise UserError("not installed")
        if engine == "crashing":
            raise RuntimeError("bad graph")
        return made.setdefault(precision, SleepingEngine(card, precision, size))

    def check(engine, folder, networks):
        return "too far" if engine.precision == "int8" else ""

    monkeypatch.setattr(trial, "load_engine", load)
    monkeypatch.setattr(trial, "short_check", check)
    monkeypatch.setattr(trial, "_SECONDS", 0.0)
    return made


def test_all_candidates_are_announced_and_tried(engines):
    candidates = [
        *(Candidate("sleeping", precision) for precision in ("fp32", "bf16", "fp16", "int8")),
        Candidate("absent", "fp32"),
        Candidate("crashing", "fp32"),
    ]
    announced = []
    trials = trial.try_engines(Job("folder", "cpu", (64, 96), 1), candidates, announced.append)
    assert announced == [one.candidate for one in trials] == candidates
    refused = ["", "", "", "too far", "not installed", "RuntimeError: bad graph"]
    assert [one.refused for one in trials] == refused
    times = [one.milliseconds for one in trials]
    assert times[1] < times[0] < times[2]
    assert times[3:] == [None, None, None]
    assert engines["fp16"].runs == 2  # one to warm up, one that shows that it is too slow
    assert engines["bf16"].runs == 2 + 3 * 3


def test_one_that_is_left_alone_is_not_timed(engines):
    candidates = [Candidate("sleeping", "fp32"), Candidate("sleeping", "int8")]
    alone, refused = trial.try_engines(Job("f", "cpu", (64, 96), 1), candidates, lambda _: None)
    assert (alone.milliseconds, alone.refused, refused.refused) == (None, "", "too far")
    assert engines["fp32"].runs == 0
