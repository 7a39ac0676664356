"""From bags to sequence folders: the frames of each camera with what the bag knows of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.console import Console

from monodepth_ros.data.bags.cameras import UnusableCamera
from monodepth_ros.data.bags.frames import BagFrames
from monodepth_ros.data.extraction.extracted_sequence import ExtractedSequence, write_frames
from monodepth_ros.data.frame_times import median_step


class BagExtraction(BagFrames):
    """Writes what one request takes of a bag, camera by camera."""

    def extract(self, topic: str, folder: Path) -> Iterator[ExtractedSequence]:
        """Write one camera's frames; yields after every image message, as `write_frames`."""
        done = ExtractedSequence(self.bag.path, topic, folder)
        frames = self.frames(topic, done.left_out, done.coverage)
        return write_frames(done, self.bag, self.request, frames, lambda: self._description(topic))

    def follow(self, topic: str, folder: Path, console: Console) -> ExtractedSequence:
        """What came of a camera, with a progress bar; one that cannot be used is a ``failure``."""
        done = ExtractedSequence(self.bag.path, topic, folder)
        total = len(self.times.recorded(topic))
        try:
            return done.follow(self.extract(topic, folder), total, console)
        except UnusableCamera as error:
            return replace(done, failure=str(error))

    def _description(self, topic: str) -> dict[str, Any]:
        step = median_step(sorted(self.times.recorded(topic)))  # by the bag's own clock
        return {
            "fps": 1.0 if step is None else round(1 / step / self.request.every, 3),
            "camera_frame": self.frame_ids[topic] or "camera",
            "source": f"{self.bag.path.name} {topic}",
            "calibration": "guessed" if topic in self.cameras.guessed else "measured",
        }
