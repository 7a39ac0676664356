"""What the map of a sliding window keeps."""

import numpy as np

from monodepth_ros.geometry.rigid_motion import rigid
from monodepth_ros.inference.odometry.mapping.landmark_map import LandmarkMap


def test_landmarks_that_one_former_keyframe_alone_sees_are_forgotten():
    places = np.random.default_rng(0).uniform([-1, -1, 3], [1, 1, 6], (60, 3))
    landmarks = LandmarkMap(noise=1e-3)
    for x, ids in ((0.0, np.arange(40)), (0.2, np.arange(15, 60)), (0.4, np.arange(30, 60))):
        seen = places[ids] - (x, 0, 0)
        T = rigid(np.eye(3), (x, 0, 0))
        landmarks.add(T, ids, seen[:, :2] / seen[:, 2:], -np.log(seen[:, 2]))
    # The first 15 were seen once; those up to 30 are lost, but two keyframes share them.
    np.testing.assert_array_equal(landmarks.landmarks.ids, np.arange(15, 60))
    np.testing.assert_array_equal(landmarks.keyframes[0].ids, np.arange(15, 40))
    np.testing.assert_allclose(
        landmarks.keyframes[-1].T_world_camera[:3, 3], (0.4, 0, 0), atol=1e-6
    )
