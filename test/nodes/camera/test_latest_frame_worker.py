from __future__ import annotations

import threading
import time

import pytest

from monodepth_ros.nodes.camera.latest_frame_worker import LatestFrameWorker


class HeldWork:
    """Work on a frame that takes until it may go on."""

    def __init__(self) -> None:
        self.started, self.go_on = threading.Event(), threading.Event()
        self.seen: list[int] = []

    def __call__(self, frame: int) -> None:
        self.seen.append(frame)
        self.started.set()
        assert self.go_on.wait(5)


def unexpected(error: Exception) -> None:
    raise AssertionError(error)


def test_the_newest_frame_is_next_and_the_others_are_counted() -> None:
    held = HeldWork()
    worker = LatestFrameWorker(held, unexpected)
    worker.offer(0)
    assert held.started.wait(5)
    for frame in range(1, 6):
        worker.offer(frame)
    assert worker.dropped == 4
    held.started.clear()
    held.go_on.set()
    assert held.started.wait(5)
    assert worker.stop(5)
    assert held.seen == [0, 5]


@pytest.mark.alone
def test_whoever_delivers_never_waits() -> None:
    worker = LatestFrameWorker[int](lambda frame: time.sleep(0.05), unexpected)
    before = time.perf_counter()
    for frame in range(200):
        worker.offer(frame)
    assert time.perf_counter() - before < 0.05
    assert worker.stop(5)


def test_an_error_is_told_and_the_next_frame_is_worked_on() -> None:
    errors: list[Exception] = []
    seen: list[int] = []
    worked = threading.Semaphore(0)

    def work(frame: int) -> None:
        if frame == 0:
            raise ValueError("bad frame")
        seen.append(frame)
        worked.release()

    def tell(error: Exception) -> None:
        errors.append(error)
        worked.release()

    worker = LatestFrameWorker(work, tell)
    for frame in range(2):
        worker.offer(frame)
        assert worked.acquire(timeout=5)
    assert [str(error) for error in errors] == ["bad frame"] and seen == [1]
    assert worker.stop(5)


def test_stopping_lets_go_of_what_waits() -> None:
    held = HeldWork()
    worker = LatestFrameWorker(held, unexpected)
    worker.offer(0)
    assert held.started.wait(5)
    worker.offer(1)
    assert not worker.stop(0.01)
    held.go_on.set()
    assert worker.stop(5)
    worker.offer(2)
    assert held.seen == [0]
