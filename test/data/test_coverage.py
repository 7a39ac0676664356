"""The line that says what frames got."""

from __future__ import annotations

import json

import pytest

from monodepth_ros.data.bags.transform_tree import Unknown
from monodepth_ros.data.coverage import Coverage

MS = 1_000_000
NEAREST = "nearest stamp {gap} away (tolerance 20 ms)"


@pytest.mark.parametrize(
    ("apart", "told"),
    [
        ([33 * MS], "33 ms"),
        ([33 * MS, 41 * MS], "33 ms to 41 ms"),
        ([1500 * MS], "1.5 s"),
        ([300_000 * MS], "300 s"),
        ([8_310_659_000 * MS], "8310659 s (96.2 days)"),
    ],
)
def test_a_reason_with_its_distance(apart: list[int], told: str) -> None:
    coverage = Coverage("depth", "/depth")
    coverage.add(object())
    for each in apart:
        coverage.add(Unknown(NEAREST, each))
    total = 1 + len(apart)
    expected = f"depth 1 of {total} frames: nearest stamp {told} away (tolerance 20 ms)"
    assert str(coverage) == expected
    assert str(Coverage.of_json(json.loads(json.dumps(coverage.as_json())))) == expected


def test_several_reasons_are_counted() -> None:
    coverage = Coverage("poses", "/odom")
    for got in (Unknown("lost"), Unknown("lost"), Unknown(NEAREST, 25 * MS), object()):
        coverage.add(got)
    assert str(coverage) == (
        "poses 1 of 4 frames: 2 frames: lost; 1 frames: nearest stamp 25 ms away (tolerance 20 ms)"
    )


def test_nothing_is_missing() -> None:
    coverage = Coverage("speed", "/odom")
    coverage.add(1.0)
    assert str(coverage) == "speed 1 of 1 frames"
