"""When the messages of a bag were taken: each stream judged as a whole, before any is used."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import Any, NamedTuple

from monodepth_ros.stamps import JUMP_SHARE, SECOND, TimedMessage, clock_of, filter_stamps

_PARTED = 1 << 20  # to the epoch where a clock was not set along with another
_AGREEMENT = SECOND // 10  # that two clocks may differ in how they went on


class _Reset(NamedTuple):
    """A clock was set between two messages, recorded at ``begin`` and ``end``, by a ``step``."""

    begin: int
    end: int
    step: int
    message: int  # the first after it

    def overlaps(self, other: _Reset) -> bool:
        """Whether both can be one event."""
        return self.begin < other.end and other.begin < self.end


class BagTimes:
    """Stamps and recorded times of the streams of a bag; a stream has one clock, never two.

    A stream is a topic, or one frame of a topic of transforms. ``notes`` say what a user should
    know of the clocks. Where a clock was set, a time may come twice: an epoch is what lies between
    two such places, for all streams alike, and one stream has nothing to say of another's epoch.
    """

    def __init__(self, setters: Collection[str]) -> None:
        """A new epoch begins where the clock of one of these streams was set."""
        self._setters = setters
        self._by_number: dict[str, list[TimedMessage[int]]] = {}
        self._stamps: dict[str, list[int]] = {}
        self._recorded: dict[str, list[int]] = {}
        self._items: dict[str, list[Any]] = {}
        self._judged: dict[str, list[TimedMessage[Any]]] = {}
        self.notes: list[str] = []

    def add(self, stream: str, stamp: int, recorded: int, item: Any = None) -> None:
        """One more message, in the order of the bag; times in nanoseconds."""
        self._stamps.setdefault(stream, []).append(stamp)
        self._recorded.setdefault(stream, []).append(recorded)
        self._items.setdefault(stream, []).append(item)

    @property
    def streams(self) -> list[str]:
        """In the order in which they begin."""
        return list(self._stamps)

    def recorded(self, stream: str) -> list[int]:
        """When each message was recorded; empty where there is none."""
        return self._recorded.get(stream, [])

    def timed(self, stream: str) -> list[TimedMessage[Any]]:
        """Each message's item with its time, or the reason why it is left out."""
        if stream not in self._judged:
            items, epochs = self._items.pop(stream, []), self._epochs(stream)
            self._judged[stream] = [
                replace(known, item=item, epoch=epoch)
                for known, item, epoch in zip(self._decided(stream), items, epochs, strict=True)
            ]
            self._note(stream)
        return self._judged[stream]

    def _decided(self, stream: str) -> list[TimedMessage[int]]:
        if stream not in self._by_number:
            stamps, recorded = self._stamps.get(stream, []), self.recorded(stream)
            self._by_number[stream] = filter_stamps(stamps, recorded)
        return self._by_number[stream]

    def _epochs(self, stream: str) -> list[int]:
        """Of each message; those of a clock that was not set along are of epochs of their own.

        Where the stream's own clock was set at that time, it tells exactly which of its messages
        came before; else the times of recording do.
        """
        recorded, own = self.recorded(stream), self._resets(stream)
        epochs = [0] * len(recorded)
        for reset in _events([r for setter in self._setters for r in self._resets(setter)]):
            first = next((r.message for r in own if r.overlaps(reset)), None)
            step = 1 if self._is_set_along(stream, reset) else _PARTED
            for number, at in enumerate(recorded):
                after = at >= reset.end if first is None else number >= first
                epochs[number] += step if after else 0
        return epochs

    def _resets(self, stream: str) -> list[_Reset]:
        recorded, decided = self.recorded(stream), self._decided(stream)
        taken = [n for n, known in enumerate(decided) if not known.reason]
        return [
            _Reset(recorded[one], recorded[other], decided[other].time - decided[one].time, other)
            for one, other in zip(taken, taken[1:], strict=False)
            if decided[one].segment < decided[other].segment
        ]

    def _is_set_along(self, stream: str, reset: _Reset) -> bool:
        """Whether the stream's clock went on over a reset as the one that was set."""
        recorded = self.recorded(stream)
        taken = [n for n, known in enumerate(self._decided(stream)) if not known.reason]
        before = [n for n in taken if recorded[n] <= reset.begin]
        after = [n for n in taken if recorded[n] >= reset.end]
        if not before or not after:
            return True
        one, other = before[-1], after[0]
        step = self._decided(stream)[other].time - self._decided(stream)[one].time
        beside = reset.begin - recorded[one] + recorded[other] - reset.end
        return abs(step - reset.step) <= _AGREEMENT + JUMP_SHARE * beside

    def _note(self, stream: str) -> None:
        if self._stamps.get(stream) and clock_of(self._stamps[stream]) == "arrival":
            self.notes.append(f"{stream}: its driver does not stamp; the recorded times are used")
        for reset in self._resets(stream):
            way = "ahead" if reset.step > 0 else "back"
            seconds = abs(reset.step / SECOND)
            self.notes.append(f"{stream}: the clock was set {way} by about {seconds:.1f} s")


def _events(resets: list[_Reset]) -> list[_Reset]:
    """Resets of several streams at one time are one."""
    events: list[_Reset] = []
    for reset in sorted(resets, key=lambda reset: (reset.begin, reset.end)):
        if not events or not reset.overlaps(events[-1]):
            events.append(reset)
    return events
