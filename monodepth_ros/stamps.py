"""One notion of time: which stamps of a stream to believe, live and in recordings alike.

A stamp that is zero, repeated, or far from those around it costs its own message. A clock that was
set, or a recording that begins again, costs nothing: the frames that follow tell the one from the
other, as three of them in order are not a mistake. A driver that never stamps is taken by the time
at which its messages arrived, all of them: one stream never has times of both kinds.
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
CONFIRMED = (
    3  # messages in order that are a clock, and alike that are a driver which does not stamp
)
JUMP = SECOND  # a step ahead that no clock needs to explain,
JUMP_PERIODS = 10  # or as many usual steps of the stream,
JUMP_SHARE = 2  # or of what had passed by arrival: a pause of the camera, no jump of its clock
LONGEST = 1 << 63  # more than two stamps can be apart
CLOSE = 10 * SECOND  # from stamp to arrival: the first message of a stream is believed at once

UNSTAMPED = "without a stamp (0) in a stream that has stamps"
REPEATED = "stamp repeated"
BACK = "stamp goes back, and no other message confirms it"
AHEAD = "stamp jumps ahead, and no other message confirms it"


@dataclass(frozen=True)
class Judged(Generic[Item]):
    """A message and its ``time`` in nanoseconds, or the ``reason`` why it is left out.

    Times grow within a ``stretch``; a new one begins where the clock was set or a recording began
    again, and nothing is known of the time between the two. Of several streams that were recorded
    together, ``epoch`` counts the same for all.
    """

    item: Item
    time: int
    stretch: int
    reason: str = ""
    epoch: int = 0

    @property
    def key(self) -> int:
        """A time that never comes twice among streams that were recorded together."""
        return self.time + (self.epoch << 64)


@dataclass(frozen=True, eq=False)
class _Message(Generic[Item]):
    number: int  # in the order of arrival
    item: Item
    time: int
    arrival: int


class StampJudge(Generic[Item]):
    """Messages of one stream in, in the order of their arrival; the same out as they are decided.

    A message that follows the one before it comes back at once. One that does not is held until
    the next two tell what it was. ``clock`` is known of a recording (`clock_of`); of a live stream
    it is None, and its first three messages decide; where they had no stamps, three later ones with
    stamps in order begin a stretch by stamp: a driver has waited for simulated time.
    """

    def __init__(self, clock: Clock | None = None) -> None:
        self.clock: Clock | None = clock
        self._live = clock is None
        self._newest_stamp = self._in_order = 0  # of stamps that came while arrival counts
        self.left_out: Counter[str] = Counter()
        self._undecided: list[_Message[Item]] = []  # of one stamp, while it is the only one
        self._given_at_once = 0  # of those
        self._last: _Message[Item] | None = None  # taken
        # What is held: each chain is in order, a clock that it may be.
        self._chains: list[list[_Message[Item]]] = []
        self._steps: deque[int] = deque(maxlen=15)
        self._stretch = self._count = 0

    @property
    def held(self) -> int:
        """How many messages wait for those that follow."""
        return sum(map(len, self._chains)) + len(self._undecided) - self._given_at_once

    @property
    def stretch(self) -> int:
        """How often the clock has been set so far."""
        return self._stretch

    def add(self, stamp: int, arrival: int, item: Item) -> list[Judged[Item]]:
        """What is decided now that ``item`` has come; both times in nanoseconds."""
        self._count += 1
        if self.clock is None:
            return self._decide(_Message(self._count, item, stamp, arrival))
        if self.clock == "arrival" and self._live:
            self._look_for_stamps(stamp)
        time = arrival if self.clock == "arrival" else stamp
        return self._judge(_Message(self._count, item, time, arrival))

    def finish(self) -> list[Judged[Item]]:
        """Decide what is held: nothing follows any more."""
        self.clock = self.clock or "stamp"
        decided = self._judge_undecided()
        while self._chains:
            chain = self._chains[0]
            believed = len(chain) > 1 or (self._last is None and len(self._chains) == 1)
            decided += self._begin(chain, False) if believed else self._give_up([chain])
        return decided

    def _decide(self, message: _Message[Item]) -> list[Judged[Item]]:
        first = self._undecided
        first.append(message)
        if any(other.time != message.time for other in first):
            self.clock = "stamp"
        elif len(first) == CONFIRMED:
            self.clock = "arrival"
            first[:] = [replace(message, time=message.arrival) for message in first]
            self._end_stretch()
        elif len(first) == 1 and _is_plausible(message):
            self._given_at_once = 1
            return self._judge(message)
        else:
            return []
        return self._judge_undecided()

    def _look_for_stamps(self, stamp: int) -> None:
        self._in_order = self._in_order + 1 if stamp > self._newest_stamp else 0
        self._newest_stamp = stamp
        if self._in_order == CONFIRMED:
            self.clock = "stamp"
            self._end_stretch()

    def _judge_undecided(self) -> list[Judged[Item]]:
        waiting = self._undecided[self._given_at_once :]
        self._undecided, self._given_at_once = [], 0
        return [judged for message in waiting for judged in self._judge(message)]

    def _judge(self, message: _Message[Item]) -> list[Judged[Item]]:
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
        """The chain that ends least before a message, with it; a new one where none does."""
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

    def _take(self, message: _Message[Item]) -> Judged[Item]:
        if self._last is not None:
            self._steps.append(message.time - self._last.time)
        self._last = message
        return Judged(message.item, message.time, self._stretch)

    def _begin(self, chain: list[_Message[Item]], alone: bool = True) -> list[Judged[Item]]:
        """Take a chain as a clock of its own; if ``alone``, all else that is held is left out."""
        others = [other for other in self._chains if other is not chain]
        if not alone:  # but for what came meanwhile
            others = [other for other in others if other[0].number < chain[-1].number]
        elif len(chain) > 1:
            # A mistake may have come between the first and the second.
            before = [other for other in others if other[0].number < chain[0].number]
            fits = [o for o in before if _continues(o[0], chain[0], [_step(*chain[:2])])]
            chain[:0] = [other.pop(0) for other in fits[:1]]
        outliers = self._give_up(others, chain[0])
        self._chains = [other for other in self._chains if other is not chain]
        self._end_stretch()
        return outliers + [self._take(message) for message in chain]

    def _end_stretch(self) -> None:
        if self._last is not None:
            self._stretch += 1
            self._last = None
            self._steps.clear()

    def _give_up(
        self, chains: list[list[_Message[Item]]], following: _Message[Item] | None = None
    ) -> list[Judged[Item]]:
        """Leave out what is held in some chains."""
        self._chains = [chain for chain in self._chains if chain not in chains]
        known = self._last or following
        return [
            self._leave_out(m, AHEAD if known is not None and m.time > known.time else BACK)
            for chain in chains
            for m in chain
        ]

    def _leave_out(self, message: _Message[Item], reason: str) -> Judged[Item]:
        self.left_out[reason] += 1
        return Judged(message.item, message.time, self._stretch, reason)


def clock_of(stamps: Iterable[int]) -> Clock:
    """What to take a recorded stream by: arrival where no message is stamped, or all are alike."""
    values = list(stamps)
    alike = len(values) >= CONFIRMED and len(set(values)) == 1
    return "arrival" if alike or all(value <= 0 for value in values) else "stamp"


def judge_all(stamps: Sequence[int], arrivals: Sequence[int]) -> list[Judged[int]]:
    """A recorded stream, judged: for each message, by its number, in the order of arrival."""
    judge: StampJudge[int] = StampJudge(clock_of(stamps))
    decided: list[Judged[int]] = []
    for number, (stamp, arrival) in enumerate(zip(stamps, arrivals, strict=True)):
        decided += judge.add(stamp, arrival, number)
    return sorted(decided + judge.finish(), key=lambda judged: judged.item)


class ElapsedTime:
    """Nanoseconds since the first message, where a clock that was set counts as one usual step."""

    def __init__(self) -> None:
        self._last: tuple[int, int] | None = None
        self._step = self._since = 0

    def at(self, time: int, stretch: int) -> int:
        """Of the next message, by its time and the stretch that it is of."""
        if self._last is not None:
            if stretch == self._last[1]:
                self._step = time - self._last[0]
            self._since += self._step
        self._last = time, stretch
        return self._since


def _is_plausible(message: _Message[Item]) -> bool:
    return message.time > 0 and abs(message.time - message.arrival) <= CLOSE


def _step(earlier: _Message[Item], later: _Message[Item]) -> int:
    return later.time - earlier.time


def _continues(earlier: _Message[Item], later: _Message[Item], steps: Collection[int]) -> bool:
    """Whether one clock says both times: a step ahead, and no jump by what else is known of it."""
    usual = int(median(steps or [0]))
    passed = later.arrival - earlier.arrival
    return 0 < _step(earlier, later) <= max(JUMP, JUMP_PERIODS * usual, JUMP_SHARE * passed)
