"""The camera_info messages of one topic of a bag: which calibration counts, and for which images.

A recording has one camera. So of several calibrations, as of a camera that zooms or is calibrated
anew, the one that most messages have counts, and images of the others are left out.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from typing import Any

from monodepth_ros.data.bags.file import BagMessage
from monodepth_ros.data.bags.messages.camera import (
    calibration_of,
    is_calibrated,
    is_same_calibration,
)


@dataclass
class _Calibration:
    first: Any  # the first message that states it
    count: int = 0
    varies: bool = False  # within what counts as the same


class RecordedCameraInfos:
    """Takes the messages in their order, then tells.

    Messages of zeros, which drivers send until they have read their calibration, count only where
    there are no others.
    """

    def __init__(self) -> None:
        self._unfilled: Any = None
        self._calibrations: list[_Calibration] = []
        self._places: dict[tuple[object, ...], int] = {}  # of exact values in the list above
        self._by_stamp: dict[int, int] = {}
        self._changes: list[tuple[int, int]] = []  # when recorded, and which from there on

    def add(self, message: BagMessage) -> None:
        """Take a message."""
        info = message.content
        if not is_calibrated(info):
            self._unfilled = self._unfilled or info
            return
        place = self._place_of(info)
        self._calibrations[place].count += 1
        if message.header_stamp:  # not of a driver that does not stamp
            self._by_stamp[message.header_stamp] = place
        if not self._changes or self._changes[-1][1] != place:
            self._changes.append((message.stamp, place))

    def _place_of(self, info: Any) -> int:
        values = calibration_of(info)
        if values not in self._places:
            same = (
                place
                for place, known in enumerate(self._calibrations)
                if is_same_calibration(known.first, info)
            )
            place = next(same, len(self._calibrations))
            if place == len(self._calibrations):
                self._calibrations.append(_Calibration(info))
            else:
                self._calibrations[place].varies = True
            self._places[values] = place
        return self._places[values]

    @property
    def info(self) -> Any:
        """The message that counts; one of zeros where there is no other, None where there is none.

        A tie goes to the earlier calibration.
        """
        if not self._calibrations:
            return self._unfilled
        return self._calibrations[self._main].first

    @property
    def _main(self) -> int:
        counts = [known.count for known in self._calibrations]
        return counts.index(max(counts))

    def describes(self, image: BagMessage) -> bool:
        """Whether an image was taken by the calibration that counts.

        By the message of its stamp, where there is one, or else the last one that was recorded
        before it.
        """
        if len(self._calibrations) < 2:
            return True
        place = self._by_stamp.get(image.header_stamp)
        if place is None:
            last = bisect_right(self._changes, (image.stamp, len(self._calibrations))) - 1
            place = self._changes[max(last, 0)][1]
        return place == self._main

    def notes(self, topic: str) -> list[str]:
        """What is to be said of them, in lines."""
        notes = []
        if len(self._calibrations) > 1:
            notes.append(
                f"{topic}: {len(self._calibrations)} different calibrations: the one of"
                f" {self._calibrations[self._main].count} messages counts"
            )
        if any(known.varies for known in self._calibrations):
            notes.append(f"{topic}: the calibration varies by less than 0.5 %: taken as constant")
        return notes
