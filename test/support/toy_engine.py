"""An engine that knows nothing but NumPy and OpenCV: bright is near, and each step leads forward.

`register` is all that makes it one of the engines, here as in a process of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from monodepth_ros.inference.engines.registry import ENGINES
from monodepth_ros.zoo.card import ModelCard

Rgb = NDArray[np.uint8]
STEP = 0.1  # units that each motion leads forward


def register() -> None:
    ENGINES["toy"] = f"{__name__}:ToyEngine"


@dataclass(frozen=True)
class ToyFrames:
    images: Rgb

    @property
    def size(self) -> tuple[int, int]:
        return self.images.shape[1:3]

    def pixels(self) -> Rgb:
        return self.images

    def mirrored(self) -> ToyFrames:
        return ToyFrames(self.images[:, :, ::-1])

    def joined(self, others: Sequence[ToyFrames]) -> ToyFrames:
        return ToyFrames(np.concatenate([self.images, *(other.images for other in others)]))


class ToyEngine:
    has_motion = True
    chosen = ""

    def __init__(self, card: ModelCard, precision: str, size: tuple[int, int]) -> None:
        self.card, self.precision, self.size = card, precision, size
        self.device = "cpu"
        self.prepared = 0

    @classmethod
    def load(
        cls,
        folder: Path,
        card: ModelCard,
        device: str,
        precision: str,
        size: tuple[int, int],
        threads: int,
    ) -> ToyEngine:
        return cls(card, precision, size)

    def describe(self) -> dict[str, str]:
        return {"engine": "toy", "device": self.device, "precision": self.precision}

    def prepare(self, images: Rgb) -> ToyFrames:
        self.prepared += len(images)
        return ToyFrames(np.stack([cv2.resize(image, self.size[::-1]) for image in images]))

    def inverse_depth(self, frames: ToyFrames) -> NDArray[np.float32]:
        return 0.1 + frames.images.mean(-1, dtype=np.float32) / 255

    def motion(self, first: ToyFrames, second: ToyFrames) -> NDArray[np.float32]:
        return np.tile(np.float32([0, 0, 0, 0, 0, -STEP]), (len(first.images), 1))
