"""The depth metrics of a whole data set: results gathered image by image, then summed up."""

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from monodepth_ros.errors import UserError
from monodepth_ros.evaluation.depth_metrics import mean_metrics
from monodepth_ros.evaluation.depth_protocol import DepthProtocol, ImageResult, evaluate_image
from monodepth_ros.evaluation.scale_consistency import ratio_spread


@dataclass(frozen=True)
class DepthPair:
    """A prediction and its truth, both HxW (of any two sizes): disparity up to scale, and metres.

    `problem` tells why there is none of the two, for an image that could not be read or predicted.
    """

    sequence: str
    name: str
    disparity: NDArray[np.floating] | None = None
    truth: NDArray[np.floating] | None = None
    problem: str = ""


@dataclass
class DepthEvaluation:
    """Results so far: compared images by sequence, and those skipped with the reason."""

    protocol: DepthProtocol
    sequences: dict[str, list[ImageResult]] = field(default_factory=dict)
    skipped: list[tuple[str, str]] = field(default_factory=list)

    @property
    def images(self) -> list[ImageResult]:
        """All compared images, in order."""
        return [image for images in self.sequences.values() for image in images]

    def add(self, pair: DepthPair) -> None:
        """Compare one image, or note why it cannot be."""
        if pair.disparity is None or pair.truth is None:
            self.skipped.append((pair.name, pair.problem))
            return
        result = evaluate_image(pair.disparity, pair.truth, self.protocol, pair.name)
        if result is None:
            self.skipped.append((pair.name, "no valid pixel"))
        else:
            self.sequences.setdefault(pair.sequence, []).append(result)

    def summary(self) -> dict[str, float]:
        """The seven metrics, their means over images; the number of images; the median of
        median(truth)/median(prediction) and the std of that ratio over its median.

        UserError when no image could be compared.
        """
        if not self.images:
            first = f", the first: {': '.join(self.skipped[0])}" if self.skipped else ""
            raise UserError(f"no image could be compared, {len(self.skipped)} skipped{first}")
        median, std = ratio_spread([image.ratio for image in self.images])
        return {
            **mean_metrics(image.metrics for image in self.images),
            "images": len(self.images),
            "median_ratio": median,
            "std_ratio": std,
        }

    @property
    def missing_fraction(self) -> float:
        """Share of the truth's pixels for which there was no prediction."""
        missing = sum(image.missing for image in self.images)
        return missing / max(1, missing + sum(image.pixels for image in self.images))


def evaluate_depth(pairs: Iterable[DepthPair], protocol: DepthProtocol) -> DepthEvaluation:
    """Compare all `pairs` by `protocol`."""
    evaluation = DepthEvaluation(protocol)
    for pair in pairs:
        evaluation.add(pair)
    return evaluation
