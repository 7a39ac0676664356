from pathlib import Path

import numpy as np
import pytest
from velodyne_scans import naive_projection, random_scan

from monodepth_ros.data.images.file import CorruptFrame
from monodepth_ros.data.layouts.velodyne import project_scan, read_scan
from monodepth_ros.data.text_file import read_named_numbers


@pytest.mark.parametrize("seed", range(4))
def test_equals_the_definition_point_by_point(seed: int) -> None:
    scan, projection = random_scan(3000, seed)  # many points on each of 12 x 20 pixels
    ours = project_scan(scan, projection, (12, 20))
    expected = naive_projection(scan, projection, (12, 20)).astype(np.float32)
    np.testing.assert_array_equal(np.nan_to_num(ours, nan=0.0), expected)
    assert np.isnan(ours).sum() == (expected == 0).sum()


def test_last_pixel_of_a_row_collides_with_the_first_of_the_next() -> None:
    def point(column: int, row: int, forward: float) -> list[float]:
        """A point that rounds to (column + 1, row + 1), one less after the quirk."""
        return [forward, -(column + 1) * forward, -(row + 1) * forward, 0.0]

    axes = np.array([[0, -1, 0, 0.0], [0, 0, -1, 0.0], [1, 0, 0, 0.0]])
    scan = np.array([point(4, 0, 9.0), point(0, 1, 7.0), point(2, 1, 5.0)], np.float32)
    depth = project_scan(scan, axes, (3, 5))
    assert depth[0, 4] == 7.0  # took the neighbour's smaller depth
    assert depth[1, 0] == 7.0 and depth[1, 2] == 5.0
    assert np.isfinite(depth).sum() == 3


def test_depth_is_forward_and_not_along_the_optical_axis() -> None:
    scan, projection = random_scan(500, 9)
    found = project_scan(scan, projection, (12, 20))
    values = set(np.unique(found[np.isfinite(found)]).tolist())
    assert values and values <= set(scan[:, 0].tolist())


def test_damaged_scans_are_named(tmp_path: Path) -> None:
    file = tmp_path / "0.bin"
    with pytest.raises(CorruptFrame, match="0.bin: the file is missing"):
        read_scan(file)
    file.write_bytes(b"")
    with pytest.raises(CorruptFrame, match="0.bin: 0 values"):
        read_scan(file)
    np.zeros(7, np.float32).tofile(file)
    with pytest.raises(CorruptFrame, match="0.bin: 7 values"):
        read_scan(file)


def test_real_scan(real_data: Path) -> None:
    folder = real_data / "kitti_object_lidar/training"
    values = read_named_numbers(folder / "calib/000001.txt")
    rectification, velodyne = np.eye(4), np.eye(4)
    rectification[:3, :3] = values["R0_rect"].reshape(3, 3)
    velodyne[:3] = values["Tr_velo_to_cam"].reshape(3, 4)
    projection = values["P2"].reshape(3, 4) @ rectification @ velodyne
    scan = read_scan(folder / "velodyne/000001.bin")
    depth = project_scan(scan, projection, (375, 1242))
    share = np.isfinite(depth).mean()
    assert 0.035 < share < 0.05
    assert 3 < np.nanmin(depth) and np.nanmax(depth) < 85
    expected = naive_projection(scan, projection, (375, 1242)).astype(np.float32)
    np.testing.assert_array_equal(np.nan_to_num(depth, nan=0.0), expected)
