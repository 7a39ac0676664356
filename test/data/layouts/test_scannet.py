from pathlib import Path

import numpy as np
import pytest
from recordings import picture, save

from monodepth_ros.data.layouts.depth_registration import DepthResampler
from monodepth_ros.data.open_sequence import open_sequence
from monodepth_ros.errors import UserError
from monodepth_ros.geometry.camera import PinholeCamera


def matrix(fx: float, cx: float, cy: float) -> np.ndarray:
    K = np.eye(4)
    K[0, 0] = K[1, 1] = fx
    K[:2, 2] = cx, cy
    return K


def build(path: Path) -> Path:
    for i in (0, 1, 2, 10):
        save(picture(i, 80, 60), path / f"color/{i}.png")
        save(np.full((24, 32), 1000 + i, np.uint16), path / f"depth/{i}.png")
        pose = np.eye(4) if i != 1 else np.full((4, 4), -np.inf)
        pose[0, 3] = i
        (path / "pose").mkdir(exist_ok=True)
        np.savetxt(path / f"pose/{i}.txt", pose)
    (path / "intrinsic").mkdir()
    np.savetxt(path / "intrinsic/intrinsic_color.txt", matrix(70, 40, 30))
    np.savetxt(path / "intrinsic/intrinsic_depth.txt", matrix(28, 16, 12))
    return path


def test_layout(tmp_path: Path) -> None:
    build(tmp_path / "scans/scene0000_00")
    (scene,) = open_sequence(tmp_path / "scans")
    assert [scene.number(i) for i in range(4)] == [0, 1, 2, 10]
    np.testing.assert_array_equal(scene.image(3), picture(10, 80, 60))
    assert scene.depth(3).shape == (60, 80) and scene.depth(3)[30, 40] == np.float32(1.01)
    assert scene.pose(1) is None and scene.pose(3)[0, 3] == 10


def test_depth_comes_to_the_pixel_that_sees_the_same_ray() -> None:
    camera = PinholeCamera(80, 60, matrix(70, 41, 28)[:3, :3])
    K_depth = matrix(30, 15, 12.5)[:3, :3]
    row, column = np.mgrid[0:24, 0:32].astype(np.float32)
    for index, of_pixel in enumerate((column, row)):
        aligned = DepthResampler(PinholeCamera(32, 24, K_depth), camera)(of_pixel)
        for u, v in [(41, 28), (20, 40), (60, 10)]:
            ray = np.linalg.inv(camera.K) @ [u, v, 1]
            assert aligned[v, u] == pytest.approx((K_depth @ ray)[index], abs=0.5)
    assert np.isnan(aligned[:, 0]).all()  # left of the depth image


def test_incomplete_scenes_are_named(tmp_path: Path) -> None:
    path = build(tmp_path / "scene0000_00")
    (path / "intrinsic/intrinsic_depth.txt").unlink()
    with pytest.raises(UserError, match="intrinsic_depth.txt: the file is missing"):
        open_sequence(path)
