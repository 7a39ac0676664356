"""The depth metrics of a whole data set: results gathered image by image, then summed up."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, field
from functools import partial
from itertools import chain, islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from monodepth_ros.errors import UserError
from monodepth_ros.evaluation.depth_metrics import mean_metrics
from monodepth_ros.evaluation.depth_protocol import DepthProtocol, ImageResult, evaluate_image
from monodepth_ros.evaluation.scale.consistency import ratio_spread
from monodepth_ros.evaluation.uncertainty.image import ImageUncertainty, UncertaintyMaps
from monodepth_ros.evaluation.uncertainty.summary import figures
from monodepth_ros.overlap import in_threads
from monodepth_ros.shared_work import PART, SharedWork, key_of


@dataclass(frozen=True)
class DepthPair:
    """A prediction and its truth, both HxW (of any two sizes): disparity up to scale, and metres.

    `problem` tells why there is none of the two, for an image that could not be read or predicted.
    `maps` are what the prediction says of its error, if that is evaluated.
    """

    sequence: str
    name: str
    disparity: NDArray[np.floating] | None = None
    truth: NDArray[np.floating] | None = None
    problem: str = ""
    maps: UncertaintyMaps | None = None


@dataclass(frozen=True)
class PairSource:
    """Predictions beside their truth: ``pairs`` gives those of some ``items``, one of each.

    ``state`` is another one when the pairs are others.
    """

    items: list[Any]
    pairs: Callable[[Iterable[Any]], Iterator[DepthPair]]
    state: Callable[[], object]

    def __iter__(self) -> Iterator[DepthPair]:
        return self.pairs(self.items)


@dataclass(frozen=True)
class ComparedImage:
    """What came of a pair: a result, or the reason why there is none."""

    sequence: str
    name: str
    result: ImageResult | None
    problem: str = ""

    @classmethod
    def of_json(cls, stored: dict[str, Any]) -> ComparedImage:
        """By its ``asdict``; numbers are exactly what they were."""
        result = stored["result"]
        return cls(**{**stored, "result": None if result is None else ImageResult.of_json(result)})


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

    def add(self, image: ComparedImage) -> None:
        """Take one image, or note why it could not be compared."""
        if image.result is None:
            self.skipped.append((image.name, image.problem))
        else:
            self.sequences.setdefault(image.sequence, []).append(image.result)

    def summary(self) -> dict[str, float]:
        """The seven metrics, their means over images; the number of images; the median of
        median(truth)/median(prediction) and the std of that ratio over its median; and figures of
        uncertainty where images have one.

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
            **(figures(self.uncertainties) if self.uncertainties else {}),
        }

    @property
    def uncertainties(self) -> list[ImageUncertainty]:
        """Of all images that have one."""
        return [image.uncertainty for image in self.images if image.uncertainty is not None]

    @property
    def missing_fraction(self) -> float:
        """Share of the truth's pixels for which there was no prediction."""
        missing = sum(image.missing for image in self.images)
        return missing / max(1, missing + sum(image.pixels for image in self.images))


def evaluate_depth(pairs: Iterable[DepthPair], protocol: DepthProtocol) -> DepthEvaluation:
    """Compare all `pairs` by `protocol`, while the next ones are read and predicted."""
    evaluation = DepthEvaluation(protocol)
    for image in _compared(pairs, protocol):
        evaluation.add(image)
    return evaluation


def evaluate_depth_shared(
    source: PairSource, protocol: DepthProtocol, work: SharedWork, done: Callable[[], None]
) -> DepthEvaluation | None:
    """The same, shared by processes that meet in ``work``; None in one that does not join them.

    ``done`` is called for every image that this process has compared.
    """
    state = "" if work.in_memory else key_of(source.state(), str(protocol))
    starts = range(0, len(source.items), PART)
    parts = {key_of(state, start): source.items[start : start + PART] for start in starts}

    def compared(todo: list[list[Any]]) -> Iterator[list[dict[str, Any]]]:
        images = _compared(source.pairs(chain.from_iterable(todo)), protocol)
        for part in todo:
            results = []
            for image in islice(images, len(part)):
                results.append(asdict(image))
                done()
            yield results

    found = work.results(parts, compared, len)
    if found is None:
        return None
    evaluation = DepthEvaluation(protocol)
    for stored in chain.from_iterable(found):
        evaluation.add(ComparedImage.of_json(stored))
    return evaluation


def _compared(pairs: Iterable[DepthPair], protocol: DepthProtocol) -> Iterator[ComparedImage]:
    return in_threads(partial(compare, protocol=protocol), pairs)


def compare(pair: DepthPair, protocol: DepthProtocol) -> ComparedImage:
    """The metrics of one image, or why there are none."""
    if pair.disparity is None or pair.truth is None:
        return ComparedImage(pair.sequence, pair.name, None, pair.problem)
    result = evaluate_image(pair.disparity, pair.truth, protocol, pair.name, pair.maps)
    problem = "no valid pixel" if result is None else ""
    return ComparedImage(pair.sequence, pair.name, result, problem)
