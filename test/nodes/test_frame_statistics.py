from __future__ import annotations

import math

import pytest

from monodepth_ros.nodes.frame_statistics import FrameStatistics


def test_rates_and_latencies_are_of_the_last_seconds() -> None:
    statistics = FrameStatistics(window=2.0)
    for i in range(100):
        statistics.arrived(0.1 * i)
        if i % 2 == 0:
            statistics.published(0.1 * i + 0.05, 0.05 if i < 99 - 4 else 0.25)
    figures = statistics.figures(9.95, dropped=50)
    assert figures.input_rate == pytest.approx(10.0)
    assert figures.output_rate == pytest.approx(5.0)
    assert figures.latency_median == pytest.approx(0.05)
    assert figures.latency_p95 > 0.1
    assert (figures.received, figures.published, figures.dropped) == (100, 50, 50)
    assert figures.silence == pytest.approx(0.05)


def test_a_stream_that_ends_comes_to_rest() -> None:
    statistics = FrameStatistics()
    statistics.arrived(1.0)
    statistics.published(1.1, 0.1)
    statistics.failed(1.2, "bad image")
    assert statistics.figures(2.0).lately_failed == 1
    figures = statistics.figures(60.0)
    assert figures.lately_failed == 0
    assert figures.input_rate == figures.output_rate == 0
    assert math.isnan(figures.latency_median) and figures.silence == 59
    assert (figures.failed, figures.last_error) == (1, "bad image")


def test_before_the_first_image() -> None:
    figures = FrameStatistics().figures(5.0)
    assert math.isinf(figures.silence) and figures.received == 0 and figures.last_error == ""


def test_what_was_before_the_node_became_active_does_not_count() -> None:
    statistics = FrameStatistics()
    statistics.began(1.0)
    assert statistics.figures(2.5).silence == statistics.figures(2.5).listening == 1.5
    statistics.arrived(3.0)
    statistics.withheld("no K")
    assert statistics.figures(3.5).silence == 0.5
    statistics.began(60.0)
    again = statistics.figures(61.0)
    assert (again.listening, again.silence, again.quiet, again.withheld) == (1.0, 1.0, 1.0, "")
    assert again.received == 1


def test_how_long_there_has_been_work_and_no_result() -> None:
    statistics = FrameStatistics()
    statistics.arrived(1.0, wanted=False)
    assert statistics.figures(1.5).idle
    statistics.arrived(50.0)
    statistics.arrived(51.0)
    working = statistics.figures(51.5)
    assert working.quiet == 1.5 and not working.idle
    statistics.published(52.0, 0.1)
    statistics.arrived(52.5)
    assert statistics.figures(53.0).quiet == 1.0
    statistics.arrived(90.0)  # somebody subscribes again
    assert statistics.figures(90.2).quiet == pytest.approx(0.2)


def test_the_last_outcome_counts() -> None:
    statistics = FrameStatistics()
    statistics.withheld("covered lens")
    assert statistics.figures(1.0).withheld == "covered lens"
    statistics.failed(1.0, "no K")
    failing = statistics.figures(1.0)
    assert failing.failing and not failing.withheld
    statistics.withheld("nobody subscribes", counted=False)
    assert statistics.figures(1.0).held_back == 1
    statistics.published(1.0, 0.1)
    well = statistics.figures(1.0)
    assert not well.failing and not well.withheld
