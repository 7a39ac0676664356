"""Frames of recordings by name, for those who only look at images."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from monodepth_ros.data.images.file import CorruptFrame
from monodepth_ros.data.notes import print_once
from monodepth_ros.data.rectification import rectified
from monodepth_ros.data.sequence import Sequence


def named_frames(
    sequences: Iterable[Sequence], every: int = 1
) -> Iterator[tuple[str, NDArray[np.uint8]]]:
    """Every N-th frame of each recording, rectified, RGB; one that cannot be read is told."""
    for sequence in map(rectified, sequences):
        for index in range(0, len(sequence), every):
            name = f"{sequence.name}/{sequence.frame_name(index)}"
            try:
                image = sequence.image(index)
            except CorruptFrame as error:
                print_once(f"{name}: left out: {error.reason}")
                continue
            yield name, image
