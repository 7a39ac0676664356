"""Which frames of a recording are learnt from, and which are held back."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from corridor import write_corridor

from monodepth_ros.errors import UserError
from monodepth_ros.learning.batches import hold_back, open_sequences


@pytest.mark.parametrize(
    ("part", "trained", "held_frames"),
    [
        ("end", [range(9)], range(9, 12)),
        ("middle", [range(4), range(7, 12)], range(4, 7)),
    ],
)
def test_a_piece_of_a_recording_is_held_back(
    tmp_path: Path, part: Literal["end", "middle"], trained: list[range], held_frames: range
) -> None:
    (walk,) = open_sequences([write_corridor(tmp_path / "walk", frames=12)])
    kept, held = hold_back([walk], 0.25, part)
    for piece, frames in zip([*kept, *held], [*trained, held_frames], strict=True):
        images = [piece.image(i) for i in range(len(piece))]
        np.testing.assert_array_equal(images, [walk.image(i) for i in frames])


def test_what_is_too_short_beside_the_middle_is_left(tmp_path: Path) -> None:
    (walk,) = open_sequences([write_corridor(tmp_path / "walk", frames=8)])
    kept, held = hold_back([walk], 0.3, "middle")
    assert [len(piece) for piece in (*kept, *held)] == [3, 3]


def test_nothing_is_held_back_unless_asked(tmp_path: Path) -> None:
    sequences = open_sequences([write_corridor(tmp_path / "walk", frames=4)])
    assert hold_back(sequences, 0.0, "end") == (sequences, [])


def test_a_recording_too_short_to_be_parted_is_named(tmp_path: Path) -> None:
    sequences = open_sequences([write_corridor(tmp_path / "walk", frames=5)])
    with pytest.raises(UserError, match=r"walk.* 5 frames are too few"):
        hold_back(sequences, 0.2, "end")
