import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from monodepth_ros.geometry.rigid_motion import rotation_angle


@pytest.mark.parametrize("angle", [0.0, 1e-12, 1e-9, 1e-6, 1e-3, 1.0, 3.0, np.pi - 1e-6, np.pi])
def test_angles_from_tiny_to_a_half_turn(angle: float) -> None:
    axes = np.random.default_rng(0).standard_normal((5, 3))
    axes /= np.linalg.norm(axes, axis=1, keepdims=True)
    R = Rotation.from_rotvec(angle * axes).as_matrix()
    np.testing.assert_allclose(rotation_angle(R), angle, rtol=1e-9, atol=1e-14)
    assert rotation_angle(R[0]) == pytest.approx(angle, rel=1e-9, abs=1e-14)


def test_rounding_of_a_text_file_is_no_rotation() -> None:
    """The trace would tell 4e-4 radians of a matrix that is off by 1e-7."""
    assert rotation_angle(np.eye(3) * (1 - 1e-7)) == 0.0
