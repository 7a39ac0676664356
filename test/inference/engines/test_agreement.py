"""How far two engines are apart on the same frames, in figures that can be worked out by hand."""

import numpy as np
import pytest
from toy_engine import ToyEngine

from monodepth_ros.errors import UserError
from monodepth_ros.inference.engines.agreement import compare, refusal

SIZE = (32, 64)
FRAMES = [(f"{grey}", np.full((*SIZE, 3), grey, np.uint8)) for grey in (51, 102, 204)]


class OffEngine(ToyEngine):
    """Depth is 1 % too large, at the bright frame 3 %; motion is half a percent too long."""

    def inverse_depth(self, frames):
        bright = frames.images.mean() > 200
        return super().inverse_depth(frames) / (1.03 if bright else 1.01)

    def motion(self, first, second):
        return super().motion(first, second) * np.float32(1.005)


class BrokenEngine(ToyEngine):
    def inverse_depth(self, frames):
        inverse = super().inverse_depth(frames)
        inverse[:, 0, 0] = 0.0
        return inverse


def test_equal_engines_agree(card):
    found = compare(ToyEngine(card, "fp32", SIZE), ToyEngine(card, "fp32", SIZE), FRAMES)
    assert (found.frames, found.abs_rel, found.a1, found.motion) == (3, 0.0, 1.0, 0.0)
    assert found.refusal == ""


def test_differences_are_means_over_frames_with_the_worst_by_name(card):
    found = compare(OffEngine(card, "int8", SIZE), ToyEngine(card, "fp32", SIZE), FRAMES)
    assert found.abs_rel == pytest.approx((0.01 + 0.01 + 0.03) / 3, rel=1e-4)
    assert (found.worst_frame, found.a1) == ("204", 1.0)
    assert found.worst_abs_rel == pytest.approx(0.03, rel=1e-4)
    assert found.motion == pytest.approx(0.005, rel=1e-4)
    assert found.refusal == ""


def test_one_pixel_without_depth_is_enough_to_refuse(card):
    found = compare(BrokenEngine(card, "int8", SIZE), ToyEngine(card, "fp32", SIZE), FRAMES)
    assert found.abs_rel == np.inf
    assert found.a1 == pytest.approx(1 - 1 / (32 * 64))
    assert found.refusal == "depth differs from torch fp32 by inf, int8 may by 0.02"


def test_one_frame_gives_no_motion_and_none_is_an_error(card):
    engines = ToyEngine(card, "fp32", SIZE), ToyEngine(card, "fp32", SIZE)
    assert compare(*engines, FRAMES[:1]).motion is None
    with pytest.raises(UserError, match="no frames"):
        compare(*engines, [])


@pytest.mark.parametrize(
    ("precision", "depth", "motion", "expected"),
    [
        ("fp32", 1e-4, 5e-4, ""),
        ("fp32", 1.1e-4, None, "depth differs from torch fp32 by 0.00011, fp32 may by 0.0001"),
        ("bf16", 0.01, 0.06, "motion differs from torch fp32 by 0.06, bf16 may by 0.05"),
        ("fp16", float("nan"), None, "depth differs from torch fp32 by nan, fp16 may by 0.01"),
        ("int8", 0.02, None, ""),
    ],
)
def test_what_is_refused(precision, depth, motion, expected):
    assert refusal(precision, depth, motion) == expected
