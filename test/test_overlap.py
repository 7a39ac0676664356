"""Work in threads: in order, bounded, ended by errors and by whoever stops taking results."""

import threading
import time

import pytest

from monodepth_ros.overlap import in_background, in_threads


def test_results_come_in_the_order_of_the_items():
    def slow_if_even(number):
        time.sleep(0.02 * (number % 2 == 0))
        return 10 * number

    assert list(in_threads(slow_if_even, range(20), threads=4)) == list(range(0, 200, 10))


def test_no_more_than_asked_for_is_begun_ahead():
    begun = []
    results = in_threads(begun.append, range(100), threads=2, ahead=3)
    next(results)
    assert len(begun) <= 5
    results.close()
    assert len(begun) <= 5


def test_functions_run_at_the_same_time():
    met = threading.Barrier(3, timeout=10)
    assert sorted(in_threads(lambda _: met.wait(), range(3), threads=3)) == [0, 1, 2]


def test_an_error_comes_in_its_turn_and_ends_the_work():
    done = []

    def fail_at_three(number):
        if number == 3:
            raise ValueError("three")
        done.append(number)
        return number

    results = in_threads(fail_at_three, range(1000), threads=2)
    assert [next(results) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(ValueError, match="three"):
        next(results)
    assert max(done) < 20


def test_items_are_taken_in_the_background_and_their_error_is_raised():
    takers = set()

    def items():
        for number in range(5):
            takers.add(threading.current_thread())
            yield number
        raise ValueError("five")

    found = in_background(items())
    assert [next(found) for _ in range(5)] == [0, 1, 2, 3, 4]
    with pytest.raises(ValueError, match="five"):
        next(found)
    assert len(takers) == 1 and threading.current_thread() not in takers
    assert list(in_background([])) == []


def test_what_gives_the_items_is_closed_with_what_takes_them():
    closed = threading.Event()

    def items():
        try:
            yield from range(100)
        finally:
            closed.set()

    results = in_background(items(), ahead=2)
    assert next(results) == 0
    results.close()
    del results
    assert closed.wait(10)
    assert threading.active_count() < 20
