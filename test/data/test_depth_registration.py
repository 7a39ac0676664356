import numpy as np

from monodepth_ros.data.depth_registration import register_depth

K = np.array([[50.0, 0, 32], [0, 50.0, 24], [0, 0, 1]])


def test_the_same_camera_keeps_its_depth() -> None:
    depth = np.random.default_rng(0).uniform(1, 3, (48, 64)).astype(np.float32)
    depth[3, 5] = np.nan
    np.testing.assert_allclose(register_depth(depth, K, K, np.eye(4), (48, 64)), depth, rtol=1e-6)


def test_a_camera_to_the_side_sees_the_near_in_front() -> None:
    depth = np.full((48, 64), 4.0, np.float32)
    depth[20:30, 30:40] = 1.0
    T = np.eye(4)
    T[0, 3] = -0.2  # the other camera is to the right: 10 pixels at 1 m, 2.5 at 4 m
    seen = register_depth(depth, K, K, T, (48, 64))
    assert (seen[20:30, 20:30] == 1).all()
    assert seen[25, 10] == 4
    assert np.isnan(seen[25, 31:36]).all()  # hidden from the first camera by what is near
    assert np.isnan(seen[:, -2:]).all()


def test_another_size() -> None:
    half = K.copy()
    half[:2] /= 2
    seen = register_depth(np.full((48, 64), 2.0, np.float32), K, half, np.eye(4), (24, 32))
    assert seen.shape == (24, 32) and (seen == 2).all()


def test_nothing_known() -> None:
    nothing = np.full((48, 64), np.nan, np.float32)
    assert np.isnan(register_depth(nothing, K, K, np.eye(4), (48, 64))).all()
