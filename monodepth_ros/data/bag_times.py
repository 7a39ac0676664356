"""When the messages of a bag were taken: each stream judged as a whole, before any is used."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from monodepth_ros.stamps import SECOND, Judged, clock_of, judge_all


class BagTimes:
    """Stamps and recorded times of the streams of a bag; a stream has one clock, never two.

    A stream is a topic, or one frame of a topic of transforms. ``notes`` say what a user should
    know of the clocks.
    """

    def __init__(self) -> None:
        self._stamps: dict[str, list[int]] = {}
        self._recorded: dict[str, list[int]] = {}
        self._items: dict[str, list[Any]] = {}
        self._judged: dict[str, list[Judged[Any]]] = {}
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

    def judged(self, stream: str) -> list[Judged[Any]]:
        """Each message's item with its time, or the reason why it is left out."""
        if stream not in self._judged:
            items = self._items.pop(stream, [])
            decided = judge_all(self._stamps.get(stream, []), self.recorded(stream))
            self._judged[stream] = [replace(j, item=items[j.item]) for j in decided]
            self._note(stream)
        return self._judged[stream]

    def _note(self, stream: str) -> None:
        if self._stamps.get(stream) and clock_of(self._stamps[stream]) == "arrival":
            self.notes.append(f"{stream}: its driver does not stamp; the recorded times are used")
        taken = [judged for judged in self._judged[stream] if not judged.reason]
        for before, after in zip(taken, taken[1:], strict=False):
            if after.stretch > before.stretch:
                seconds = (after.time - before.time) / SECOND
                way = "ahead" if seconds > 0 else "back"
                self.notes.append(
                    f"{stream}: the clock was set {way} by about {abs(seconds):.1f} s"
                )
