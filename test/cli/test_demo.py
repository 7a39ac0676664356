"""`monodepth demo`: real nodes as processes of their own, and what it leaves behind."""

import json
import os
import signal
import subprocess
import sys
from importlib.util import find_spec

import pytest
from PIL import Image
from rosbags.highlevel import AnyReader
from typer.testing import CliRunner

from monodepth_ros.cli.app import app
from monodepth_ros.cli.demo import _claim
from monodepth_ros.errors import UserError

needs_ros = pytest.mark.skipif(
    "not __import__('importlib').util.find_spec('rclpy')",
    reason="no ROS 2: install the extra [ros]",
)


def run(*arguments):
    return CliRunner().invoke(app, ["demo", *map(str, arguments)])


def stamps(bag: AnyReader, topic: str) -> set[int]:
    messages = bag.messages([c for c in bag.connections if c.topic == topic])
    headers = (bag.deserialize(raw, connection.msgtype).header for connection, _, raw in messages)
    return {header.stamp.sec * 10**9 + header.stamp.nanosec for header in headers}


@pytest.mark.alone
@pytest.mark.slow
@needs_ros
def test_the_walk_that_comes_with_the_package_and_then_its_own_bag(tmp_path, ros_environment):
    out = tmp_path / "out"
    result = run("--out", out, "--device", "cpu", "--seconds", "3")
    assert result.exit_code == 0, result.output
    figures = json.loads((out / "figures.json").read_text())
    assert figures["images"]["count"] == pytest.approx(45, abs=2)
    assert figures["depth"]["count"] > 5 and figures["depth"]["abs_rel"] < 0.2
    assert figures["odometry"]["count"] > 5 and figures["odometry"]["ate_m"] < 1
    assert set(figures["dropped"]) == {"depth_node", "odometry_node"}
    assert sum(figures["odometry"]["motions"].values()) > 5
    with AnyReader([out / "bag"]) as bag:
        counts = {c.topic: c.msgcount for c in bag.connections}
        results = ("/camera/depth/image_rect", "/camera/depth/confidence", "/camera/odom")
        complete = set.intersection(*(stamps(bag, topic) for topic in results))
    assert counts["/camera/image_raw"] == figures["images"]["count"]
    assert counts["/camera/depth/image_rect"] == figures["depth"]["count"]
    assert counts["/camera/odom"] == figures["odometry"]["count"]
    # The walk knows its pose at each image, and depth at every third.
    assert counts["/camera/ground_truth/pose"] == counts["/camera/image_raw"]
    assert counts["/camera/ground_truth/depth"] == -(-counts["/camera/image_raw"] // 3)
    assert counts["/diagnostics"] > 0 and counts["/camera/depth/points"] > 0
    pictures = sorted((out / "pictures").glob("*.png"))
    assert len(pictures) == min(6, len(complete)) > 0
    assert {Image.open(path).size for path in pictures} == {(3 * 320 + 192, 192)}
    assert find_spec("rerun") is None or (out / "demo.rrd").stat().st_size > 10_000
    for log in ("depth_node.log", "odometry_node.log"):
        assert "Traceback" not in (out / log).read_text()

    truth = ["--depth", "/camera/ground_truth/depth", "--poses", "/camera/ground_truth/pose"]
    replay = ["replay", str(out / "bag"), "--out", str(tmp_path / "replayed"), *truth, "--json"]
    replayed = CliRunner().invoke(app, [*replay, "--device", "cpu", "--method", "refined"])
    assert replayed.exit_code == 0, replayed.output
    measured = json.loads(replayed.stdout)
    assert measured["abs_rel"] == pytest.approx(figures["depth"]["abs_rel"], rel=0.5)
    assert measured["length_m"] == pytest.approx(figures["odometry"]["length_m"], rel=0.1)
    assert measured["ate_m"] < 0.2

    again = tmp_path / "again"
    result = run("--input", out / "bag", "--out", again, "--device", "cpu", "--seconds", "1")
    assert result.exit_code == 0, result.output
    figures = json.loads((again / "figures.json").read_text())
    assert figures["depth"]["count"] > 0 and "abs_rel" not in figures["depth"]


@needs_ros
def test_what_is_no_input_is_refused(tmp_path, ros_environment, capfd):
    result = run("--input", tmp_path / "nothing", "--out", tmp_path / "out", "--device", "cpu")
    assert result.exit_code == 2
    assert "nothing" in capfd.readouterr().err


def test_a_folder_of_somebody_elses_is_left_alone(tmp_path):
    (tmp_path / "thesis.tex").write_text("precious")
    result = run("--out", tmp_path)
    assert result.exit_code == 2
    assert "not a demo's" in result.stderr or "no ROS 2" in result.stderr
    assert (tmp_path / "thesis.tex").read_text() == "precious"


WRITTEN = (
    "depth_node.log", "odometry_node.log", "figures.json", "demo.rrd", "log/python3_7_8.log",
    "bag/metadata.yaml", "bag/bag.mcap", "pictures/000.00s.png", "pictures/012.34s.png",
)  # fmt: skip


def write(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)


def test_what_an_earlier_demo_wrote_is_removed(tmp_path):
    _claim(tmp_path / "new")
    assert list((tmp_path / "new").iterdir()) == []
    write(tmp_path / "new", *WRITTEN)
    _claim(tmp_path / "new")
    assert list((tmp_path / "new").iterdir()) == []


@pytest.mark.parametrize(
    "mine", ["notes.txt", "pictures/mine.png", "bag/other.mcap", "bag/deep/bag.mcap", "log/a/b.log"]
)
def test_what_lies_beside_it_is_not(tmp_path, mine):
    write(tmp_path, *WRITTEN, mine)
    with pytest.raises(UserError, match=f"holds {mine}, not a demo's"):
        _claim(tmp_path)
    assert all((tmp_path / name).read_text() == name for name in (*WRITTEN, mine))


def test_a_bag_of_the_users_is_no_demos(tmp_path):
    write(tmp_path, "bag/metadata.yaml", "bag/bag.mcap")
    with pytest.raises(UserError, match="not a demo's"):
        _claim(tmp_path)
    assert (tmp_path / "bag/bag.mcap").exists()


@pytest.mark.slow
@needs_ros
def test_an_interrupted_demo_keeps_what_it_has_recorded(tmp_path, ros_environment):
    out = tmp_path / "out"
    program = "from monodepth_ros.cli.app import main; main()"
    demo = subprocess.Popen(
        [sys.executable, "-c", program, "demo", "--out", str(out), "--device", "cpu"],
        env=ros_environment,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,  # a terminal's Ctrl-C goes to a whole group
        # Jobs in the background of a script ignore SIGINT, and so would what they start.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    for line in demo.stdout:
        if "depth" in line and "Hz" in line:
            break
    os.killpg(demo.pid, signal.SIGINT)
    output, _ = demo.communicate(timeout=60)
    assert demo.returncode == 0 and "figures.json" in output, output
    figures = json.loads((out / "figures.json").read_text())
    assert 0 < figures["depth"]["count"] and figures["images"]["count"] < 150
    with AnyReader([out / "bag"]) as bag:
        assert sum(c.msgcount for c in bag.connections if c.topic.endswith("image_rect")) > 0
