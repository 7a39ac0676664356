"""Heat and power from files as Linux has them."""

import math
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("rclpy", reason="no ROS 2: install the extra [ros]")

from monodepth_ros.nodes.tuner.machine_state import power, session_memory_mb, temperature


def test_the_hottest_zone_counts(tmp_path: Path) -> None:
    assert math.isnan(temperature(tmp_path))
    for number, text in enumerate(("45000\n", "61500\n", "unreadable")):
        zone = tmp_path / f"thermal_zone{number}"
        zone.mkdir()
        (zone / "temp").write_text(text)
    assert temperature(tmp_path) == 61.5


def test_power_is_that_of_all_sensors(tmp_path: Path) -> None:
    assert math.isnan(power("", tmp_path))
    of_a_pc, of_a_jetson = tmp_path / "hwmon0", tmp_path / "hwmon1"
    of_a_pc.mkdir()
    of_a_jetson.mkdir()
    (of_a_pc / "power1_input").write_text("12000000")
    (of_a_jetson / "in1_input").write_text("5000")  # millivolts
    (of_a_jetson / "curr1_input").write_text("1500")  # milliamperes
    assert power("", tmp_path) == pytest.approx(12.0 + 7.5)
    assert power(str(of_a_pc / "power1_input"), tmp_path) == 12.0
    assert math.isnan(power(str(tmp_path / "none"), tmp_path))


PROGRAM = """
import mmap, subprocess, sys
megabytes, file, child, program = sys.argv[1:]
opened = open(file, "rb")
mapped = mmap.mmap(opened.fileno(), 0, prot=mmap.PROT_READ)
touched = sum(mapped[page] for page in range(0, len(mapped), mmap.PAGESIZE))
own = bytearray(b"x" * (int(megabytes) * 10**6))
if child:
    command = [sys.executable, "-c", program, child, file, "", ""]
    other = subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.PIPE)
    other.stdout.readline()
print("ready", flush=True)
sys.stdin.read()
"""


def test_memory_is_what_a_program_and_its_children_have_for_themselves(tmp_path: Path) -> None:
    """60 MB and 30 MB of a child, each beside its interpreter; not the 200 MB of a mapped file."""
    with (tmp_path / "cache").open("wb") as file:
        file.truncate(200_000_000)
    command = [sys.executable, "-c", PROGRAM, "60", str(tmp_path / "cache"), "30", PROGRAM]
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
    )
    try:
        assert process.stdout is not None and process.stdout.readline() == b"ready\n"
        pages = Path(f"/proc/{process.pid}/statm").read_text().split()
        assert int(pages[1]) * 4096 > 250e6  # the file is resident
        assert 90 < session_memory_mb(process.pid) < 150
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def test_a_name_of_a_process_may_hold_anything(tmp_path: Path) -> None:
    for number, session in ((7, 7), (8, 7), (9, 1)):
        process = tmp_path / str(number)
        process.mkdir()
        (process / "stat").write_text(f"{number} (a) b) S 1 7 {session} 0 -1")
        (process / "status").write_text("VmRSS: 9000 kB\nRssAnon:\t 1000 kB\nVmSwap:\t500 kB\n")
    (tmp_path / "10").mkdir()  # has just ended
    assert session_memory_mb(7, tmp_path) == pytest.approx(2 * 1.5 * 1.024)
