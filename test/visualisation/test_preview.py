"""Pictures of depth: near is bright, invalid is grey, nothing overflows."""

import numpy as np

from monodepth_ros.visualisation.preview import colourise, side_by_side


def test_near_is_bright_and_invalid_is_grey():
    disparity = np.linspace(0.1, 10, 400, dtype=np.float32).reshape(20, 20)
    disparity[0, 0] = np.nan
    picture = colourise(disparity)
    assert picture.dtype == np.uint8
    assert picture[0, 0].tolist() == [128, 128, 128]
    assert picture[-1, -1].sum() > 600 > 100 > picture[0, 1].sum()
    # Magma's mid-tones are red, which tells RGB from BGR.
    assert picture[10, 0, 0] > picture[10, 0, 2]


def test_the_brightest_twentieth_saturates():
    disparity = np.arange(1, 101, dtype=np.float32).reshape(10, 10)
    near = disparity.copy()
    near[-1, -1] = 1e6
    assert np.array_equal(colourise(disparity), colourise(near))


def test_constant_and_empty_disparities_have_pictures():
    assert colourise(np.full((3, 4), 0.5, np.float32)).shape == (3, 4, 3)
    assert (colourise(np.full((3, 4), np.nan, np.float32)) == 128).all()


def test_side_by_side_has_the_inputs_size():
    rgb = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    picture = side_by_side(rgb, np.ones((4, 6), np.float32))
    assert picture.shape == (20, 60, 3)
    assert np.array_equal(picture[:, :30], rgb)
