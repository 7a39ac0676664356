"""What a replay finds out, frame by frame, and the metrics that follow from it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from monodepth_ros.data.bags.frames import RecordedFrame
from monodepth_ros.data.coverage import Coverage
from monodepth_ros.evaluation.alignment import Similarity
from monodepth_ros.evaluation.depth_metrics import mean_metrics
from monodepth_ros.evaluation.depth_protocol import (
    PROTOCOLS,
    DepthProtocol,
    depth_from_disparity,
    evaluate_image,
)
from monodepth_ros.evaluation.mean_maps import MeanMap
from monodepth_ros.evaluation.odometry_consistency import (
    SPANS,
    NormalisedErrors,
    consistency_metrics,
    normalised_errors,
)
from monodepth_ros.evaluation.odometry_metrics import aligned_metrics, try_to_align
from monodepth_ros.evaluation.scale.consistency import (
    pose_depth_log_ratio,
    pose_scales,
    sequence_scale_std,
)
from monodepth_ros.evaluation.uncertainty.image import ImageUncertainty, UncertaintyMaps
from monodepth_ros.evaluation.uncertainty.summary import figures
from monodepth_ros.geometry.image_size import resize_nearest
from monodepth_ros.inference.depth_estimator import DepthPrediction
from monodepth_ros.inference.odometry.motion import Motion
from monodepth_ros.inference.odometry.motion_account import MotionAccount
from monodepth_ros.stamps import SECOND, ElapsedTime

_NO_METRICS: dict[str, float] = {}


@dataclass(frozen=True)
class ReplayedFrame:
    """One frame: its metrics against true depth where there is some, and where the camera is.

    ``ratio`` is the median of truth over that of the prediction. ``pose`` and ``true_pose`` are
    ``T_world_camera``, None where unknown; ``covariance`` 6x6 is that of ``pose``. ``event`` is the
    tracker's, ``none`` for a frame that it did not take. ``segment`` counts how often the clock was
    set before: stamps grow within one. ``method`` has measured its motion, if it is one.
    """

    stamp: int
    metrics: dict[str, float]
    ratio: float
    event: str
    pose: NDArray[np.float64] | None
    true_pose: NDArray[np.float64] | None
    segment: int = 0
    covariance: NDArray[np.float64] | None = None
    method: str = ""


@dataclass
class ReplayRecord:
    """All frames in their order, where depth errs in the image, and what was left out and found.

    Depth is measured by ``protocol``. ``metric`` tells whether depth and poses are in metres, or
    in a unit of the model's own. ``background_pixels`` have no depth as black background.
    """

    frames: list[ReplayedFrame] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)
    coverage: dict[str, Coverage] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    protocol: DepthProtocol = PROTOCOLS["plain"]
    metric: bool = False
    background_pixels: int = 0
    motions: MotionAccount = field(default_factory=MotionAccount)
    true_depths: int = 0  # frames that came with true depth, whether it could be compared or not
    uncertainties: list[ImageUncertainty] = field(default_factory=list)  # of frames with truth
    in_metres: list[tuple[float, float]] = field(default_factory=list)  # abs_rel, and when aligned
    without_metres: int = 0  # frames before the scale was known
    _nearest: float = np.inf
    _farthest: float = 0.0
    _errors: MeanMap = field(default_factory=MeanMap)

    def add(
        self,
        frame: RecordedFrame,
        depth: NDArray[np.float32],
        event: str = "none",
        pose: NDArray[np.float64] | None = None,
        covariance: NDArray[np.float64] | None = None,
        motion: Motion | None = None,
        maps: UncertaintyMaps | None = None,
    ) -> None:
        """A frame, with what the tracker says of it; ``depth`` HxW of the network's size.

        ``maps`` are what is said of its error.
        """
        if motion is not None:
            self.motions.add(motion)
        truth = frame.depth
        metrics, ratio = _NO_METRICS, np.nan
        if truth is not None:
            self.true_depths += 1
            found = evaluate_image(depth_from_disparity(depth), truth, self.protocol, maps=maps)
            if found is not None:
                metrics, ratio = found.metrics, found.ratio
                if found.uncertainty is not None:
                    self.uncertainties.append(found.uncertainty)
                if self.protocol.scaling != "affine":  # a factor alone makes no depth of it
                    self._add_errors(depth, truth, ratio)
                counted = truth[self.protocol.mask(truth)]
                self._nearest = min(self._nearest, float(counted.min()))
                self._farthest = max(self._farthest, float(counted.max()))
        method = motion.method if motion is not None and motion.measured else ""
        seen = (frame.pose, frame.segment, covariance, method)
        self.frames.append(ReplayedFrame(frame.stamp, metrics, ratio, event, pose, *seen))

    def take_metres(self, truth: NDArray[np.floating] | None, seen: DepthPrediction) -> None:
        """Depth whose metres come from a source of scale, beside what an alignment makes of it."""
        if seen.scale != "metric":
            self.without_metres += 1
        elif truth is not None:
            rules = self.protocol.adapted("none"), self.protocol
            found = [evaluate_image(seen.disparity, truth, rule) for rule in rules]
            if found[0] is not None and found[1] is not None:
                pair = found[0].metrics["abs_rel"], found[1].metrics["abs_rel"]
                self.in_metres.append(pair)

    def metrics(self) -> dict[str, float]:
        """Those of depth, odometry and scale that the truth allows, by the names of `evaluate`."""
        metrics: dict[str, float] = {"frames": len(self.frames)}
        metrics |= {f"frames_{event}": n for event, n in sorted(self.events().items())}
        metrics["frames_left_out"] = self.left_out.total()
        metrics |= self.motions.counts()
        measured = [frame.metrics for frame in self.frames if frame.metrics]
        if measured:
            metrics |= mean_metrics(measured)
            ratios = self.series("ratio")
            metrics["depth_seq_scale_std"] = sequence_scale_std(
                {"bag": ratios[np.isfinite(ratios)]}
            )
        if self.uncertainties:
            known = figures(self.uncertainties).items()
            metrics |= {name: value for name, value in known if np.isfinite(value)}
        if self.without_metres or self.in_metres:
            metrics["frames_without_metres"] = self.without_metres
        if self.in_metres:
            metric, aligned = np.mean(self.in_metres, 0).tolist()
            metrics |= {"abs_rel_in_metres": metric, "abs_rel_in_metres_aligned": aligned}
        estimate, truth = self._joined()
        metrics |= aligned_metrics(estimate, truth)
        metrics |= consistency_metrics(self._normalised_errors())
        if measured and len(estimate) > 1:
            for name, value in pose_depth_log_ratio(*self.scales())._asdict().items():
                if np.isfinite(value):
                    metrics[f"pose_depth_log_ratio_{name}"] = value
        return metrics

    def account(self) -> list[str]:
        """What was left out and what was found, a line for each."""
        left_out = [f"{count} left out: {why}" for why, count in sorted(self.left_out.items())]
        fallbacks = [f"{n} motions {why}" for why, n in sorted(self.motions.fallbacks.items())]
        if self.background_pixels:
            left_out.append(f"{self.background_pixels} pixels left out: black background")
        return [*map(str, self.coverage.values()), *left_out, *fallbacks, *self.problems]

    def events(self) -> Counter[str]:
        """How many frames the tracker took for what; ``none`` are those that it did not take."""
        counts = Counter(dict.fromkeys(("motion", "standstill", "bridge", "gap", "none"), 0))
        counts.update(frame.event for frame in self.frames)
        return counts

    def truth(self) -> dict[str, float]:
        """How many frames have true depth and a true pose, and the range of depth that counts."""
        poses = sum(frame.true_pose is not None for frame in self.frames)
        known: dict[str, float] = {
            "frames_with_depth": self.true_depths,
            "frames_with_pose": poses,
        }
        if self._farthest > 0:
            known |= {"nearest_m": self._nearest, "farthest_m": self._farthest}
        return known

    def summary(self) -> dict[str, object]:
        """The metrics, how they were measured, and all that was left out, for a JSON file."""
        return {
            **self.metrics(),
            "scale_of_model": "metric" if self.metric else "relative",
            "truth": self.truth(),
            "protocol": self.protocol.as_dict(),
            "left_out": dict(self.left_out),
            "background_pixels": self.background_pixels,
            "fallbacks": dict(self.motions.fallbacks),
            "coverage": [coverage.as_json() for coverage in self.coverage.values()],
            "problems": list(self.problems),
        }

    def series(self, name: str) -> NDArray[np.float64]:
        """A value of each frame, NaN where there is none: ``ratio`` or a metric's name."""
        if name == "ratio":
            return np.array([frame.ratio for frame in self.frames])
        return np.array([frame.metrics.get(name, np.nan) for frame in self.frames])

    def seconds(self) -> NDArray[np.float64]:
        """Of each frame, since the first."""
        elapsed = ElapsedTime()
        since = [elapsed.at(frame.stamp, frame.segment) for frame in self.frames]
        return np.array(since, np.int64) / SECOND

    def scales(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Truth over estimate of the length of each step, and of depth in the frame before it."""
        estimate, truth = self._joined()
        length = np.linalg.norm(np.diff(truth[:, :3, 3], axis=0), axis=1)
        least = 0.3 * float(np.median(length)) if len(length) else 0.0  # mostly noise below
        return (
            pose_scales(estimate, truth, max(least, 1e-3)),
            np.array([frame.ratio for frame in self._known()[:-1]]),
        )

    def aligned(
        self,
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], Similarity | None]:
        """Poses (N, 4, 4) of the frames that have both, and what aligns them with 7 DoF.

        Where the clock was set, a recording may have begun again, and odometry cannot know: there
        both go on from where they were.
        """
        estimate, truth = self._joined()
        return estimate, truth, try_to_align(estimate, truth)

    def error_map(self) -> NDArray[np.float64] | None:
        """Mean relative error of depth at each pixel of the network's image, NaN where unknown."""
        return self._errors.mean() if self._errors.count.ndim else None

    def _known(self) -> list[ReplayedFrame]:
        return [f for f in self.frames if f.pose is not None and f.true_pose is not None]

    def _normalised_errors(self) -> Iterator[NormalisedErrors]:
        """Of the motions within each segment; none where the scale is not known."""
        _, _, alignment = self.aligned()
        if alignment is None:
            return
        known = [frame for frame in self._known() if frame.covariance is not None]
        for segment in sorted({frame.segment for frame in known}):
            frames = [frame for frame in known if frame.segment == segment]
            poses, truth, covariances = (
                np.array([getattr(frame, name) for frame in frames])
                for name in ("pose", "true_pose", "covariance")
            )
            for span in SPANS:
                yield normalised_errors(poses, truth, covariances, alignment.scale, span)

    def _joined(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        known = self._known()
        segments = [frame.segment for frame in known]
        estimate = np.array([frame.pose for frame in known])
        truth = np.array([frame.true_pose for frame in known])
        return joined_segments(estimate, segments), joined_segments(truth, segments)

    def _add_errors(
        self, depth: NDArray[np.float32], truth: NDArray[np.float32], ratio: float
    ) -> None:
        small = resize_nearest(truth, (depth.shape[0], depth.shape[1])).astype(np.float32)
        known = self.protocol.mask(small) & np.isfinite(depth)
        self._errors.add(np.abs(ratio * depth - small) / np.where(known, small, 1.0), known)


def joined_segments(poses: NDArray[np.float64], segments: Sequence[int]) -> NDArray[np.float64]:
    """Poses (N, 4, 4) of which each segment begins where the one before it ended."""
    joined = np.array(poses).reshape(-1, 4, 4)
    for first in np.flatnonzero(np.diff(segments)) + 1:
        joined[first:] = joined[first - 1] @ np.linalg.inv(joined[first]) @ joined[first:]
    return joined
