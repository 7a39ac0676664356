"""Which stamps are believed: one mistake costs one message, a clock that was set costs none."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monodepth_ros.stamps import (
    AHEAD,
    BACK,
    REPEATED,
    SECOND,
    UNSTAMPED,
    ElapsedTime,
    StampFilter,
    clock_of,
    filter_stamps,
)

COUNT = 30
WALL = 1_700_000_000 * SECOND
ARRIVALS = [WALL + i * SECOND // 10 for i in range(COUNT)]
# Clocks that stamps may be of: the arrival's own, and a simulated one.
BEGINS = pytest.mark.parametrize("begin", [WALL - SECOND // 20, 1000 * SECOND])


def regular(begin: int) -> list[int]:
    return [begin + i * SECOND // 10 for i in range(COUNT)]


def left_out(stamps: list[int]) -> dict[int, str]:
    return {j.item: j.reason for j in filter_stamps(stamps, ARRIVALS[: len(stamps)]) if j.reason}


def segments(stamps: list[int]) -> list[int]:
    taken = [j for j in filter_stamps(stamps, ARRIVALS[: len(stamps)]) if not j.reason]
    return list(Counter(judged.segment for judged in taken).values())


@BEGINS
@pytest.mark.parametrize("place", [0, 1, 2, 3, 10, COUNT - 1])
@pytest.mark.parametrize(
    "wrong, reason",
    [(0, UNSTAMPED), (3600, AHEAD), (-100, BACK)],
    ids=["zero", "an hour ahead", "100 s back"],
)
def test_a_mistake_costs_its_message_alone(begin: int, place: int, wrong: int, reason: str) -> None:
    stamps = regular(begin)
    stamps[place] = stamps[place] + wrong * SECOND if wrong else 0
    assert left_out(stamps) == {place: reason}
    assert segments(stamps) == [COUNT - 1]


@BEGINS
def test_late_and_repeated_messages_cost_themselves(begin: int) -> None:
    stamps = regular(begin)
    stamps[8] = stamps[7]
    stamps[20], stamps[21] = stamps[21], stamps[20]
    assert left_out(stamps) == {8: REPEATED, 21: BACK}
    assert segments(stamps) == [COUNT - 2]


@BEGINS
@pytest.mark.parametrize("seconds", [-100, 3600])
@pytest.mark.parametrize("place", [3, 10, COUNT - 2])
def test_a_clock_that_was_set_costs_nothing(begin: int, seconds: int, place: int) -> None:
    stamps = [s + (seconds * SECOND if i >= place else 0) for i, s in enumerate(regular(begin))]
    assert left_out(stamps) == {}
    assert segments(stamps) == [place, COUNT - place]


def test_a_recording_in_a_loop_keeps_all() -> None:
    loop = regular(1000 * SECOND)[:10] * 3
    assert left_out(loop) == {} and segments(loop) == [10, 10, 10]


def test_two_mistakes_in_a_row_are_no_clock() -> None:
    stamps = regular(WALL)
    stamps[8] += 3600 * SECOND
    stamps[9] += 3600 * SECOND
    assert left_out(stamps) == {8: AHEAD, 9: AHEAD}


def test_a_pause_that_arrivals_confirm_is_no_jump() -> None:
    pause = [s + (60 * SECOND if i >= 10 else 0) for i, s in enumerate(regular(1000 * SECOND))]
    arrivals = [a + (60 * SECOND if i >= 10 else 0) for i, a in enumerate(ARRIVALS)]
    judged = filter_stamps(pause, arrivals)
    assert {(j.reason, j.segment) for j in judged} == {("", 0)}


def test_slow_and_irregular_cameras_lose_nothing() -> None:
    """By a simulated clock, which runs faster than that of the arrivals."""
    slow = [1000 * SECOND + i * 5 * SECOND for i in range(COUNT)]
    assert left_out(slow) == {} and segments(slow) == [COUNT]
    pairs = [1000 * SECOND + i // 2 * 60 * SECOND + i % 2 * SECOND // 10 for i in range(COUNT)]
    assert left_out(pairs) == {}


@pytest.mark.parametrize("stamp", [0, 5 * SECOND])
def test_a_driver_that_does_not_stamp_is_taken_by_arrival(stamp: int) -> None:
    judged = filter_stamps([stamp] * COUNT, ARRIVALS)
    assert [j.time for j in judged] == ARRIVALS
    live: StampFilter[int] = StampFilter()
    decided = [live.add(stamp, arrival, i) for i, arrival in enumerate(ARRIVALS)]
    assert [len(some) for some in decided[:4]] == [0, 0, 3, 1]
    assert [j.time for some in decided for j in some] == ARRIVALS
    assert live.clock == "arrival"


@BEGINS
def test_a_live_driver_that_stamps_after_all_begins_a_stretch_by_stamp(begin: int) -> None:
    """As one that waited for simulated time."""
    stamps = [0] * 5 + regular(begin)[5:]
    live: StampFilter[int] = StampFilter()
    decided = [
        judged
        for i, (stamp, arrival) in enumerate(zip(stamps, ARRIVALS, strict=True))
        for judged in live.add(stamp, arrival, i)
    ]
    assert live.clock == "stamp"
    # The two before the third stamp are still taken by arrival.
    assert [j.time for j in decided if j.segment == 0] == ARRIVALS[:7]
    assert [j.time for j in decided if j.segment == 1] == stamps[7:]
    assert not live.left_out


def test_stamp_and_arrival_are_never_mixed() -> None:
    stamps = [s if i % 3 == 0 else 0 for i, s in enumerate(regular(1000 * SECOND))]
    judged = filter_stamps(stamps, ARRIVALS)
    assert {j.time for j in judged if not j.reason} == set(stamps) - {0}
    assert Counter(j.reason for j in judged)[UNSTAMPED] == 20
    live: StampFilter[int] = StampFilter()
    times = [j.time for i in range(COUNT) for j in live.add(stamps[i], ARRIVALS[i], i)]
    assert set(times) == set(stamps) and live.clock == "stamp"


def test_live_a_message_is_held_only_while_it_is_in_doubt() -> None:
    live: StampFilter[int] = StampFilter()
    stamps = regular(WALL)
    for i in range(10):  # the first, too: it agrees with its arrival
        assert [j.item for j in live.add(stamps[i], ARRIVALS[i], i)] == [i]
    assert live.add(stamps[10] + 3600 * SECOND, ARRIVALS[10], 10) == [] and live.pending == 1
    after = live.add(stamps[11], ARRIVALS[11], 11)
    assert [(j.item, j.reason) for j in after] == [(10, AHEAD), (11, "")]
    back = [live.add(stamps[i] - 100 * SECOND, ARRIVALS[i], i) for i in (12, 13, 14)]
    assert [[(j.item, j.segment) for j in some] for some in back] == [
        [],
        [],
        [(12, 1), (13, 1), (14, 1)],
    ]
    assert live.left_out == {AHEAD: 1} and live.segment == 1


def test_elapsed_time_goes_on_where_a_clock_was_set() -> None:
    elapsed = ElapsedTime()
    times = zip([100, 110, 120, 50, 60, 75], [0, 0, 0, 1, 1, 1], strict=True)
    assert [elapsed.at(time, segment) for time, segment in times] == [0, 10, 20, 30, 40, 55]


WILD = st.one_of(
    st.integers(-(2**31), 2**31).map(lambda s: s * SECOND),
    st.sampled_from([0, 1, SECOND, 2 * SECOND, 2**62]),
    st.integers(0, 40).map(lambda i: WALL + i * SECOND // 10),
)


@given(st.lists(st.tuples(WILD, WILD), max_size=40), st.booleans())
def test_whatever_the_stamps_every_message_is_decided_once(
    messages: list[tuple[int, int]], recorded: bool
) -> None:
    judge: StampFilter[int] = StampFilter(clock_of(s for s, _ in messages) if recorded else None)
    decided = []
    for number, (stamp, arrival) in enumerate(messages):
        decided += judge.add(stamp, arrival, number)
        assert judge.pending <= 9  # images would fill the memory
    decided += judge.finish()
    assert sorted(judged.item for judged in decided) == list(range(len(messages)))
    taken = [judged for judged in decided if not judged.reason]
    assert sum(judge.left_out.values()) == len(messages) - len(taken)
    for one, next_ in zip(taken, taken[1:], strict=False):
        assert next_.item > one.item and next_.segment >= one.segment
        assert next_.time > one.time or next_.segment > one.segment


@given(st.integers(0, COUNT - 1), st.integers(2, 10**6), st.sampled_from([1, -1]))
def test_one_wild_stamp_costs_one_message(place: int, seconds: int, way: int) -> None:
    stamps = regular(WALL // 2)
    stamps[place] += way * seconds * SECOND
    assert list(left_out(stamps)) == [place] and segments(stamps) == [COUNT - 1]


@given(st.integers(0, COUNT - 1), st.floats(-1, 1))
def test_a_stamp_wrong_by_less_than_a_second_costs_two_messages_at_most(
    place: int, wrong: float
) -> None:
    stamps = regular(WALL)
    stamps[place] += int(wrong * SECOND)
    assert len(left_out(stamps)) <= 2
