"""Trajectory files: exact round trips, and every malformed line named."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from monodepth_ros.errors import UserError
from monodepth_ros.evaluation.trajectory import (
    Trajectory,
    match_by_frame,
    match_by_stamp,
    read_trajectory,
    write_trajectory,
)

IDENTITY_ROW = "1 0 0 0 0 1 0 0 0 0 1 0"


def random_trajectory(count=6, seed=0, keys=None):
    random = np.random.default_rng(seed)
    poses = np.tile(np.eye(4), (count, 1, 1))
    poses[:, :3, :3] = Rotation.random(count, rng=random).as_matrix()
    poses[:, :3, 3] = random.normal(size=(count, 3)) * 10
    return Trajectory(np.arange(float(count)) if keys is None else np.asarray(keys, float), poses)


@pytest.mark.parametrize("format", ["kitti", "tum"])
@pytest.mark.parametrize("keys", [None, [2, 3, 5, 8, 9, 1000]])
def test_round_trip(tmp_path, format, keys):
    written = random_trajectory(keys=keys)
    if format == "tum":
        write_trajectory(written, tmp_path / "t.txt")
    else:
        rows = written.poses[:, :3].reshape(-1, 12)
        numbered = np.column_stack([written.keys, rows])
        np.savetxt(tmp_path / "t.txt", rows if keys is None else numbered)
    read = read_trajectory(tmp_path / "t.txt", format)
    np.testing.assert_array_equal(read.keys, written.keys)
    np.testing.assert_allclose(read.poses, written.poses, atol=1e-14)


def test_kitti_row_is_the_upper_part_of_the_pose(tmp_path):
    (tmp_path / "t.txt").write_text("0 -1 0 1.5 1 0 0 2.5 0 0 1 3.5\n")
    pose = read_trajectory(tmp_path / "t.txt", "kitti").poses[0]
    assert pose.tolist() == [[0, -1, 0, 1.5], [1, 0, 0, 2.5], [0, 0, 1, 3.5], [0, 0, 0, 1]]


def test_tum_quaternion_is_x_y_z_w_and_comments_are_skipped(tmp_path):
    half = np.sqrt(0.5)
    (tmp_path / "t.txt").write_text(f"# stamp tx ...\n\n1.25 1 2 3 0 0 {half} {half}\n")
    trajectory = read_trajectory(tmp_path / "t.txt", "tum")
    assert trajectory.keys.tolist() == [1.25]
    expected = [[0, -1, 0, 1], [1, 0, 0, 2], [0, 0, 1, 3], [0, 0, 0, 1]]
    np.testing.assert_allclose(trajectory.poses[0], expected, atol=1e-12)


def test_rounded_quaternion_becomes_a_rotation(tmp_path):
    (tmp_path / "t.txt").write_text("0 0 0 0 0.501 0.499 0.5 0.503\n")
    R = read_trajectory(tmp_path / "t.txt", "tum").poses[0, :3, :3]
    np.testing.assert_allclose(R @ R.T, np.eye(3), atol=1e-12)


@pytest.mark.parametrize(
    ("format", "second_line", "complaint"),
    [
        ("kitti", "1 0 0 0 0 1 0 0 0 0 1", "11 numbers"),
        ("kitti", "1 0 0 zero 0 1 0 0 0 0 1 0", "not numbers"),
        ("kitti", "2 0 0 0 0 1 0 0 0 0 1 0", "not a rotation"),
        ("kitti", "-1 0 0 0 0 1 0 0 0 0 1 0", "not a rotation"),
        ("kitti", "0.5 " + IDENTITY_ROW, "whole number"),
        ("kitti", "0 " + IDENTITY_ROW, "not after"),
        ("tum", "1 0 0 0 0 0 1", "7 numbers"),
        ("tum", "nan 0 0 0 0 0 0 1", "stamp is not finite"),
        ("kitti", "inf " + IDENTITY_ROW, "whole number"),
        ("tum", "1 0 0 0 0 0 0 1 0", "9 numbers"),
        ("tum", "1 0 0 0 0 0 0 3", "norm 3"),
        ("tum", "0 0 0 0 0 0 0 1", "not after"),
    ],
)
def test_malformed_line_is_named(tmp_path, format, second_line, complaint):
    first = IDENTITY_ROW if format == "kitti" else "0 0 0 0 0 0 0 1"
    path = tmp_path / "t.txt"
    path.write_text(f"{first}\n{second_line}\n")
    with pytest.raises(UserError, match=complaint) as error:
        read_trajectory(path, format)
    assert f"{path}:2:" in str(error.value)


FULL = "1403636580.450000048"


def test_a_repeated_stamp_is_named_in_full_with_both_lines(tmp_path):
    (tmp_path / "t.txt").write_text(f"{FULL} 0 0 0 0 0 0 1\n\n{FULL} 1 0 0 0 0 0 1\n")
    with pytest.raises(UserError, match=f"t.txt:3: .* {FULL} is not after {FULL} of line 1: it is"):
        read_trajectory(tmp_path / "t.txt", "tum")


@pytest.mark.parametrize(
    ("format", "lost"),
    [
        ("tum", "1 0 0 0 0 0 0 0"),
        ("tum", "1 nan nan nan 0 0 0 1"),
        ("tum", "0 2 3 4 nan 0 0 0"),
        ("kitti", "0 0 0 0 0 0 0 0 0 0 0 0"),
        ("kitti", "0 0 0 5 0 0 0 0 0 0 0 0"),
        ("kitti", "1 0 0 nan 0 1 0 0 0 0 1 0"),
        ("kitti", " ".join(["-inf"] * 12)),
    ],
)
def test_an_unknown_pose_is_left_out_and_its_line_kept(tmp_path, format, lost):
    rows = {"tum": ["0 0 0 0 0 0 0 1", lost, "2 1 0 0 0 0 0 1"]}
    rows["kitti"] = [IDENTITY_ROW, lost, IDENTITY_ROW]
    (tmp_path / "t.txt").write_text("# poses\n" + "\n".join(rows[format]) + "\n")
    trajectory = read_trajectory(tmp_path / "t.txt", format)
    assert trajectory.keys.tolist() == [0, 2] and trajectory.unknown == (3,)
    (tmp_path / "t.txt").write_text(lost + "\n")
    with pytest.raises(UserError, match="no pose in it.*all zero, not finite"):
        read_trajectory(tmp_path / "t.txt", format)


HALF = np.sqrt(0.5)
NS = 1403636580450000000  # of 1403636580.45 seconds


@pytest.mark.parametrize(
    "text",
    [
        f"\ufeff1403636580.45 1 2 3 0 0 {HALF} {HALF}",
        f"\ufeff# stamp tx ty tz qx qy qz qw\n1403636580.45,1,2,3,0,0,{HALF},{HALF}",
        f"timestamp tx ty tz qx qy qz qw\n1403636580.45 1 2 3 0 0 {HALF} {HALF}",
        f"{NS} 1 2 3 0 0 {HALF} {HALF}",
        f"#timestamp [ns], p_x, p_y, p_z, q_w, q_x, q_y, q_z, v_x\n{NS},1,2,3,{HALF},0,0,{HALF},9",
        "#timestamp, p_RS_R_x [m], p_RS_R_y [m], p_RS_R_z [m], q_RS_w [], q_RS_x [], q_RS_y [],"
        f" q_RS_z []\n{NS},1,2,3,{HALF},0,0,{HALF}",
        f"{NS},1,2,3,{HALF},0,0,{HALF}" + ",0" * 9,
    ],
)
def test_one_pose_in_the_forms_that_people_have(tmp_path, text):
    (tmp_path / "t.csv").write_text(text + "\n", encoding="utf-8")
    trajectory = read_trajectory(tmp_path / "t.csv", "tum")
    assert trajectory.keys[0] == pytest.approx(1403636580.45, abs=1e-6)
    expected = [[0, -1, 0, 1], [1, 0, 0, 2], [0, 0, 1, 3], [0, 0, 0, 1]]
    np.testing.assert_allclose(trajectory.poses[0], expected, atol=1e-12)


def test_kitti_rows_of_16_numbers_and_commas(tmp_path):
    row = "0 -1 0 1.5 1 0 0 2.5 0 0 1 3.5"
    for text in (row + " 0 0 0 1", row.replace(" ", ","), "\ufeff" + row):
        (tmp_path / "t.txt").write_text(text + "\n", encoding="utf-8")
        pose = read_trajectory(tmp_path / "t.txt", "kitti").poses[0]
        assert pose.tolist() == [[0, -1, 0, 1.5], [1, 0, 0, 2.5], [0, 0, 1, 3.5], [0, 0, 0, 1]]
    (tmp_path / "t.txt").write_text(row + " 0 0 1 1\n")
    with pytest.raises(UserError, match="16 numbers"):
        read_trajectory(tmp_path / "t.txt", "kitti")


@given(st.text(max_size=80))
@settings(max_examples=60, deadline=None)
def test_any_text_is_read_or_refused(tmp_path_factory, text):
    path = tmp_path_factory.mktemp("any") / "t.txt"
    path.write_text(text)
    for format in ("kitti", "tum"):
        try:
            assert len(read_trajectory(path, format)) > 0
        except UserError as error:
            assert str(path) in str(error)


@pytest.mark.parametrize("content", [b"", b"# only a comment\n", b"\xff\xfe\x00"])
def test_file_without_poses_is_refused(tmp_path, content):
    (tmp_path / "t.txt").write_bytes(content)
    with pytest.raises(UserError, match="t.txt"):
        read_trajectory(tmp_path / "t.txt", "tum")


def test_absent_file_and_unknown_format(tmp_path):
    with pytest.raises(UserError, match="absent.txt"):
        read_trajectory(tmp_path / "absent.txt", "kitti")
    with pytest.raises(UserError, match="euroc"):
        read_trajectory(tmp_path / "absent.txt", "euroc")


def test_match_by_frame():
    estimate, truth = random_trajectory(3, keys=[2, 4, 9]), random_trajectory(5)
    assert match_by_frame(estimate, truth).tolist() == [-1, -1, 0, -1, 1]


def test_match_by_stamp_takes_mutually_nearest_within_the_limit():
    estimate = random_trajectory(4, keys=[0.0, 0.101, 0.2, 5.0])
    truth = random_trajectory(6, keys=[-0.5, 0.004, 0.098, 0.103, 0.215, 5.1])
    assert match_by_stamp(estimate, truth, 0.02).tolist() == [-1, 0, -1, 1, 2, -1]


@given(
    st.lists(st.integers(0, 400), min_size=1, max_size=12, unique=True),
    st.lists(st.integers(0, 400), min_size=1, max_size=12, unique=True),
)
@settings(max_examples=80, deadline=None)
def test_match_by_stamp_pairs_each_row_once_and_in_order(a, b):
    estimate = random_trajectory(len(a), keys=np.sort(a) / 100)
    truth = random_trajectory(len(b), keys=np.sort(b) / 100)
    rows = match_by_stamp(estimate, truth, 0.05)
    paired = rows[rows >= 0]
    assert (np.diff(paired) > 0).all()
    difference = np.abs(estimate.keys[paired] - truth.keys[rows >= 0])
    assert (difference <= 0.05 + 1e-12).all()


def test_starting_at_identity_keeps_relative_motion():
    trajectory = random_trajectory()
    moved = trajectory.starting_at_identity(2)
    np.testing.assert_allclose(moved.poses[2], np.eye(4), atol=1e-12)
    np.testing.assert_allclose(
        np.linalg.inv(moved.poses[1]) @ moved.poses[4],
        np.linalg.inv(trajectory.poses[1]) @ trajectory.poses[4],
        atol=1e-12,
    )
