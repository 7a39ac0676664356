"""How many frames of a recording have depth, poses or speed, and why others do not."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from monodepth_ros.data.bags.transform_tree import Unknown
from monodepth_ros.stamps import SECOND

_SIMILAR = 1.1  # ratio of gaps that are reported as one


@dataclass
class Coverage:
    """The coverage of depth, poses or speed from one topic.

    ``requested``: the user named the topic, so it is a failure if no frame has it. ``gaps`` has, by
    the reason, one of each frame without it, in nanoseconds.
    """

    what: str
    topic: str
    requested: bool = True
    frames: int = 0
    found: int = 0
    gaps: dict[str, list[int | None]] = field(default_factory=dict)

    def add(self, got: object) -> None:
        """Add a frame with its value, an `Unknown` if it has none."""
        self.frames += 1
        if isinstance(got, Unknown):
            self.gaps.setdefault(got.reason, []).append(got.gap)
        else:
            self.found += 1

    @property
    def reasons(self) -> dict[str, int]:
        """The reasons why frames have none, with their counts."""
        return {r.replace("{gap}", _range(gaps)): len(gaps) for r, gaps in self.gaps.items()}

    def __str__(self) -> str:
        """``depth 10 of 60 frames: nearest stamp 33 ms away (tolerance 20 ms)``."""
        reasons = self.reasons
        several = len(reasons) > 1
        told = "; ".join(f"{n} frames: {r}" if several else r for r, n in reasons.items())
        counted = f"{self.what} {self.found} of {self.frames} frames"
        return f"{counted}: {told}" if told else counted

    def as_json(self) -> dict[str, Any]:
        """All fields, for JSON."""
        return {
            "what": self.what,
            "topic": self.topic,
            "asked": self.requested,
            "frames": self.frames,
            "found": self.found,
            "missing": self.reasons,
        }

    @classmethod
    def of_json(cls, stored: Mapping[str, Any]) -> Coverage:
        """The inverse of `as_json`."""
        gaps: dict[str, list[int | None]] = {r: [None] * n for r, n in stored["missing"].items()}
        counts = stored["frames"], stored["found"]
        return cls(stored["what"], stored["topic"], stored["asked"], *counts, gaps)


def never_found(coverages: Iterable[Coverage]) -> list[str]:
    """Descriptions of what was requested and no frame of any camera has."""
    requested = [coverage for coverage in coverages if coverage.requested]
    known = {coverage.what for coverage in requested if coverage.found}
    missing = [coverage for coverage in requested if coverage.what not in known]
    return [f"{coverage.topic}: {coverage}" for coverage in missing if coverage.frames]


def _range(gaps: list[int | None]) -> str:
    known = [gap for gap in gaps if gap is not None]
    if not known:
        return ""
    near, far = min(known), max(known)
    return _duration(near) + (f" to {_duration(far)}" if far >= _SIMILAR * near else "")


def _duration(nanoseconds: int) -> str:
    if nanoseconds < SECOND:
        return f"{nanoseconds / 1e6:.3g} ms"
    if nanoseconds < 100 * SECOND:
        return f"{nanoseconds / SECOND:.3g} s"
    days = nanoseconds / SECOND / 86400
    return f"{nanoseconds // SECOND} s" + (f" ({days:.1f} days)" if days >= 2 else "")
