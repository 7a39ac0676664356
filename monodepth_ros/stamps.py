"""Which stamps of a stream are valid, by the same rules live and in recordings.

A message whose stamp is zero, repeated, or far from its neighbours is left out. A clock that was
set, or a recording that starts again, loses no message: three messages in order distinguish it from
a wrong stamp. The messages of a driver that never stamps get the times of their arrival, all of
them: a stream never mixes both kinds of times.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from statistics import median
from typing import Generic, Literal, TypeVar

Clock = Literal["stamp", "arrival"]
Item = TypeVar("Item")

SECOND = 1_000_000_000  # nanoseconds
CONFIRMED = 3  # messages: in order they confirm a clock, with equal stamps a driver without one
# A step is no jump of the clock up to the largest of: this many nanoseconds, usual steps of the
# stream, and times the interval by arrival (a pause of the camera).
JUMP, JUMP_PERIODS, JUMP_SHARE = SECOND, 10, 2
MAX_DIFFERENCE = 1 << 63  # more than the difference of any two stamps
CLOSE = 10 * SECOND  # between stamp and arrival; such a first message is valid at once

UNSTAMPED = "without a stamp (0) in a stream that has stamps"
REPEATED = "stamp repeated"
BACK = "stamp goes back, and no other message confirms it"
AHEAD = "stamp jumps ahead, and no other message confirms it"


@dataclass(frozen=True)
class TimedMessage(Generic[Item]):
    """A message and its ``time`` in nanoseconds, or the ``reason`` why it is left out.

    Times grow within a ``segment``. A new segment begins where the clock was set or a recording
    started again; the time between two segments is unknown. ``epoch`` is common to several streams
    that were recorded together.
    """

    item: Item
    time: int
    segment: int
    reason: str = ""
    epoch: int = 0

    @property
    def key(self) -> int:
        """A time that is unique among streams that were recorded together."""
        return self.time + (self.epoch << 64)


@dataclass(frozen=True, eq=False)
class _Message(Generic[Item]):
    number: int  # in the order of arrival
    item: Item
    time: int
    arrival: int


class StampFilter(Generic[Item]):
    """Takes the messages of one stream in the order of their arrival; returns them when decided.

    A message that continues the last one is returned at once. Any other one is pending until the
    next two decide. ``clock`` is known for a recording (`clock_of`). For a live stream it is None,
    and the first three messages decide. If they had no stamps, three later messages with stamps in
    order begin a new segment: the driver has waited for simulated time.
    """

    def __init__(self, clock: Clock | None = None) -> None:
        self.clock: Clock | None = clock
        self._live = clock is None
        self._newest_stamp = self._in_order = 0  # of stamps, while the clock is that of arrival
        self.left_out: Counter[str] = Counter()
        self._undecided: list[_Message[Item]] = []  # while all have the same stamp
        self._returned = 0  # of those
        self._last: _Message[Item] | None = None  # valid one
        # Pending messages: each chain is in order and may belong to a new clock.
        self._chains: list[list[_Message[Item]]] = []
        self._steps: deque[int] = deque(maxlen=15)
        self.segment = 0  # how often the clock was set
        self._count = 0

    @property
    def pending(self) -> int:
        """Number of messages that wait for later ones."""
        return sum(map(len, self._chains)) + len(self._undecided) - self._returned

    def add(self, stamp: int, arrival: int, item: Item) -> list[TimedMessage[Item]]:
        """Add a message, with times in nanoseconds; returns the messages that are decided now."""
        self._count += 1
        if self.clock is None:
            return self._decide(_Message(self._count, item, stamp, arrival))
        if self.clock == "arrival" and self._live:
            self._look_for_stamps(stamp)
        time = arrival if self.clock == "arrival" else stamp
        return self._judge(_Message(self._count, item, time, arrival))

    def finish(self) -> list[TimedMessage[Item]]:
        """Decide the pending messages at the end of the stream."""
        self.clock = self.clock or "stamp"
        decided = self._judge_undecided()
        while self._chains:
            chain = self._chains[0]
            believed = len(chain) > 1 or (self._last is None and len(self._chains) == 1)
            decided += self._begin(chain, False) if believed else self._give_up([chain])
        return decided

    def _decide(self, message: _Message[Item]) -> list[TimedMessage[Item]]:
        first = self._undecided
        first.append(message)
        if any(other.time != message.time for other in first):
            self.clock = "stamp"
        elif len(first) == CONFIRMED:
            self.clock = "arrival"
            first[:] = [replace(message, time=message.arrival) for message in first]
            self._end_segment()
        elif len(first) == 1 and _is_plausible(message):
            self._returned = 1
            return self._judge(message)
        else:
            return []
        return self._judge_undecided()

    def _look_for_stamps(self, stamp: int) -> None:
        self._in_order = self._in_order + 1 if stamp > self._newest_stamp else 0
        self._newest_stamp = stamp
        if self._in_order == CONFIRMED:
            self.clock = "stamp"
            self._end_segment()

    def _judge_undecided(self) -> list[TimedMessage[Item]]:
        waiting = self._undecided[self._returned :]
        self._undecided, self._returned = [], 0
        return [judged for message in waiting for judged in self._judge(message)]

    def _judge(self, message: _Message[Item]) -> list[TimedMessage[Item]]:
        if message.time <= 0:
            return [self._leave_out(message, UNSTAMPED)]
        if self._last is not None and _continues(self._last, message, self._steps):
            return [*self._give_up(self._chains), self._take(message)]
        ends = [
            known.time for known in (self._last, *(chain[-1] for chain in self._chains)) if known
        ]
        if message.time in ends:
            return [self._leave_out(message, REPEATED)]
        chain = self._extended(message)
        if len(chain) == CONFIRMED and not _continues(chain[0], chain[1], [_step(*chain[1:])]):
            return self._give_up([[chain.pop(0)]], message)
        if len(chain) == CONFIRMED or (self._last is None and _is_plausible(chain[0])):
            return self._begin(chain)
        oldest = self._chains[0]
        if len(self._chains) <= CONFIRMED:
            return []
        return self._begin(oldest, False) if len(oldest) > 1 else self._give_up([oldest], message)

    def _extended(self, message: _Message[Item]) -> list[_Message[Item]]:
        """The chain that a message continues best, with the message; else a new chain."""
        before = [
            chain
            for chain in self._chains
            if chain[-1].time < message.time
            and (len(chain) == 1 or _continues(chain[-1], message, [_step(*chain[-2:])]))
        ]
        chain: list[_Message[Item]] = max(before, key=lambda held: held[-1].time, default=[])
        chain.append(message)
        if not before:
            self._chains.append(chain)
        return chain

    def _take(self, message: _Message[Item]) -> TimedMessage[Item]:
        if self._last is not None:
            self._steps.append(message.time - self._last.time)
        self._last = message
        return TimedMessage(message.item, message.time, self.segment)

    def _begin(self, chain: list[_Message[Item]], alone: bool = True) -> list[TimedMessage[Item]]:
        """Begin a segment with a chain; if ``alone``, leave out all other pending messages."""
        others = [other for other in self._chains if other is not chain]
        if not alone:  # but for what came meanwhile
            others = [other for other in others if other[0].number < chain[-1].number]
        elif len(chain) > 1:
            # A wrong stamp may lie between the first message and the second.
            before = [other for other in others if other[0].number < chain[0].number]
            fits = [o for o in before if _continues(o[0], chain[0], [_step(*chain[:2])])]
            chain[:0] = [other.pop(0) for other in fits[:1]]
        outliers = self._give_up(others, chain[0])
        self._chains = [other for other in self._chains if other is not chain]
        self._end_segment()
        return outliers + [self._take(message) for message in chain]

    def _end_segment(self) -> None:
        if self._last is not None:
            self.segment += 1
            self._last = None
            self._steps.clear()

    def _give_up(
        self, chains: list[list[_Message[Item]]], following: _Message[Item] | None = None
    ) -> list[TimedMessage[Item]]:
        """Leave out the messages of some chains."""
        self._chains = [chain for chain in self._chains if chain not in chains]
        known = self._last or following
        return [
            self._leave_out(m, AHEAD if known is not None and m.time > known.time else BACK)
            for chain in chains
            for m in chain
        ]

    def _leave_out(self, message: _Message[Item], reason: str) -> TimedMessage[Item]:
        self.left_out[reason] += 1
        return TimedMessage(message.item, message.time, self.segment, reason)


def clock_of(stamps: Iterable[int]) -> Clock:
    """The clock of a recorded stream: arrival if all stamps are missing or equal."""
    values = list(stamps)
    alike = len(values) >= CONFIRMED and len(set(values)) == 1
    return "arrival" if alike or all(value <= 0 for value in values) else "stamp"


def filter_stamps(stamps: Sequence[int], arrivals: Sequence[int]) -> list[TimedMessage[int]]:
    """The messages of a recorded stream, by number, in the order of arrival."""
    judge: StampFilter[int] = StampFilter(clock_of(stamps))
    decided: list[TimedMessage[int]] = []
    for number, (stamp, arrival) in enumerate(zip(stamps, arrivals, strict=True)):
        decided += judge.add(stamp, arrival, number)
    return sorted(decided + judge.finish(), key=lambda judged: judged.item)


class ElapsedTime:
    """Nanoseconds since the first message; between two segments one usual step passes."""

    def __init__(self) -> None:
        self._last: tuple[int, int] | None = None
        self._step = self._since = 0

    def at(self, time: int, segment: int) -> int:
        """The elapsed time of the next message, given its time and its segment."""
        if self._last is not None:
            if segment == self._last[1]:
                self._step = time - self._last[0]
            self._since += self._step
        self._last = time, segment
        return self._since


def _is_plausible(message: _Message[Item]) -> bool:
    return message.time > 0 and abs(message.time - message.arrival) <= CLOSE


def _step(earlier: _Message[Item], later: _Message[Item]) -> int:
    return later.time - earlier.time


def _continues(earlier: _Message[Item], later: _Message[Item], steps: Collection[int]) -> bool:
    """Whether two messages have the same clock: a step forward that is no jump."""
    usual = int(median(steps or [0]))
    passed = later.arrival - earlier.arrival
    return 0 < _step(earlier, later) <= max(JUMP, JUMP_PERIODS * usual, JUMP_SHARE * passed)
