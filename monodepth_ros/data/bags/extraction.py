"""From bags to sequence folders: the frames of each camera with what the bag knows of them.

An interrupted extraction, started again with the same options, goes on behind its last frame; one
that is complete is found. A folder with another extraction is refused.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from monodepth_ros.data.bags.frames import BagFrames
from monodepth_ros.data.coverage import Coverage
from monodepth_ros.data.extraction.outcome import read_outcome, write_outcome
from monodepth_ros.data.extraction.record import check_origin, origin_of
from monodepth_ros.data.layouts.sequence_folder import ExtractionOrigin, SequenceWriter
from monodepth_ros.errors import UserError
from monodepth_ros.geometry.camera import PinholeCamera


@dataclass
class ExtractedSequence:
    """What came of one camera: frames written in all, how many messages were left out, and why.

    ``coverage`` is how many of the frames have depth, poses and speed, as far as asked for;
    ``failure`` is why none could be taken.
    """

    topic: str
    folder: Path
    frames: int = 0
    left_out: Counter[str] = field(default_factory=Counter)
    coverage: dict[str, Coverage] = field(default_factory=dict)
    failure: str = ""

    @classmethod
    def of_outcome(cls, topic: str, folder: Path, outcome: Mapping[str, Any]) -> ExtractedSequence:
        """A complete one, by what was stored of it."""
        coverage = [Coverage.of_json(stored) for stored in outcome.get("coverage", ())]
        left_out = Counter(outcome["left_out"])
        return cls(topic, folder, outcome["frames"], left_out, {c.what: c for c in coverage})

    def as_outcome(self) -> dict[str, Any]:
        """What is stored of it beside the frames."""
        return {
            "frames": self.frames,
            "left_out": dict(self.left_out),
            "coverage": [coverage.as_json() for coverage in self.coverage.values()],
        }


class BagExtraction(BagFrames):
    """Writes what one request takes of a bag, camera by camera."""

    def extract(self, topic: str, folder: Path) -> Iterator[ExtractedSequence]:
        """Write one camera's frames; yields after every image message, for a progress bar.

        Frames that are in ``folder`` already are kept. UserError where they are of another bag or
        request.
        """
        origin = origin_of(self.bag, topic, self.request)
        check_origin(folder, origin)
        if (found := read_outcome(folder)) is not None:
            self.bag.problems += found["problems"]
            yield ExtractedSequence.of_outcome(topic, folder, found)
            return
        done = ExtractedSequence(topic, folder)
        writer: SequenceWriter | None = None
        try:
            for frame in self.frames(topic, done.left_out, done.coverage):
                if frame is not None:
                    if writer is None:
                        writer = self._writer(topic, folder, self.camera(topic, frame.rgb), origin)
                    if done.frames == len(writer):
                        writer.add(
                            frame.rgb, frame.depth, frame.pose, frame.time, speed=frame.speed
                        )
                    elif writer.stamps[done.frames] != frame.time:
                        raise _edited(folder)
                    done.frames += 1
                yield done
        finally:
            if writer is not None:
                writer.close()
        if writer is not None:
            if done.frames != len(writer):
                raise _edited(folder)
            write_outcome(folder, {**done.as_outcome(), "problems": self.bag.problems})

    def _writer(
        self, topic: str, folder: Path, camera: PinholeCamera, origin: ExtractionOrigin
    ) -> SequenceWriter:
        return SequenceWriter(
            folder,
            camera,
            fps=self._rate(topic),
            image_format=self.request.image_format,
            camera_frame=self.frame_ids[topic] or "camera",
            source=f"{self.bag.path.name} {topic}",
            licence=self.request.licence,
            origin=origin,
            calibration="guessed" if topic in self.cameras.guessed else "measured",
        )

    def _rate(self, topic: str) -> float:
        """Images taken a second, by the bag's own clock."""
        steps = np.diff(sorted(self.times.recorded(topic)))
        steps = steps[steps > 0]
        return round(1e9 / float(np.median(steps)) / self.request.every, 3) if steps.size else 1.0


def _edited(folder: Path) -> UserError:
    return UserError(
        f"{folder / 'frames.csv'}: holds other frames than this extraction has written: choose"
        " another --out, or remove the folder"
    )
