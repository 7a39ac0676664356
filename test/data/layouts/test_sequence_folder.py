import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.spatial.transform import Rotation

from monodepth_ros.data.extraction.request import ExtractionRequest
from monodepth_ros.data.extraction.sequence import SequenceFiles, extract_sequence
from monodepth_ros.data.images.file import CorruptFrame
from monodepth_ros.data.layouts.sequence_folder import FolderSequence, SequenceWriter
from monodepth_ros.data.sequence import SlicedSequence
from monodepth_ros.errors import UserError
from monodepth_ros.geometry.camera import PinholeCamera

CAMERA = PinholeCamera.from_focal_length(32, 24, fx=30.0, fy=31.0, cx=15.5, cy=11.5)


def frame(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (24, 32, 3), dtype=np.uint8)


def pose(i: int) -> np.ndarray:
    T = np.eye(4)
    T[:3, :3] = Rotation.from_euler("xyz", [0.1 * i, -0.2, 0.05]).as_matrix()
    T[:3, 3] = i, 2 * i, -0.5
    return T


def write(path: Path, count: int = 4, **options: object) -> Path:
    with SequenceWriter(path, CAMERA, fps=10, image_format="png", **options) as writer:
        for i in range(len(writer), count):
            depth = np.full((24, 32), 1.0 + i, np.float32)
            depth[0, 0], depth[0, 1] = np.nan, 1000.0
            mask = np.zeros((24, 32), bool)
            mask[3, 4] = True
            writer.add(frame(i), depth, pose(i), stamp_ns=i * 10**8, speed=0.5, reflective=mask)
    return path


def test_what_is_written_is_read(tmp_path: Path) -> None:
    sequence = FolderSequence(write(tmp_path / "walk"))
    assert (len(sequence), sequence.name) == (4, "walk")
    assert sequence.has_depth and sequence.has_pose
    np.testing.assert_array_equal(sequence.camera.K, CAMERA.K)
    for i in range(4):
        np.testing.assert_array_equal(sequence.image(i), frame(i))
        depth = sequence.depth(i)
        assert depth.dtype == np.float32
        assert np.isnan(depth[0, :2]).all()  # invalid, and too far for 16 bits
        np.testing.assert_allclose(depth[1:], 1.0 + i, atol=5e-4)
        np.testing.assert_allclose(sequence.pose(i), pose(i), atol=1e-12)
        assert sequence.stamp_ns(i) == i * 10**8
        assert sequence.speed(i) == 0.5
        assert sequence.reflective(i).sum() == 1 and sequence.reflective(i)[3, 4]


def test_unknown_values_stay_unknown(tmp_path: Path) -> None:
    with SequenceWriter(tmp_path / "a", CAMERA, fps=10) as writer:
        writer.add(frame(0))
    sequence = FolderSequence(tmp_path / "a")
    assert not sequence.has_depth and not sequence.has_pose
    assert sequence.depth(0) is sequence.pose(0) is sequence.stamp_ns(0) is None
    assert sequence.speed(0) is sequence.reflective(0) is None


def test_writing_continues_behind_the_last_complete_frame(tmp_path: Path) -> None:
    path = write(tmp_path / "walk", count=2)
    with open(path / "frames.csv", "a") as table:
        table.write("2,20,images/0000")  # what a killed writer leaves
    assert len(FolderSequence(path)) == 2
    write(path, count=4)
    sequence = FolderSequence(path)
    assert len(sequence) == 4
    np.testing.assert_array_equal(sequence.image(3), frame(3))


WRITER_THAT_IS_KILLED = """
import numpy as np, sys
from monodepth_ros.data.extraction.sequence import SequenceFiles, extract_sequence
from monodepth_ros.data.layouts.sequence_folder import SequenceWriter
from monodepth_ros.geometry.camera import PinholeCamera
camera = PinholeCamera.from_focal_length(32, 24, fx=30.0, fy=31.0, cx=15.5, cy=11.5)
writer = SequenceWriter(sys.argv[1], camera, fps=10)
while True:
    writer.add(np.full((24, 32, 3), len(writer) % 256, np.uint8), np.ones((24, 32), np.float32))
    print(len(writer), flush=True)
"""


def test_killed_writer_leaves_only_complete_frames(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", WRITER_THAT_IS_KILLED, str(tmp_path / "walk")],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[3],
    )
    assert process.stdout is not None
    written = [process.stdout.readline() for _ in range(5)]
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    sequence = FolderSequence(tmp_path / "walk")
    assert len(sequence) >= int(written[-1])
    for i in range(len(sequence)):
        assert abs(int(sequence.image(i).mean()) - i) <= 1
        assert np.isfinite(sequence.depth(i)).all()


def test_another_sequence_is_not_overwritten(tmp_path: Path) -> None:
    path = write(tmp_path / "walk", count=1)
    with pytest.raises(UserError, match="another sequence"):
        SequenceWriter(path, CAMERA.resized(48, 64), fps=10)
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters/mail.txt").write_text("precious")
    with pytest.raises(UserError, match="not empty"):
        SequenceWriter(tmp_path / "letters", CAMERA, fps=10)


def test_corrupt_and_missing_files_are_named(tmp_path: Path) -> None:
    path = write(tmp_path / "walk")
    damaged = path / "images/000001.png"
    damaged.write_bytes(damaged.read_bytes()[:200])
    (path / "images/000002.png").unlink()
    (path / "depth/000003.png").unlink()
    sequence = FolderSequence(path)
    with pytest.raises(CorruptFrame, match="000001.png"):
        sequence.image(1)
    with pytest.raises(CorruptFrame, match="000002.png: the file is missing"):
        sequence.image(2)
    with pytest.raises(CorruptFrame, match="depth/000003.png: the file is missing"):
        sequence.depth(3)


def test_sizes_that_disagree_are_refused_by_name(tmp_path: Path) -> None:
    path = write(tmp_path / "walk", count=2)
    Image.fromarray(np.zeros((12, 16, 3), np.uint8)).save(path / "images/000001.png")
    Image.fromarray(np.zeros((12, 16), np.uint16)).save(path / "depth/000000.png")
    sequence = FolderSequence(path)
    with pytest.raises(UserError, match="000001.png: the image is 16x12.*32x24"):
        sequence.image(1)
    with pytest.raises(UserError, match="depth/000000.png: the depth truth is 16x12"):
        sequence.depth(0)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("30.0", "-30.0", "focal lengths"),
        ("15.5", "200.5", "principal point"),
        ("fps: 10.0", "fps: 0", "fps"),
        ("fps: 10.0", "fps: 10.0\nfocus: 3", "focus"),
        ("version: 1", "version: 7", "version"),
        ("version: 1", "version: [", "not YAML"),
    ],
)
def test_bad_metadata_names_file_and_value(
    tmp_path: Path, old: str, new: str, message: str
) -> None:
    file = write(tmp_path / "walk", count=1) / "sequence.yaml"
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new, 1))
    with pytest.raises(UserError, match=f"sequence.yaml.*{message}"):
        FolderSequence(tmp_path / "walk")


def test_bad_table_names_file_and_line(tmp_path: Path) -> None:
    table = write(tmp_path / "walk", count=2) / "frames.csv"
    table.write_text(table.read_text().replace("100000000", "noon"))
    with pytest.raises(UserError, match="frames.csv line 3.*noon"):
        FolderSequence(tmp_path / "walk")
    table.write_text("")
    with pytest.raises(UserError, match="first line"):
        FolderSequence(tmp_path / "walk")
    table.unlink()
    with pytest.raises(UserError, match="frames.csv: the file is missing"):
        FolderSequence(tmp_path / "walk")


def test_slice(tmp_path: Path) -> None:
    part = SlicedSequence(FolderSequence(write(tmp_path / "walk", 6)), slice(1, 6, 2))
    assert (len(part), part.name) == (3, "walk@1:6:2")
    np.testing.assert_array_equal(part.image(2), frame(5))
    assert [part.number(i) for i in range(3)] == [1, 3, 5]
    assert part.stamp_ns(1) == 3 * 10**8


def test_a_damaged_frame_costs_itself_when_a_recording_is_extracted(tmp_path: Path) -> None:
    walk = write(tmp_path / "walk", 6)
    for name in ("images/000001.png", "depth/000003.png"):
        (walk / name).write_bytes((walk / name).read_bytes()[:60])
    for _ in range(2):  # extracted, and found
        source = SequenceFiles(walk, FolderSequence(walk))
        *_, done = extract_sequence(source, tmp_path / "out", ExtractionRequest())
        assert done.frames == 4
        assert sorted(reason.split(":")[0] for reason in done.left_out) == [
            str(walk / "depth/000003.png"),
            str(walk / "images/000001.png"),
        ]
    assert FolderSequence(tmp_path / "out").depth(2)[5, 5] == 5.0
