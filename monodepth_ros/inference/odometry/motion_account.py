"""How motions were measured: counts of the methods, and how well the last motion is supported."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from monodepth_ros.inference.odometry.motion import Motion

MOTIONS = "motions: "  # how diagnostics name the counts of the methods


@dataclass
class MotionAccount:
    """Counts motions by the method that has measured them, and the reasons of fallbacks."""

    by_method: Counter[str] = field(default_factory=Counter)
    fallbacks: Counter[str] = field(default_factory=Counter)
    last: Motion | None = None

    def add(self, motion: Motion) -> None:
        """Count a motion; a guess only as a fallback."""
        if motion.measured:
            self.by_method[motion.method] += 1
        if motion.fallback:
            self.fallbacks[motion.fallback] += 1
        self.last = motion

    def counts(self) -> dict[str, int]:
        """The number of motions by each method that has measured any, as ``motions_METHOD``."""
        return {f"motions_{name}": count for name, count in sorted(self.by_method.items())}

    def facts(self) -> dict[str, str]:
        """For diagnostics: the counts, and what supports the last motion."""
        # Copied: diagnostics ask while motions are counted.
        counts, fallbacks = (sorted(dict(c).items()) for c in (self.by_method, self.fallbacks))
        facts = {f"{MOTIONS}{name}": str(count) for name, count in counts}
        if self.last is not None:
            facts |= _support(self.last)
        return facts | {f"fallbacks: {reason}": str(count) for reason, count in fallbacks}


def _support(motion: Motion) -> dict[str, str]:
    """What a method knows of its motion."""
    known = {
        "inliers": motion.inliers,
        "landmarks": motion.landmarks,
        "reprojection error (px)": motion.reprojection_error,
    }
    return {
        "method of the last motion": motion.method,
        **{name: f"{value:.3g}" for name, value in known.items() if value is not None},
    }
