"""Metrics of a demo: rates, latencies, drops, and errors where there is ground truth."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from monodepth_ros.evaluation.depth_metrics import mean_metrics
from monodepth_ros.evaluation.depth_protocol import PROTOCOLS, depth_from_disparity, evaluate_image
from monodepth_ros.evaluation.odometry_metrics import aligned_metrics, try_to_align
from monodepth_ros.stamps import SECOND


@dataclass
class ResultStream:
    """Arrival times and latencies of one kind of result."""

    arrivals: list[int] = field(default_factory=list)
    latencies: list[float] = field(default_factory=list)

    def add(self, now: int, stamp: int) -> None:
        """Add a result that arrived at ``now`` for the image of ``stamp``, both in nanoseconds."""
        self.arrivals.append(now)
        self.latencies.append((now - stamp) / SECOND)

    def metrics(self) -> dict[str, float]:
        """Count, rate (Hz) and latency from the image's stamp to the arrival (ms)."""
        span = (self.arrivals[-1] - self.arrivals[0]) / SECOND if len(self.arrivals) > 1 else 0.0
        metrics: dict[str, float] = {"count": len(self.arrivals)}
        if span > 0:
            median, p95 = np.percentile(np.array(self.latencies) * 1000, (50, 95))
            metrics |= {
                "rate_hz": (len(self.arrivals) - 1) / span,
                "latency_median_ms": float(median),
                "latency_p95_ms": float(p95),
            }
        return metrics


class DemoMetrics:
    """Collects results; all times in nanoseconds of the clock that stamps the images."""

    def __init__(self) -> None:
        self.sent: list[int] = []
        self.depth, self.odometry = ResultStream(), ResultStream()
        self._depth_errors: list[Mapping[str, float]] = []
        self._poses: dict[int, NDArray[np.float64]] = {}
        self._true_poses: dict[int, NDArray[np.float64]] = {}
        self.dropped: dict[str, int] = {}
        self.motions: dict[str, int] = {}  # by the method that has measured them

    def add_image(self, stamp: int, pose: NDArray[np.float64] | None) -> None:
        """Add a published image with its true ``T_world_camera``."""
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
        """Add a depth image; its ground truth has the size of the camera image."""
        self.depth.add(now, stamp)
        if truth is None:
            return
        compared = evaluate_image(depth_from_disparity(depth), truth, PROTOCOLS["plain"])
        if compared is not None:  # None for a frame without a valid pixel
            self._depth_errors.append(compared.metrics)

    def add_odometry(self, now: int, stamp: int, T_world_camera: NDArray[np.float64]) -> None:
        """Add a pose of odometry."""
        self.odometry.add(now, stamp)
        self._poses[stamp] = T_world_camera

    def depth_error(self) -> dict[str, float]:
        """The mean of the seven median-scaled depth metrics; empty without ground truth."""
        return dict(mean_metrics(self._depth_errors)) if self._depth_errors else {}

    def trajectory_error(self) -> dict[str, float]:
        """ATE (m, RMS) after 7-DoF alignment, the scale, and the true length (m)."""
        metrics = aligned_metrics(*self._common_poses())
        return {name: metrics[name] for name in ("ate_m", "scale", "length_m") if metrics}

    def trajectories(self) -> tuple[NDArray[np.float64], NDArray[np.float64] | None]:
        """Estimated poses (N, 4, 4), and the true poses (M, 4, 4) in the world of the estimate."""
        poses = np.array(list(self._poses.values())).reshape(-1, 4, 4)
        estimate, truth = self._common_poses()
        alignment = try_to_align(estimate, truth)
        return poses, None if alignment is None else alignment.inverse().apply_to_poses(truth)

    def summary(self) -> dict[str, Any]:
        """All metrics, for figures.json."""
        return {
            "images": {"count": len(self.sent)},
            "depth": {**self.depth.metrics(), **self.depth_error()},
            "odometry": {
                **self.odometry.metrics(),
                **self.trajectory_error(),
                **({"motions": dict(self.motions)} if self.motions else {}),
            },
            "dropped": dict(self.dropped),
        }

    def line(self) -> str:
        """One line for a terminal."""
        parts = [f"{len(self.sent)} images"]
        for name, stream in (("depth", self.depth), ("odometry", self.odometry)):
            metrics = stream.metrics()
            if "rate_hz" in metrics:
                rate, latency = metrics["rate_hz"], metrics["latency_median_ms"]
                parts.append(f"{name} {rate:.1f} Hz, {latency:.0f} ms")
        if self.dropped:
            parts.append("dropped " + "+".join(str(count) for count in self.dropped.values()))
        error, trajectory = self.depth_error(), self.trajectory_error()
        if error:
            parts.append(f"abs_rel {error['abs_rel']:.3f}")
        if trajectory:
            parts.append(f"ATE {trajectory['ate_m']:.3f} m of {trajectory['length_m']:.1f} m")
        return " | ".join(parts)

    def _common_poses(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Estimated and true poses (N, 4, 4) of the same images."""
        stamps = [stamp for stamp in self._poses if stamp in self._true_poses]
        estimate = np.array([self._poses[s] for s in stamps]).reshape(-1, 4, 4)
        return estimate, np.array([self._true_poses[s] for s in stamps]).reshape(-1, 4, 4)
