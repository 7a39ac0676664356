"""Recording: nothing lost, split, budgeted, snapped; killed and on a full disk it reads on."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from bag_messages import TYPES, stamp_of
from mcap.reader import SeekingReader
from recorder_frames import FLOAT, IMAGE, frame, recorder, stamps, wait_until

from monodepth_ros.data.bags.file import BagFile
from monodepth_ros.data.bags.recording.marked_bags import marked_bags
from monodepth_ros.data.bags.recording.recorder import BagRecorder, Recorded, RecorderSettings
from monodepth_ros.errors import UserError


def test_every_message_is_there(tmp_path: Path) -> None:
    recording = recorder(tmp_path)
    recording.offer(frame(0))  # before the start: not recorded
    recording.start()
    for number in range(1, 50):
        recording.offer(frame(number))
    (bag,) = recording.stop()
    recording.close()
    assert (bag / "metadata.yaml").is_file()
    assert stamps(bag) == [stamp_of(number) for number in range(1, 50)]
    figures = recording.metrics()
    assert (figures.written, figures.lost, figures.stop_reason) == (49, 0, "")


def test_splits_are_bags_of_their_own(tmp_path: Path) -> None:
    recording = recorder(tmp_path, max_bag_size_mb=0.5, chunk_seconds=0.01)
    recording.start()
    for number in range(30):
        recording.offer(frame(number, padding=1000))
        time.sleep(0.02)  # chunks go to the disk meanwhile
    recording.close()
    bags = sorted(tmp_path.iterdir(), key=lambda bag: int(bag.name.split("_")[3]))
    assert len(bags) > 2
    assert sum((stamps(bag) for bag in bags), []) == [stamp_of(number) for number in range(30)]
    assert [bag.mark.number for bag in marked_bags(tmp_path)] == list(range(1, len(bags) + 1))
    assert [bag.path for bag in marked_bags(tmp_path)] == bags


def test_a_snapshot_holds_the_last_seconds(tmp_path: Path) -> None:
    recording = recorder(tmp_path, snapshot_seconds=1.0)
    with pytest.raises(UserError, match="nothing has come"):
        recording.snapshot()
    for number in range(40):
        recording.offer(frame(number))
    snapshot = recording.snapshot()
    recording.close()
    assert stamps(snapshot) == [stamp_of(number) for number in range(29, 40)]
    with pytest.raises(UserError, match="switched off"):
        recorder(tmp_path).snapshot()


def test_a_snapshot_keeps_to_its_size(tmp_path: Path) -> None:
    recording = recorder(tmp_path, snapshot_seconds=100.0, snapshot_memory_mb=0.02)
    for number in range(40):
        recording.offer(frame(number))
    assert 3 < len(stamps(recording.snapshot())) < 9
    recording.close()


def test_too_little_space_ends_recording(tmp_path: Path) -> None:
    recording = recorder(tmp_path, min_free_disk_mb=1e12)
    recording.start()
    recording.offer(frame(0))
    wait_until(lambda: not recording.metrics().recording)
    assert "free on the disk" in recording.metrics().stop_reason
    recording.close()


def test_a_slow_disk_loses_the_newest_and_counts(tmp_path: Path) -> None:
    recording = recorder(tmp_path, queue_memory_mb=0.0)
    recording.start()
    recording.offer(frame(0))
    recording.close()
    assert recording.metrics().lost == 1


def test_a_topic_that_cannot_be_written_leaves_the_others_alone(tmp_path: Path) -> None:
    recording = recorder(tmp_path)
    recording.start()
    for number in range(20):
        recording.offer(frame(number))
        recording.offer(Recorded("/strange", "no_such_msgs/msg/Thing", stamp_of(number), b"1234"))
    (bag,) = recording.stop()
    recording.close()
    assert len(stamps(bag)) == 20
    figures = recording.metrics()
    assert figures.failures["/strange"].messages == 20 and figures.failures["/strange"].ongoing
    assert (figures.written, figures.failed, figures.skipped, figures.stop_reason) == (
        20,
        20,
        0,
        "",
    )


def test_one_message_that_cannot_be_stored_does_not_end_its_topic(tmp_path: Path) -> None:
    recording = recorder(tmp_path)
    recording.start()
    for number in range(20):
        message = frame(number)
        recording.offer(message._replace(stamp=-1) if number == 7 else message)
    (bag,) = recording.stop()
    recording.close()
    assert stamps(bag) == [stamp_of(number) for number in range(20) if number != 7]
    with open(bag / f"{bag.name}.mcap", "rb") as file:  # the index knows nothing of it
        assert sum(1 for _ in SeekingReader(file).iter_messages()) == 19
    (failure,) = recording.metrics().failures.values()
    assert (failure.messages, failure.ongoing) == (
        1,
        False,
    ) and "struct.error" not in failure.reason
    assert (recording.metrics().written, recording.metrics().failed) == (19, 1)


def test_what_cannot_be_converted_or_judged_is_stored_as_it_came(tmp_path: Path) -> None:
    def fails(message: Recorded) -> Any:
        raise ValueError("no image")

    recording = BagRecorder(RecorderSettings(tmp_path, min_free_disk_mb=0.0), None, fails, fails)
    recording.start()
    for number in range(3):
        recording.offer(frame(number))
    (bag,) = recording.stop()
    recording.close()
    assert stamps(bag) == [stamp_of(number) for number in range(3)]
    figures = recording.metrics()
    assert figures.stored_unchanged == {"/camera/image_raw": (3, "ValueError: no image", True)}
    assert (figures.written, figures.failed, figures.skipped) == (3, 0, 0)


def test_a_second_start_changes_nothing(tmp_path: Path) -> None:
    recording = recorder(tmp_path)
    assert recording.start()
    recording.offer(frame(0))
    wait_until(lambda: recording.metrics().bag)
    under_way = recording.metrics().bag
    assert not recording.start()
    recording.offer(frame(1))
    assert recording.stop() == [under_way]
    assert stamps(under_way) == [stamp_of(0), stamp_of(1)]
    assert recording.stop() == []
    recording.close()


def test_stop_names_all_bags_since_the_start(tmp_path: Path) -> None:
    recording = recorder(tmp_path, max_bag_size_mb=0.05, chunk_seconds=0.0)
    recording.start()
    for number in range(6):
        recording.offer(frame(number, padding=1000))
        time.sleep(0.02)
    bags = recording.stop()
    recording.close()
    assert len(bags) > 1 and sorted(bags) == sorted(tmp_path.iterdir())


def test_a_topic_that_changes_its_type_goes_on_in_a_new_bag(tmp_path: Path) -> None:
    recording = recorder(tmp_path, snapshot_seconds=10.0)
    recording.start()
    other = bytes(TYPES.serialize_cdr(TYPES.types["std_msgs/msg/Float64"](data=1.0), FLOAT))
    for number in range(2):
        recording.offer(frame(number))
    for number in range(2, 5):
        recording.offer(Recorded("/camera/image_raw", FLOAT, stamp_of(number), other))
    first, second = recording.stop()
    snapshot = recording.snapshot()
    recording.close()
    for bag, kind, count in ((first, IMAGE, 2), (second, FLOAT, 3), (snapshot, FLOAT, 3)):
        with BagFile(bag) as opened:
            assert opened.topics == {"/camera/image_raw": kind}
            assert len(list(opened.messages())) == count
    assert recording.metrics().failed == 0


def test_a_snapshot_needs_no_recording_before(tmp_path: Path) -> None:
    recording = recorder(tmp_path / "not_yet_there", snapshot_seconds=5.0)
    recording.offer(frame(0))
    assert stamps(recording.snapshot()) == [stamp_of(0)]
    recording.close()


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="cannot record"):
        recorder(tmp_path / "file" / "bags").start()


WRITER = """
import sys, time
sys.path.insert(0, sys.argv[1])
from recorder_frames import recorder, frame
from pathlib import Path
recording = recorder(Path(sys.argv[2]), chunk_seconds=0.05)
recording.start()
print("recording", flush=True)
for number in range(100_000):
    recording.offer(frame(number))
    time.sleep(0.002)
"""


def test_killed_at_any_moment_it_reads_up_to_the_last_chunk(tmp_path: Path) -> None:
    moments = random.Random(0)
    for attempt in range(5):
        folder = tmp_path / str(attempt)
        command = [
            sys.executable,
            "-c",
            WRITER,
            str(Path(__file__).parents[3] / "support"),
            str(folder),
        ]
        process = subprocess.Popen(command, stdout=subprocess.PIPE)
        assert process.stdout is not None and process.stdout.readline() == b"recording\n"
        lives = 0.3 + moments.random()
        time.sleep(lives)
        process.send_signal(signal.SIGKILL)
        process.wait()
        (bag,) = folder.iterdir()
        found = stamps(bag)
        # In their order and without a gap, up to some chunks before the end.
        assert found == [stamp_of(number) for number in range(len(found))]
        assert len(found) > 10


@pytest.fixture
def small_disk(tmp_path: Path) -> Any:
    """A disk of 3 MB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(disk)], capture_output=True
    )
    if mounted.returncode:
        pytest.skip("mounting a disk of its own needs root")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def test_a_full_disk_leaves_what_was_written(small_disk: Path) -> None:
    earlier = recorder(small_disk)
    earlier.start()
    for number in range(100):
        earlier.offer(frame(number))
    (bag,) = earlier.stop()
    earlier.close()
    recording = recorder(small_disk, chunk_seconds=0.0)
    recording.start()
    number = 0
    while recording.metrics().recording and number < 3000:
        recording.offer(frame(number))
        number += 1
        time.sleep(0.001)
    figures = recording.metrics()
    recording.close()
    assert not figures.recording and "No space left" in figures.stop_reason
    assert len(stamps(bag)) == 100
    (full,) = [path for path in small_disk.iterdir() if path != bag]
    found = stamps(full)
    assert found == [stamp_of(number) for number in range(len(found))]
    assert len(found) > 500
    assert figures.written + figures.lost == number and figures.written <= len(found)


@pytest.mark.alone
def test_processor_time_of_a_camera_with_depth_and_cloud(tmp_path: Path) -> None:
    """What the recorder itself takes of 44 MB a second; a bound far above what is measured."""
    recording = recorder(tmp_path)
    recording.start()
    sizes = (640 * 480 * 3, 192 * 128 * 4, 192 * 128 * 16)
    began = time.process_time()
    for number in range(60):
        for topic, size in zip(("/image", "/depth", "/cloud"), sizes, strict=True):
            recording.offer(Recorded(topic, IMAGE, stamp_of(number), bytes(size)))
    recording.close()
    spent = time.process_time() - began
    assert recording.metrics().lost == 0
    assert spent < 0.5 * 60 / 30
    os.sync()
