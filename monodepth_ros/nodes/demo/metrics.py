"""What a demo measures while it runs: rates, latency, drops, and errors where there is truth."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from monodepth_ros.evaluation.alignment import Similarity
from monodepth_ros.evaluation.depth_metrics import mean_metrics
from monodepth_ros.evaluation.depth_protocol import (
    PROTOCOLS,
    depth_from_disparity,
    evaluate_image,
)
from monodepth_ros.evaluation.odometry_metrics import aligned_metrics, try_to_align

_SECOND = 1_000_000_000


@dataclass
class ResultStream:
    """One kind of result: when each came, by this machine's clock, and the stamp that it has."""

    arrivals: list[int] = field(default_factory=list)
    latencies: list[float] = field(default_factory=list)

    def add(self, now: int, stamp: int) -> None:
        """A result that came at ``now`` for the image of ``stamp``, both in nanoseconds."""
        self.arrivals.append(now)
        self.latencies.append((now - stamp) / _SECOND)

    def figures(self) -> dict[str, float]:
        """Count, rate (Hz) and latency from the image's stamp to the arrival here (ms)."""
        span = (self.arrivals[-1] - self.arrivals[0]) / _SECOND if len(self.arrivals) > 1 else 0.0
        figures: dict[str, float] = {"count": len(self.arrivals)}
        if span > 0:
            median, p95 = np.percentile(np.array(self.latencies) * 1000, (50, 95))
            figures |= {
                "rate_hz": (len(self.arrivals) - 1) / span,
                "latency_median_ms": float(median),
                "latency_p95_ms": float(p95),
            }
        return figures


class DemoFigures:
    """Collects; all times and stamps in nanoseconds of the clock that stamps the images."""

    def __init__(self) -> None:
        self.sent: list[int] = []
        self.depth, self.odometry = ResultStream(), ResultStream()
        self._depth_errors: list[Mapping[str, float]] = []
        self._poses: dict[int, NDArray[np.float64]] = {}
        self._true_poses: dict[int, NDArray[np.float64]] = {}
        self.dropped: dict[str, int] = {}

    def add_image(self, stamp: int, pose: NDArray[np.float64] | None) -> None:
        """An image that was sent, with its true ``T_world_camera``."""
        self.sent.append(stamp)
        if pose is not None:
            self._true_poses[stamp] = pose

    def add_depth(
        self,
        now: int,
        stamp: int,
        depth: NDArray[np.float32],
        truth: NDArray[np.float32] | None,
    ) -> None:
        """A depth image; its truth has the size of the camera's image."""
        self.depth.add(now, stamp)
        if truth is None:
            return
        compared = evaluate_image(depth_from_disparity(depth), truth, PROTOCOLS["plain"])
        if compared is not None:  # a frame without a valid pixel says nothing
            self._depth_errors.append(compared.metrics)

    def add_odometry(self, now: int, stamp: int, T_world_camera: NDArray[np.float64]) -> None:
        """Where the camera is by odometry."""
        self.odometry.add(now, stamp)
        self._poses[stamp] = T_world_camera

    def depth_error(self) -> dict[str, float]:
        """The mean of the seven median-scaled metrics so far; empty without truth."""
        return dict(mean_metrics(self._depth_errors)) if self._depth_errors else {}

    def trajectory_error(self) -> dict[str, float]:
        """ATE (m, root mean square) after 7-DoF alignment, the scale, and the true length (m)."""
        estimate, truth, alignment = self._aligned()
        if alignment is None:
            return {}
        metrics = aligned_metrics(estimate, truth, alignment)
        return {name: metrics[name] for name in ("ate_m", "scale", "length_m")}

    def trajectories(self) -> tuple[NDArray[np.float64], NDArray[np.float64] | None]:
        """Estimated poses (N, 4, 4), and the true ones (M, 4, 4) in the estimate's world."""
        poses = np.array(list(self._poses.values())).reshape(-1, 4, 4)
        _, truth, alignment = self._aligned()
        if alignment is None:
            return poses, None
        return poses, alignment.inverse().apply_to_poses(truth)

    def summary(self) -> dict[str, Any]:
        """All figures."""
        return {
            "images": {"count": len(self.sent)},
            "depth": {**self.depth.figures(), **self.depth_error()},
            "odometry": {**self.odometry.figures(), **self.trajectory_error()},
            "dropped": dict(self.dropped),
        }

    def line(self) -> str:
        """One line for a terminal."""
        parts = [f"{len(self.sent)} images"]
        for name, stream in (("depth", self.depth), ("odometry", self.odometry)):
            figures = stream.figures()
            if "rate_hz" in figures:
                rate, latency = figures["rate_hz"], figures["latency_median_ms"]
                parts.append(f"{name} {rate:.1f} Hz, {latency:.0f} ms")
        if self.dropped:
            parts.append("dropped " + "+".join(str(count) for count in self.dropped.values()))
        error, trajectory = self.depth_error(), self.trajectory_error()
        if error:
            parts.append(f"abs_rel {error['abs_rel']:.3f}")
        if trajectory:
            parts.append(f"ATE {trajectory['ate_m']:.3f} m of {trajectory['length_m']:.1f} m")
        return " | ".join(parts)

    def _aligned(
        self,
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], Similarity | None]:
        """Poses (N, 4, 4) of the same images, estimated and true, and what aligns them (7 DoF)."""
        stamps = [stamp for stamp in self._poses if stamp in self._true_poses]
        estimate = np.array([self._poses[s] for s in stamps]).reshape(-1, 4, 4)
        truth = np.array([self._true_poses[s] for s in stamps]).reshape(-1, 4, 4)
        return estimate, truth, try_to_align(estimate, truth)
