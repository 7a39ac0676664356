"""When live images were taken: the judge of their stamps, and what it has to say."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from rclpy.time import Time

from monodepth_ros.data.bags.messages.image import nanoseconds
from monodepth_ros.nodes.frame_statistics import WINDOW
from monodepth_ros.stamps import StampJudge


@dataclass(frozen=True)
class TimedImage:
    """An image whose stamp is believed; ``stretch`` counts how often the clock was set before."""

    message: Any  # Image or CompressedImage
    stretch: int


class ImageTimes:
    """Images in as they arrive; out those whose stamps can be believed.

    An image of a driver that does not stamp gets the time of its arrival in its header: a stamp of
    zero is of no use to TF. All others keep their stamp.
    """

    def __init__(self, topic: str, now: Callable[[], int], say: Callable[[str], None]) -> None:
        """``now`` is the node's clock in nanoseconds; ``say`` writes a line to the log."""
        self._topic, self._now, self._say = topic, now, say
        self._judge: StampJudge[Any] = StampJudge()
        self._left_out_at, self._why = -WINDOW, ""

    def add(self, message: Any) -> tuple[list[TimedImage], str]:
        """The images that can be used now, and the last reason why one cannot, if there is one."""
        stretch = self._judge.stretch
        judged = self._judge.add(nanoseconds(message.header.stamp), self._now(), message)
        if self._judge.stretch > stretch:
            self._say(f"{self._topic}: the clock was set: images go on by another one")
        reason = ""
        images = []
        for known in judged:
            if known.reason:
                reason = self._why = known.reason
                self._left_out_at = time.monotonic()
                self._warn(reason)
                continue
            if self._judge.clock == "arrival":
                known.item.header.stamp = Time(nanoseconds=known.time).to_msg()
            images.append(TimedImage(known.item, known.stretch))
        return images, reason

    def _warn(self, reason: str) -> None:
        """The more images are left out, the less often it is said."""
        count = self._judge.left_out[reason]
        if count & (count - 1) == 0:
            self._say(f"{self._topic}: {count} images left out so far: {reason}")

    @property
    def notices(self) -> list[str]:
        """What is wrong with them, for good or lately: diagnostics warn of it."""
        notices = []
        if self._judge.clock == "arrival":
            notices += [f"the driver of {self._topic} does not stamp: the time of arrival is used"]
        if time.monotonic() < self._left_out_at + WINDOW:
            notices += [f"some images are left out: {self._why}"]
        return notices

    def facts(self) -> dict[str, str]:
        """What diagnostics say of the stamps."""
        facts = {f"images left out: {reason}": str(n) for reason, n in self._judge.left_out.items()}
        if self._judge.stretch:
            facts["clock was set"] = str(self._judge.stretch)
        return facts
