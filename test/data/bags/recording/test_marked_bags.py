"""The recorder knows its bags by their mark: what is not its own is never counted or removed."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

from bag_messages import stamp_of
from recorder_frames import frame, recorder, stamps, wait_until
from rosbags.highlevel import AnyReader

from monodepth_ros.data.bags.recording.marked_bags import MARK, marked_bags


def test_the_budget_ends_recording_or_removes_the_oldest(tmp_path: Path) -> None:
    others = others_bags(tmp_path)
    for remove in (False, True):
        recording = recorder(
            tmp_path,
            max_bag_size_mb=0.2,
            disk_budget_mb=1.0,
            chunk_seconds=0.0,
            remove_oldest=remove,
        )
        recording.start()
        for number in range(40):
            recording.offer(frame(number, padding=1000))
            time.sleep(0.01)
        wait_until(lambda recording=recording: recording.metrics().queued_mb == 0)
        figures = recording.metrics()
        recording.close()
        assert figures.recording == remove
        assert ("budget" in figures.stop_reason) != remove
        bags = [bag for bag in tmp_path.iterdir() if bag not in others]
        assert sum(f.stat().st_size for bag in bags for f in bag.iterdir()) < 1.6e6
        assert all(stamps(bag) for bag in bags)
    assert stamp_of(39) in {stamp for bag in bags for stamp in stamps(bag)}
    for bag in others:
        assert stamps(bag) == [stamp_of(0)]


def others_bags(folder: Path) -> list[Path]:
    """Larger than all budgets, of names like the recorder's own, and each for a reason not its."""
    made = []
    for name, settings in {
        "other prefix": {"prefix": "monodepth_left"},
        "other node": {"recorder": "/rear/recorder_node"},
        "snapshot": {"snapshot_seconds": 1.0},
        "another of that second": {"snapshot_seconds": 1.0},
        "renamed": {},
        "copied": {},
        "older": {},
    }.items():
        recording = recorder(folder, **settings)
        recording.start()
        recording.offer(frame(0, padding=12_000))
        if "snapshot_seconds" in settings:
            made.append(recording.snapshot())
            (bag,) = recording.stop()
            shutil.rmtree(bag)
        else:
            (bag,) = recording.stop()
            made.append(bag)
        recording.close()
        if name == "renamed":
            made[-1] = bag.rename(folder / "monodepth_20000101_000000_1")
        elif name == "copied":
            made[-1] = shutil.copytree(bag, folder / "monodepth_20000101_000000_2")
            shutil.rmtree(bag)
        elif name == "older":  # of a recorder that left no mark
            (bag / MARK).unlink()
    return made


def test_a_marked_bag_is_read_by_others(tmp_path: Path) -> None:
    recording = recorder(tmp_path)
    recording.start()
    recording.offer(frame(0))
    wait_until(lambda: recording.metrics().bag)
    (bag,) = marked_bags(tmp_path)
    assert bag.in_progress
    recording.close()
    assert not bag.in_progress and (bag.path / MARK).is_file()
    with AnyReader([bag.path]) as reader:
        assert [stamp for _, stamp, _ in reader.messages()] == [stamp_of(0)]
