from __future__ import annotations

import math

import pytest

from monodepth_ros.nodes.frame_statistics import FrameStatistics


def test_rates_and_latencies_are_of_the_last_seconds() -> None:
    statistics = FrameStatistics(window=2.0)
    for i in range(100):
        statistics.add_image(0.1 * i)
        if i % 2 == 0:
            statistics.add_result(0.1 * i + 0.05, 0.05 if i < 99 - 4 else 0.25)
        else:
            statistics.add_dropped()
    metrics = statistics.metrics(9.95)
    assert metrics.input_rate == pytest.approx(10.0)
    assert metrics.output_rate == pytest.approx(5.0)
    assert metrics.latency_median == pytest.approx(0.05)
    assert metrics.latency_p95 > 0.1
    assert (metrics.received, metrics.dropped) == (100, 50)
    assert metrics.seconds_without_image == pytest.approx(0.05)


def test_a_stream_that_ends_comes_to_rest() -> None:
    statistics = FrameStatistics()
    statistics.add_image(1.0)
    statistics.add_result(1.1, 0.1)
    statistics.add_failure(1.2, "bad image")
    assert statistics.metrics(2.0).recent_failures == 1
    metrics = statistics.metrics(60.0)
    assert metrics.recent_failures == 0
    assert metrics.input_rate == metrics.output_rate == 0
    assert math.isnan(metrics.latency_median) and metrics.seconds_without_image == 59
    assert (metrics.failed, metrics.last_error) == (1, "bad image")


def test_before_the_first_image() -> None:
    metrics = FrameStatistics().metrics(5.0)
    assert (
        math.isinf(metrics.seconds_without_image)
        and metrics.received == 0
        and metrics.last_error == ""
    )


def test_what_was_before_the_node_became_active_does_not_count() -> None:
    statistics = FrameStatistics()
    statistics.start(1.0)
    assert (
        statistics.metrics(2.5).seconds_without_image
        == statistics.metrics(2.5).active_seconds
        == 1.5
    )
    statistics.add_image(3.0)
    statistics.add_withheld("no K")
    assert statistics.metrics(3.5).seconds_without_image == 0.5
    statistics.start(60.0)
    again = statistics.metrics(61.0)
    assert (
        again.active_seconds,
        again.seconds_without_image,
        again.seconds_without_result,
        again.withheld_reason,
    ) == (1.0, 1.0, 1.0, "")
    assert again.received == 1


def test_how_long_there_has_been_work_and_no_result() -> None:
    statistics = FrameStatistics()
    statistics.add_image(1.0, has_work=False)
    assert statistics.metrics(1.5).idle
    statistics.add_image(50.0)
    statistics.add_image(51.0)
    working = statistics.metrics(51.5)
    assert working.seconds_without_result == 1.5 and not working.idle
    statistics.add_result(52.0, 0.1)
    statistics.add_image(52.5)
    assert statistics.metrics(53.0).seconds_without_result == 1.0
    statistics.add_image(90.0)  # somebody subscribes again
    assert statistics.metrics(90.2).seconds_without_result == pytest.approx(0.2)


def test_the_last_outcome_counts() -> None:
    statistics = FrameStatistics()
    statistics.add_withheld("covered lens")
    assert statistics.metrics(1.0).withheld_reason == "covered lens"
    statistics.add_failure(1.0, "no K")
    failing = statistics.metrics(1.0)
    assert failing.failing and not failing.withheld_reason
    statistics.add_withheld("nobody subscribes", counted=False)
    assert statistics.metrics(1.0).withheld == 1
    statistics.add_result(1.0, 0.1)
    well = statistics.metrics(1.0)
    assert not well.failing and not well.withheld_reason
