"""Depth of single frames: uint8 RGB in, float32 depth out."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from monodepth_ros.geometry.camera import PinholeCamera
from monodepth_ros.inference.confidence import confidence_of
from monodepth_ros.inference.engines.torch import Precision, TorchEngine
from monodepth_ros.inference.network_input import check_frame, network_size, to_network_input
from monodepth_ros.inference.resized_camera import ResizedCamera
from monodepth_ros.inference.scale.unit import scale_of

OutputSize = Literal["network", "image"]


@dataclass(frozen=True)
class DepthPrediction:
    """Depth of one frame.

    ``depth`` is float32 HxW, NaN where invalid or where the camera saw nothing (its ``valid``); in
    metres when ``scale`` is ``metric``, up to one unknown factor when it is ``relative``.
    ``disparity`` is 1 / depth. ``camera`` is the frame's camera scaled to this size, when one was
    given. ``confidence``, where it was asked for, is float32 HxW from 0 to 1.
    """

    depth: NDArray[np.float32]
    disparity: NDArray[np.float32]
    scale: Literal["metric", "relative"]
    camera: PinholeCamera | None
    confidence: NDArray[np.float32] | None = None


class DepthEstimator:
    """Estimates depth by a model given by name or folder.

    Args:
        model: a name in the zoo, the path of a model folder, or an engine that is loaded already.
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
        size: (height, width) at which the network runs; the card's by default.
        precision: of the network alone; disparity to depth is float32 always.
        output_size: depth at the size of the ``image`` or of the ``network``.
    """

    def __init__(
        self,
        model: str | os.PathLike[str] | TorchEngine,
        device: str = "auto",
        size: tuple[int, int] | None = None,
        precision: Precision = "fp32",
        output_size: OutputSize = "image",
    ) -> None:
        self.engine = TorchEngine.of(model, device, precision)
        self.card = self.engine.card
        self.size = network_size(self.card, size)
        self.output_size = output_size
        self._cameras = ResizedCamera()

    def estimate(
        self,
        rgb: NDArray[np.uint8],
        camera: PinholeCamera | None = None,
        with_confidence: bool = False,
    ) -> DepthPrediction:
        """Depth of ``rgb``, uint8 HxWx3, seen by ``camera`` (needed where metres depend on it).

        Confidence costs a second run of the network, on the mirrored image: it is the ratio of the
        smaller to the larger of both disparities (after Godard et al., "Unsupervised monocular
        depth estimation with left-right consistency", 2017, who look at their difference), and low
        where the image shows nothing. Depth is the same with it and without.
        """
        check_frame(rgb, camera)
        size = (rgb.shape[0], rgb.shape[1]) if self.output_size == "image" else self.size
        image = to_network_input(rgb, self.size, self.engine.device)
        inverse_depth = self.engine(image)
        confidence = None
        if with_confidence:
            mirrored = self._disparity(self.engine(image.flip(3)).flip(3), size)
            agreed = confidence_of(image, self._disparity(inverse_depth, size), mirrored)
            confidence = agreed.cpu().numpy()
        scale = scale_of(self.card, camera, self.size)
        disparity: NDArray[np.float32] = (
            (self._disparity(inverse_depth, size) / scale.factor).cpu().numpy()
        )
        with np.errstate(invalid="ignore"):
            disparity[~(np.isfinite(disparity) & (disparity > 0))] = np.nan
        resized = None if camera is None else self._cameras.at(camera, size)
        if resized is not None and resized.valid is not None:
            disparity[~resized.valid] = np.nan
            if confidence is not None:
                confidence[~resized.valid] = 0.0
        return DepthPrediction(
            depth=np.reciprocal(disparity),
            disparity=disparity,
            scale=scale.label,
            camera=resized,
            confidence=confidence,
        )

    @torch.inference_mode()
    def _disparity(self, inverse_depth: Tensor, size: tuple[int, int]) -> Tensor:
        """Disparity ``(H, W)``; it is what is resized, since depth averages badly at edges."""
        if tuple(inverse_depth.shape[-2:]) != size:
            inverse_depth = F.interpolate(inverse_depth, size, mode="bilinear", align_corners=False)
        return inverse_depth[0, 0]
