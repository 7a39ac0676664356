"""The figures of shared scale, from scales that are given."""

import numpy as np
import pytest

from monodepth_ros.errors import UserError
from monodepth_ros.evaluation.scale.report import SequenceScales, scale_summary, write_scale_report


def test_one_common_scale_has_no_spread():
    scales = SequenceScales(np.full(5, 3.0), {"network": np.full(4, 3.0)})
    figures = scale_summary({"a": scales, "b": scales})
    assert list(figures.values()) == pytest.approx([0, 0, 0, 0, 0])


def test_spreads_within_and_across_sequences():
    one = SequenceScales(np.array([1.0, 3.0, np.nan]), {"network": np.array([2.0, np.nan])})
    other = SequenceScales(np.array([6.0, 6.0, 6.0]), {"network": np.array([6.0, 12.0])})
    figures = scale_summary({"one": one, "other": other})
    assert figures["depth_seq_scale_std"] == pytest.approx((0.5 + 0) / 2)
    assert figures["depth_cross_seq_scale_std"] == pytest.approx(np.std([2 / 4, 6 / 4]))
    assert figures["pose_depth_log_ratio_median"] == pytest.approx(np.log(2))
    assert figures["pose_depth_log_ratio_std"] == pytest.approx(np.std(np.log([2, 1, 2])))
    assert figures["pose_depth_log_ratio_offset"] == pytest.approx(np.log(2))


def test_each_kind_of_pose_has_its_figures_and_its_line(tmp_path):
    pose = {"network": np.array([2.0, 4.0]), "refined": np.array([1.0, 1.0])}
    scales = {"kitchen (2)": SequenceScales(np.ones(3), pose)}
    figures = scale_summary(scales)
    assert figures["refined_pose_depth_log_ratio_median"] == 0
    assert figures["pose_depth_log_ratio_median"] > 0
    write_scale_report(tmp_path, scales, scale_summary(scales))
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "images.csv",
        "metrics.json",
        "ratio_kitchen__2_.png",
    ]


def test_without_true_depth_there_is_no_scale():
    with pytest.raises(UserError, match="true depth"):
        scale_summary({"a": SequenceScales(np.full(3, np.nan), {"network": np.ones(2)})})
