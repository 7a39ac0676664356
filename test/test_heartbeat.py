"""Work that says nothing is told of all the same."""

import threading

import pytest

from monodepth_ros import heartbeat
from monodepth_ros.heartbeat import Heartbeat


def test_a_line_comes_while_work_is_silent(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(heartbeat, "_PERIOD", 0.02)
    asked, numbers = threading.Event(), iter(range(1000))

    def describe() -> str:
        number = next(numbers)
        if number == 2:
            asked.set()
        return f"frame {number}"

    with Heartbeat(describe) as beat:
        beat.write("began")
        assert asked.wait(30)
    lines = capsys.readouterr().err.splitlines()
    assert lines[:4] == ["began", "frame 0", "frame 1", "frame 2"]
    assert not beat._thread.is_alive()


def test_it_is_silent_while_others_speak(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(heartbeat, "_PERIOD", 60.0)
    with Heartbeat(lambda: "never"):
        pass
    assert capsys.readouterr().err == ""
