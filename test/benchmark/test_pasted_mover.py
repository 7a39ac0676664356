"""The mover that is pasted into recordings: where it is, and what it leaves as it was."""

from pathlib import Path

import numpy as np
import pytest

from test.support.recordings import CAMERA, HEIGHT, WIDTH, write_folder

COMMON = Path(__file__).parents[2] / "benchmark" / "common"
RED = np.full((20, 30, 3), (255, 0, 0), np.uint8)


@pytest.fixture(autouse=True)
def programs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(COMMON)


def red(image: np.ndarray) -> np.ndarray:
    return np.asarray((image == (255, 0, 0)).all(axis=2))


def test_a_board_that_keeps_its_distance_stays_in_the_image(tmp_path: Path) -> None:
    """The camera drives evenly: so does the board, and covers the same pixels."""
    from pasted_mover import Mover, WithMover

    whole = write_folder(tmp_path, count=40, offsets=[0.1 * k for k in range(40)])
    mover = Mover("keeps", 0.5, 0.5, lambda seconds: (0.0,) * 6)
    pasted = WithMover(whole, mover, RED, distance=2.0, step=0.1)
    for index in (0, 20, 39):
        image, before = pasted.image(index), whole.image(index)
        shown = red(image)
        assert shown[HEIGHT // 4 + 1 : -HEIGHT // 4 - 1, WIDTH // 4 + 1 : -WIDTH // 4 - 1].all()
        assert shown.sum() == pytest.approx(WIDTH * HEIGHT / 4, rel=0.1)
        edge = np.r_[0 : HEIGHT // 4 - 1, 3 * HEIGHT // 4 + 1 : HEIGHT]
        np.testing.assert_array_equal(image[edge], before[edge])
    assert pasted.depth(0) is None and not pasted.has_depth  # the board hides it
    np.testing.assert_array_equal(pasted.pose(3), whole.pose(3))


def test_a_board_moves_by_its_course_in_true_perspective(tmp_path: Path) -> None:
    """A quarter of its distance to the right is a quarter of the focal length in pixels."""
    from pasted_mover import Mover, WithMover

    whole = write_folder(tmp_path, count=3, offsets=[0.0] * 3)
    mover = Mover("right", 0.25, 0.25, lambda seconds: (0.25 * seconds / 0.2, 0, 0, 0, 0, 0))
    pasted = WithMover(whole, mover, RED, distance=3.0, step=0.1)
    middles = [np.nonzero(red(pasted.image(index)))[1].mean() for index in (0, 2)]
    assert middles[1] - middles[0] == pytest.approx(0.25 * CAMERA.K[0, 0], abs=0.6)


def test_a_board_behind_the_camera_is_not_drawn(tmp_path: Path) -> None:
    from pasted_mover import Mover, WithMover

    whole = write_folder(tmp_path, count=2, offsets=[0.0] * 2)
    mover = Mover("behind", 0.5, 0.5, lambda seconds: (0, 0, -2.0, 0, 0, 0))
    pasted = WithMover(whole, mover, RED, distance=1.0, step=0.1)
    np.testing.assert_array_equal(pasted.image(1), whole.image(1))
