"""Values as colours: near is bright, invalid is grey, nothing overflows."""

import numpy as np

from monodepth_ros.visualisation.colour_maps import colourise


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


def test_limits_and_another_map():
    values = np.array([[-1.0, 0.0, 0.5, 1.0, 2.0, np.nan]])
    picture = colourise(values, 0, 1, "jet", invalid=0)
    assert np.array_equal(picture[0, 0], picture[0, 1])  # what is below the limits is at them
    assert np.array_equal(picture[0, 3], picture[0, 4])
    assert picture[0, 1, 2] > picture[0, 1, 0] and picture[0, 3, 0] > picture[0, 3, 2]  # blue, red
    assert picture[0, 5].tolist() == [0, 0, 0]
