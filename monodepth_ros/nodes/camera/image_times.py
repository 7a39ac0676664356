"""Validation of the stamps of live images."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from rclpy.time import Time

from monodepth_ros.data.bags.messages.image import nanoseconds
from monodepth_ros.nodes.frame_statistics import WINDOW
from monodepth_ros.stamps import StampFilter, TimedMessage


class ImageTimes:
    """Returns the images with valid stamps, in the order of their stamps.

    If the driver does not stamp, an image gets the time of its arrival as its stamp, because TF
    cannot use a stamp of zero. All other images keep their stamp.
    """

    def __init__(self, topic: str, now: Callable[[], int], warn: Callable[[str], None]) -> None:
        """``now`` returns the node's time in nanoseconds; ``warn`` logs a warning."""
        self._topic, self._now, self._warn = topic, now, warn
        self._judge: StampFilter[Any] = StampFilter()
        self._left_out_at, self._last_reason = -WINDOW, ""

    def add(self, message: Any) -> tuple[list[TimedMessage[Any]], str]:
        """The images that can be used now, and why an image was left out, if one was."""
        segment = self._judge.segment
        judged = self._judge.add(nanoseconds(message.header.stamp), self._now(), message)
        if self._judge.segment > segment:
            self._warn(f"{self._topic}: the clock of the images was set")
        reason = ""
        images = []
        for known in judged:
            if known.reason:
                reason = self._last_reason = known.reason
                self._left_out_at = time.monotonic()
                self._warn_about(reason)
                continue
            if self._judge.clock == "arrival":
                known.item.header.stamp = Time(nanoseconds=known.time).to_msg()
            images.append(known)
        return images, reason

    def _warn_about(self, reason: str) -> None:
        """Log the 1st, 2nd, 4th, 8th ... image that is left out."""
        count = self._judge.left_out[reason]
        if count & (count - 1) == 0:
            self._warn(f"{self._topic}: {count} images left out so far: {reason}")

    @property
    def warnings(self) -> list[str]:
        """Warnings about the stamps, in diagnostics."""
        warnings = []
        if self._judge.clock == "arrival":
            warnings += [f"the driver of {self._topic} does not stamp: the time of arrival is used"]
        if time.monotonic() < self._left_out_at + WINDOW:
            warnings += [f"some images are left out: {self._last_reason}"]
        return warnings

    def facts(self) -> dict[str, str]:
        """Values in diagnostics about the stamps."""
        facts = {f"images left out: {reason}": str(n) for reason, n in self._judge.left_out.items()}
        if self._judge.segment:
            facts["clock was set"] = str(self._judge.segment)
        return facts
