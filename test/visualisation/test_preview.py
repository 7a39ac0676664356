"""Pictures of frames beside what is said of them."""

import numpy as np

from monodepth_ros.visualisation.colour_maps import colourise
from monodepth_ros.visualisation.preview import beside_the_truth, side_by_side


def test_side_by_side_has_the_inputs_size():
    rgb = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    picture = side_by_side(rgb, np.ones((4, 6), np.float32))
    assert picture.shape == (20, 60, 3)
    assert np.array_equal(picture[:, :30], rgb)


def test_beside_the_truth_stands_the_error():
    rgb = np.full((20, 30, 3), 7, np.uint8)
    depth = np.full((10, 15), 2.0, np.float32)
    truth = np.full((20, 30), 4.0, np.float32)
    truth[:10] = np.nan
    picture, caption = beside_the_truth(rgb, depth, 1 / depth, truth, 2.0)
    assert picture.shape == (10, 60, 3) and "relative error" in caption
    assert np.array_equal(picture[:, :15], rgb[:10, :15])
    assert (picture[:5, 30:45] == 128).all() and (picture[:5, 45:] == 0).all()  # unknown
    assert np.array_equal(picture[5:, 45:], colourise(np.zeros((5, 15)), 0, 0.5, "jet"))
    picture, caption = beside_the_truth(rgb, depth, 1 / depth, truth, np.nan)
    assert picture.shape == (10, 30, 3) and "ground truth" not in caption
