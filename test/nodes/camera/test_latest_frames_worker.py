from __future__ import annotations

import threading
import time

import pytest

from monodepth_ros.nodes.camera.latest_frames_worker import LatestFramesWorker


class HeldWork:
    """Work on frames that takes until it may go on."""

    def __init__(self) -> None:
        self.started, self.go_on = threading.Event(), threading.Event()
        self.seen: list[dict[str, int]] = []

    def __call__(self, frames: dict[str, int]) -> None:
        self.seen.append(frames)
        self.started.set()
        assert self.go_on.wait(5)


def unexpected(error: Exception) -> None:
    raise AssertionError(error)


def test_the_newest_frame_is_next_and_the_others_are_dropped() -> None:
    held = HeldWork()
    worker = LatestFramesWorker(held, unexpected)
    assert not worker.offer("front", 0)
    assert held.started.wait(5)
    assert [worker.offer("front", frame) for frame in range(1, 6)] == [False] + [True] * 4
    held.started.clear()
    held.go_on.set()
    assert held.started.wait(5)
    assert worker.stop(5)
    assert held.seen == [{"front": 0}, {"front": 5}]


def test_frames_that_wait_together_are_processed_together() -> None:
    held = HeldWork()
    worker = LatestFramesWorker(held, unexpected)
    worker.offer("front", 0)
    assert held.started.wait(5)
    assert not any(worker.offer(camera, 1) for camera in ("rear", "left", "front"))
    held.started.clear()
    held.go_on.set()
    assert held.started.wait(5)
    assert worker.stop(5)
    assert held.seen == [{"front": 0}, {"rear": 1, "left": 1, "front": 1}]


def test_no_camera_starves_beside_faster_ones() -> None:
    """Two of three cameras fit: whoever was served longest ago comes first, whatever its rate."""
    turns: list[list[str]] = []
    rates = {"slow": 1, "fast": 10, "faster": 100}
    ready, go_on = threading.Semaphore(0), threading.Semaphore(0)

    def work(frames: dict[str, int]) -> None:
        turns.append(list(frames))
        ready.release()
        assert go_on.acquire(timeout=5)

    worker = LatestFramesWorker(work, unexpected, max_batch=2)
    worker.offer("fast", -1)
    for turn in range(6):
        assert ready.acquire(timeout=5)
        for camera, rate in rates.items():
            for k in range(rate):
                worker.offer(camera, 100 * turn + k)
        go_on.release()
    assert ready.acquire(timeout=5)
    go_on.release(10)
    assert worker.stop(5)
    assert turns[0] == ["fast"]
    served = [camera for cameras in turns[1:] for camera in cameras]
    assert served == ["slow", "faster", "fast"] * 4


@pytest.mark.alone
def test_whoever_delivers_never_waits() -> None:
    worker = LatestFramesWorker[str, int](lambda frames: time.sleep(0.05), unexpected)
    before = time.perf_counter()
    for frame in range(200):
        worker.offer("front", frame)
    assert time.perf_counter() - before < 0.05
    assert worker.stop(5)


def test_an_error_is_told_and_the_next_frame_is_worked_on() -> None:
    errors: list[Exception] = []
    seen: list[int] = []
    worked = threading.Semaphore(0)

    def work(frames: dict[str, int]) -> None:
        if frames["front"] == 0:
            raise ValueError("bad frame")
        seen.append(frames["front"])
        worked.release()

    def tell(error: Exception) -> None:
        errors.append(error)
        worked.release()

    worker = LatestFramesWorker(work, tell)
    for frame in range(2):
        worker.offer("front", frame)
        assert worked.acquire(timeout=5)
    assert [str(error) for error in errors] == ["bad frame"] and seen == [1]
    assert worker.stop(5)


def test_stopping_lets_go_of_what_waits() -> None:
    held = HeldWork()
    worker = LatestFramesWorker(held, unexpected)
    worker.offer("front", 0)
    assert held.started.wait(5)
    worker.offer("front", 1)
    assert not worker.stop(0.01)
    held.go_on.set()
    assert worker.stop(5)
    worker.offer("front", 2)
    assert held.seen == [{"front": 0}]
