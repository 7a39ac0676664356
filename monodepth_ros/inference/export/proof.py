"""Fixed images and what torch makes of them in fp32: an engine is checked by them without torch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from monodepth_ros.atomic_file import atomic_path
from monodepth_ros.errors import UserError
from monodepth_ros.inference.engines.agreement import depth_ratio, stddev_difference
from monodepth_ros.inference.engines.base import Engine, Frames, Rgb, depth_and_variance


@dataclass(frozen=True)
class Proof:
    """What a network gives for known input.

    Attributes:
        images: two, ``(2, h, w, 3)`` uint8 RGB at the network's size.
        later: the same after a small motion: what the pose network sees as the second image.
        expected: of torch in fp32, inverse depth of ``images`` ``(2, h, w)`` in 1/unit, or the
            motions ``(2, 6)`` from ``images`` to ``later``.
        log_variance: of that depth; None where the network tells none.
    """

    images: Rgb
    later: Rgb
    expected: NDArray[np.float32]
    log_variance: NDArray[np.float32] | None = None

    def save(self, path: Path) -> None:
        """Write it as ``.npz``."""
        with atomic_path(path) as temporary:
            known = {name: array for name, array in vars(self).items() if array is not None}
            np.savez_compressed(temporary, **known)

    @classmethod
    def load(cls, path: Path) -> Proof:
        """Read it; a :class:`UserError` names a file that holds none."""
        try:
            with np.load(path, allow_pickle=False) as arrays:
                log_variance = arrays.get("log_variance")
                return cls(arrays["images"], arrays["later"], arrays["expected"], log_variance)
        except (OSError, ValueError, KeyError, EOFError) as error:
            raise UserError(f"{path}: not a proof of an export: {error}") from error

    def deviation(self, engine: Engine) -> float:
        """How far an engine is from torch: 0 is equal, infinite where it gives nothing finite.

        Of depth, the mean relative difference (abs_rel between both) where torch gives any: it may
        give none, 0, as in the sky. Of motions, the largest difference over the largest component.
        """
        frames = _each(engine, self.images)
        with np.errstate(all="ignore"):
            if self.expected.ndim == 3:
                maps = [np.concatenate([engine.inverse_depth(one) for one in frames])]
                if self.log_variance is not None:  # with which another graph may compute it
                    both = [depth_and_variance(engine, one).inverse_depth for one in frames]
                    maps.append(np.concatenate(both))
                ambiguity = engine.card.ambiguity
                ratios = [depth_ratio(each, self.expected, ambiguity) for each in maps]
                error = np.abs(np.stack(ratios) - 1).mean()
            else:
                pairs = zip(frames, _each(engine, self.later), strict=True)
                found = np.concatenate([engine.motion(*pair) for pair in pairs])
                error = np.abs(found - self.expected).max() / np.abs(self.expected).max()
        return float(error) if np.isfinite(error) else float("inf")

    def stddev_deviation(self, engine: Engine) -> float | None:
        """The same of the standard deviation of log depth; None where there is none to compare."""
        if self.log_variance is None:
            return None
        told = [depth_and_variance(engine, one) for one in _each(engine, self.images)]
        variances = [each.log_variance for each in told if each.log_variance is not None]
        found = np.concatenate(variances) if len(variances) == len(told) else None
        return stddev_difference(found, self.log_variance)


def _each(engine: Engine, images: Rgb) -> list[Frames]:
    """One image at a time, as a node takes them: a graph for a batch would stay in memory."""
    return [engine.prepare(image[None]) for image in images]


def proof_images(size: tuple[int, int]) -> tuple[Rgb, Rgb]:
    """``images`` and ``later`` of a proof, of (height, width): edges, gradients and texture."""
    height, width = size
    shift = max(width // 64, 1)  # pixels that the scene moves to the left
    y, x = np.mgrid[0:height, 0 : width + shift].astype(np.float64)
    edges = 60.0 * ((x // 24 + y // 16) % 2)
    gradient = 120.0 * np.stack([y / height, x / width, 1 - y / height], -1)
    texture = 40.0 * np.sin(x * 0.7) * np.cos(y * 0.9) + 15.0 * np.sin((x + 2 * y) * 0.13)
    first = 40 + gradient + (edges + texture)[..., None]
    disc = np.hypot(x - width / 2, y - height / 2) < height / 4
    second = np.where(disc[..., None], 220 - gradient, first[::-1])
    scene = np.stack([first, second]).clip(0, 255).astype(np.uint8)
    return np.ascontiguousarray(scene[:, :, :width]), np.ascontiguousarray(scene[:, :, shift:])
