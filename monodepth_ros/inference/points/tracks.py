"""Points of a video, followed from image to image."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from monodepth_ros.errors import UserError
from monodepth_ros.inference.points.corners import new_corners
from monodepth_ros.inference.points.image_motion import image_motion, small_image
from monodepth_ros.inference.points.patches import NO_PATCHES, RADIUS, cut_patches

_BACKGROUND = 31  # pixels along the side of the mean that is taken away
_BLUR = 0.7  # pixels, standard deviation, of the image that patches are cut from
_CLOSE = 0.1  # pixels; a shorter step of Lucas-Kanade is its last: alignment to the patch follows
_BACK = 2  # pyramid levels on the way back
_NEIGHBOURS = 5  # points that say how those between them move


@dataclass(frozen=True)
class TrackSettings:
    """How many points are followed, and when one is lost."""

    count: int = 200
    replenish_below: float = 0.9  # of the count; finding new ones takes as long as following
    retry_below: float = 0.9  # of the points; if fewer are found, the rest is sought beside them
    fast_below: float = 0.5  # of the points; if fewer are found, the whole image says where
    window: int = 15  # pixels along the side of a Lucas-Kanade window
    smallest_level: int = 24  # pixels along the shorter side of the smallest pyramid level
    max_return_error: float = 1.0  # pixels between a point and what is found by tracking it back
    max_correction: float = 2.0  # pixels by which alignment to the first look may move a point
    min_likeness: float = 0.8  # correlation with the first look
    min_distance: float = 3.0  # pixels between two points; of closer ones the younger is lost
    max_scale: float = 2.0  # of a patch since its first look, and its inverse


@dataclass(frozen=True)
class Tracks:
    """The points of one image.

    ``ids`` (N,) int64 stay with a point and are never used again, ``pixels`` (N, 2) float64 are x
    and y in this image, ``ages`` (N,) int64 say in how many images before this one it was seen.
    """

    ids: NDArray[np.int64]
    pixels: NDArray[np.float64]
    ages: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, kept: NDArray[np.bool_]) -> Tracks:
        return Tracks(self.ids[kept], self.pixels[kept], self.ages[kept])


def shared_rows(
    ids: NDArray[np.int64], others: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows of the points that two images share, in both; no id comes twice in one of them."""
    _, here, there = np.intersect1d(ids, others, assume_unique=True, return_indices=True)
    return here, there


NO_TRACKS = Tracks(np.empty(0, np.int64), np.empty((0, 2)), np.empty(0, np.int64))


@dataclass(frozen=True)
class _Image:
    """An image as it is and in even light."""

    grey: NDArray[np.uint8]
    even: NDArray[np.uint8]


# The size of an image, its mask, and where points may lie.
_Fits = tuple[tuple[int, ...], NDArray[np.bool_] | None, NDArray[np.bool_]]


class PointTracker:
    """Follows about ``settings.count`` points, spread over the image, and replaces lost ones.

    Each point goes from the former image to the next by pyramidal Lucas-Kanade, forth and back.
    Then it is aligned to its patch in the image where it was found: errors do not add up over
    images, and what no longer looks like its patch is lost.
    """

    def __init__(self, settings: TrackSettings | None = None) -> None:
        self.settings = settings or TrackSettings()
        self._next_id = 0
        self._fits: _Fits | None = None
        self.reset()

    def reset(self) -> None:
        """Forget all points: the next image begins anew. Their ids are not used again."""
        self.tracks = NO_TRACKS  # of the last image
        self._patches = NO_PATCHES
        self._former: _Image | None = None
        self._flows = np.empty((0, 2))  # pixels that the points have moved in the last image

    def add(
        self,
        grey: NDArray[np.uint8],
        valid: NDArray[np.bool_] | None = None,
        predicted: NDArray[np.float64] | None = None,
    ) -> Tracks:
        """The points of the next image ``grey`` (h, w), known ones first.

        ``valid`` (h, w) tells which pixels show something. ``predicted`` (N, 2) is where the points
        of :attr:`tracks` should be now; without it they are sought where their last motion takes
        them. UserError for an image of another size.
        """
        if self._former is not None and self._former.grey.shape != grey.shape:
            was, now = self._former.grey.shape, grey.shape
            raise UserError(
                f"a {now[1]}x{now[0]} image follows {was[1]}x{was[0]} ones: reset the tracker first"
            )
        allowed, image = self._allowed(grey.shape, valid), _Image(grey, _even_light(grey))
        smooth = np.asarray(cv2.GaussianBlur(grey.astype(np.float32), (0, 0), _BLUR), np.float32)
        if self._former is not None and len(self.tracks):
            guess = self.tracks.pixels + self._flows if predicted is None else predicted
            pixels, found = self._sought(self._former, image, guess)
            self._follow(pixels, found, smooth, allowed)
        self._replenish(grey, smooth, allowed)
        self._former = image
        return self.tracks

    def _allowed(
        self, shape: tuple[int, ...], valid: NDArray[np.bool_] | None
    ) -> NDArray[np.bool_]:
        """Where points may lie; computed again when the size or the mask changes."""
        if self._fits is None or self._fits[0] != shape or self._fits[1] is not valid:
            self._fits = shape, valid, _where_patches_fit(shape, valid)
        return self._fits[2]

    def keep(self, kept: NDArray[np.bool_]) -> None:
        """Forget the other points of the last image: ``kept`` (N,) of :attr:`tracks`."""
        if kept.all():
            return
        self.tracks, self._patches = self.tracks[kept], self._patches[kept]
        self._flows = self._flows[kept]

    def _sought(
        self, former: _Image, latter: _Image, guess: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """Where the points are now, and which of them were found; up to three guesses each."""
        settings, before = self.settings, self.tracks.pixels
        pixels, found = self._found_again(former.even, latter.even, before, guess)

        def again(guess: NDArray[np.float64], lost: NDArray[np.bool_]) -> None:
            pixels[lost], found[lost] = self._found_again(
                former.even, latter.even, before[lost], guess[lost]
            )

        if found.mean() < settings.fast_below:
            width = former.grey.shape[1]
            A = image_motion(small_image(former.grey), small_image(latter.grey), width)
            again(before @ A[:, :2].T + A[:, 2], ~found)
        if found.mean() < settings.retry_below and found.any():
            flows = (pixels - before)[found]
            again(before + _flow_around(before[found], flows, before), ~found)
        return pixels, found

    def _follow(
        self,
        pixels: NDArray[np.float64],
        found: NDArray[np.bool_],
        smooth: NDArray[np.float32],
        allowed: NDArray[np.bool_],
    ) -> None:
        """Keep the points that were found and look as they did at first, where they are now."""
        settings = self.settings
        found &= _inside(pixels, allowed)
        self.keep(found)
        tracks, pixels = self.tracks, pixels[found]
        aligned, patches, likeness = self._patches.align(smooth, pixels)
        scale = np.sqrt(np.abs(np.linalg.det(patches.shapes)))
        good = likeness > settings.min_likeness
        good &= np.abs(aligned - pixels).max(1, initial=0.0) < settings.max_correction
        good &= (scale < settings.max_scale) & (scale > 1 / settings.max_scale)
        good &= _inside(aligned, allowed)
        good &= _first_of_neighbours(aligned, settings.min_distance)
        self._flows = aligned - tracks.pixels
        self.tracks = Tracks(tracks.ids, aligned, tracks.ages + 1)
        self._patches = patches
        self.keep(good)

    def _found_again(
        self,
        former: NDArray[np.uint8],
        latter: NDArray[np.uint8],
        before: NDArray[np.float64],
        guess: NDArray[np.float64],
    ) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """Where points are now, and which of them are found where they were from there."""
        smaller = min(former.shape) / self.settings.smallest_level
        levels = int(np.log2(max(1.0, smaller)))
        pixels, found = self._flow(former, latter, before, guess, levels)
        # Back to a place that is known. Without any smaller image, wrong points come back as well.
        back, returned = self._flow(latter, former, pixels, before, min(levels, _BACK))
        near = np.abs(back - before).max(1) < self.settings.max_return_error
        return pixels, found & returned & near

    def _flow(
        self,
        one: NDArray[np.uint8],
        other: NDArray[np.uint8],
        pixels: NDArray[np.float64],
        guess: NDArray[np.float64],
        levels: int,
    ) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """Where the points of ``one`` are in ``other``, and which of them were found."""
        found, status, _ = cv2.calcOpticalFlowPyrLK(
            one,
            other,
            pixels.astype(np.float32).reshape(-1, 1, 2),
            guess.astype(np.float32).reshape(-1, 1, 2),
            winSize=(self.settings.window, self.settings.window),
            maxLevel=levels,
            criteria=(cv2.TERM_CRITERIA_COUNT + cv2.TERM_CRITERIA_EPS, 10, _CLOSE),
            flags=cv2.OPTFLOW_USE_INITIAL_FLOW,
        )
        return found[:, 0].astype(np.float64), status.ravel() > 0

    def _replenish(
        self, grey: NDArray[np.uint8], smooth: NDArray[np.float32], allowed: NDArray[np.bool_]
    ) -> None:
        """New points where there are few, if too many were lost."""
        settings, tracks = self.settings, self.tracks
        if len(tracks) >= settings.replenish_below * settings.count:
            return
        corners = new_corners(grey, settings.count, tracks.pixels, allowed)
        ids = np.arange(self._next_id, self._next_id + len(corners), dtype=np.int64)
        self._next_id += len(corners)
        self.tracks = Tracks(
            np.concatenate([tracks.ids, ids]),
            np.concatenate([tracks.pixels, corners]),
            np.concatenate([tracks.ages, np.zeros(len(corners), np.int64)]),
        )
        flows = _flow_around(tracks.pixels, self._flows, corners)
        self._flows = np.concatenate([self._flows, flows])
        patches = cut_patches(smooth, corners)
        self._patches = self._patches + patches


def _flow_around(
    known: NDArray[np.float64], flows: NDArray[np.float64], at: NDArray[np.float64]
) -> NDArray[np.float64]:
    """How the known points nearest to each pixel ``at`` have moved, (N, 2); 0 without any."""
    if not len(known):
        return np.zeros_like(at)
    from scipy.spatial import cKDTree

    count = min(_NEIGHBOURS, len(known))
    _, nearest = cKDTree(known).query(at, k=np.arange(1, count + 1), p=1)
    return np.asarray(np.median(flows[nearest], axis=1))


def _even_light(grey: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The image without what changes slowly over it: exposure, shading, a lamp's flicker."""
    background = cv2.blur(grey, (_BACKGROUND, _BACKGROUND))
    return np.asarray(cv2.addWeighted(grey, 1, background, -1, 128), np.uint8)


def _where_patches_fit(
    shape: tuple[int, ...], valid: NDArray[np.bool_] | None
) -> NDArray[np.bool_]:
    """Where the middle of a whole patch may lie."""
    whole = np.zeros(shape, np.uint8)
    whole[RADIUS:-RADIUS, RADIUS:-RADIUS] = 1
    if valid is not None:
        patch = np.ones((2 * RADIUS + 1, 2 * RADIUS + 1), np.uint8)
        whole *= np.asarray(cv2.erode(valid.astype(np.uint8), patch), np.uint8)
    return whole.astype(bool)


def _inside(pixels: NDArray[np.float64], allowed: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Which points (N, 2) lie on allowed pixels."""
    height, width = allowed.shape
    x, y = np.nan_to_num(pixels, nan=-1.0).round().clip(-1, max(height, width)).T.astype(np.int64)
    within = (x >= 0) & (y >= 0) & (x < width) & (y < height)
    return within & allowed[np.minimum(y, height - 1), np.minimum(x, width - 1)]


def _first_of_neighbours(pixels: NDArray[np.float64], distance: float) -> NDArray[np.bool_]:
    """Which points (N, 2) have no earlier one within ``distance`` pixels: two became one."""
    from scipy.spatial import cKDTree

    kept = np.ones(len(pixels), bool)
    pixels = np.nan_to_num(pixels, nan=-1e6, posinf=1e6, neginf=-1e6)  # lost anyway
    if len(pixels):
        pairs = cKDTree(pixels).query_pairs(distance, p=np.inf, output_type="ndarray")
        near = (np.abs(pixels[pairs[:, 0]] - pixels[pairs[:, 1]]) < distance).all(1)
        kept[pairs[near].max(1)] = False
    return kept
