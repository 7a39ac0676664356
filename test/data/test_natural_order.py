from __future__ import annotations

import random

import pytest

from monodepth_ros.data.natural_order import natural_order


@pytest.mark.parametrize(
    "names",
    [
        ["frame1", "frame2", "frame10", "frame100"],
        ["a_9", "a_10", "b_1", "b_2"],
        ["2024-01-09_23-59-59", "2024-01-10_00-00-00"],
        ["1305031102.175304", "1305031102.5", "1305031103"],
        ["cam0_1403715273262142976", "cam0_1403715273312143104"],
        ["IMG_0001", "img_2", "IMG_0010"],
        ["left_000001_10", "left_000001_11", "left_000002_10"],
        ["0", "0.0333333", "0.05", "0.1", "10.25", "10.5"],
        ["9.25.png", "9.5.png", "10.125.png"],
        ["v1.9", "v1.10"],
        ["1.2.9", "1.2.10"],
        ["frame", "frame0", "frame1"],
        ["caf\udce9_2", "caf\udce9_10"],
    ],
)
def test_names_are_in_a_persons_order(names: list[str]) -> None:
    shuffled = random.Random(0).sample(names, len(names))
    assert sorted(shuffled, key=natural_order) == names


def test_equal_numbers_are_in_one_order_always() -> None:
    assert sorted(["frame01", "frame1", "frame001"], key=natural_order) == [
        "frame001",
        "frame01",
        "frame1",
    ]
