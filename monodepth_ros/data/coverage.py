"""How many frames of a recording got what was asked for, and why the others did not."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from monodepth_ros.data.bags.transform_tree import Unknown

_SECOND = 1_000_000_000
_ALIKE = 1.1  # times the nearest: no range is told


@dataclass
class _Missing:
    """Frames without it for one reason, and how far the nearest and farthest were: nanoseconds."""

    frames: int = 0
    nearest: int | None = None
    farthest: int | None = None

    def add(self, apart: int | None) -> None:
        self.frames += 1
        if apart is not None:
            self.nearest = apart if self.nearest is None else min(self.nearest, apart)
            self.farthest = apart if self.farthest is None else max(self.farthest, apart)

    @property
    def apart(self) -> str:
        if self.nearest is None or self.farthest is None:
            return ""
        near, far = _duration(self.nearest), _duration(self.farthest)
        return near if self.farthest < _ALIKE * self.nearest else f"{near} to {far}"


@dataclass
class Coverage:
    """Of one thing: depth, poses or speed, by the topic that it comes from.

    ``asked`` is whether it was asked for by name, so that nothing found is a failure.
    """

    what: str
    topic: str
    asked: bool = True
    frames: int = 0
    found: int = 0
    missing: dict[str, _Missing] = field(default_factory=dict)

    def add(self, got: object) -> None:
        """One more frame and what it got: an `Unknown` where it got nothing."""
        self.frames += 1
        if isinstance(got, Unknown):
            self.missing.setdefault(got.reason, _Missing()).add(got.apart)
        else:
            self.found += 1

    @property
    def reasons(self) -> dict[str, int]:
        """Why frames have none, and how many."""
        return {r.replace("{apart}", m.apart): m.frames for r, m in self.missing.items()}

    def __str__(self) -> str:
        """``depth 10 of 60 frames: nearest stamp 33 ms away (tolerance 20 ms)``."""
        reasons = self.reasons
        several = len(reasons) > 1
        told = "; ".join(f"{n} frames: {r}" if several else r for r, n in reasons.items())
        counted = f"{self.what} {self.found} of {self.frames} frames"
        return f"{counted}: {told}" if told else counted

    def as_json(self) -> dict[str, Any]:
        """All of it, for JSON."""
        return {
            "what": self.what,
            "topic": self.topic,
            "asked": self.asked,
            "frames": self.frames,
            "found": self.found,
            "missing": self.reasons,
        }

    @classmethod
    def of_json(cls, stored: Mapping[str, Any]) -> Coverage:
        """As it was when `as_json` gave it."""
        missing = {reason: _Missing(frames) for reason, frames in stored["missing"].items()}
        counts = stored["frames"], stored["found"]
        return cls(stored["what"], stored["topic"], stored["asked"], *counts, missing)


def found_nowhere(coverages: Iterable[Coverage]) -> list[str]:
    """Lines of what not one frame got, of several cameras of a recording, by what was asked for."""
    lines = []
    of_what: dict[str, list[Coverage]] = {}
    for coverage in coverages:
        if coverage.asked:
            of_what.setdefault(coverage.what, []).append(coverage)
    for same in of_what.values():
        if not any(coverage.found for coverage in same):
            lines += [f"{coverage.topic}: {coverage}" for coverage in same if coverage.frames]
    return lines


def _duration(nanoseconds: int) -> str:
    if nanoseconds < _SECOND:
        return f"{nanoseconds / 1e6:.3g} ms"
    if nanoseconds < 100 * _SECOND:
        return f"{nanoseconds / _SECOND:.3g} s"
    days = nanoseconds / _SECOND / 86400
    return f"{nanoseconds // _SECOND} s" + (f" ({days:.1f} days)" if days >= 2 else "")
