"""Depth networks published in the format of Hugging Face's transformers, which builds them.

What belongs to a network there and is done by its image processor is part of the network here:
normalising, borders, resizing of floats, direction and metres. Frames come as bytes.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from monodepth_ros.errors import UserError
from monodepth_ros.networks.depth_network import DepthNetwork, DepthOutput
from monodepth_ros.networks.huggingface_parts import change_parts
from monodepth_ros.networks.published import Json, Preparation, network_type, preparation

_BORDER = 3  # ZoeDepth's: 3 sqrt(side / 2) pixels
_FARTHEST, _NEAREST = 1e-4, 1e4  # inverse depths between which DepthPro's lie, in 1/metre
# Weights that never run, and that some of Intel's files of DPT leave out.
_IDLE = "neck.fusion_stage.layers.0.residual_layer1."


class HuggingFaceNetwork(DepthNetwork):
    """Inverse depth at one scale, at the size at which the network was published to give it.

    In 1/metre for a metric model; of others up to scale and shift. It is 0 or less, or infinite,
    where a model says so, as MiDaS and Depth Anything do of the sky.
    """

    exported_alone = True

    def __init__(self, config: Json, preprocessor: Json) -> None:
        """With random weights. `UserError` where transformers is missing or cannot build it."""
        super().__init__()
        try:
            self.prepared = preparation(config, preprocessor)
            self.gives_depth = network_type(config).output == "depth"
        except ValueError as error:
            raise UserError(f"published network: {error}") from None
        with _quiet():
            self._config = _config(config)
            self.model: nn.Module = _built(self._config)
        self.unused: list[str] = []

    def load_published(self, tensors: Mapping[str, Tensor]) -> str:
        """Take ``tensors`` by the names under which they were published; '' or what is wrong.

        ``unused`` are then the names of those that the network has no place for.
        """
        kind = type(self.model)
        with _quiet():
            try:
                self.model, told = kind.from_pretrained(  # type: ignore[attr-defined]
                    None,
                    config=self._config,
                    state_dict=dict(tensors),
                    dtype=torch.float32,
                    output_loading_info=True,
                    ignore_mismatched_sizes=True,
                )
            except (RuntimeError, ValueError, KeyError) as error:
                return f"transformers cannot load it: {_first_line(error)}"
        for key, found, wanted in sorted(told["mismatched_keys"]):
            return f"{key} has shape {list(found)}, its config.json needs {list(wanted)}"
        missing = sorted(key for key in told["missing_keys"] if not key.startswith(_IDLE))
        if missing:
            named = f"{', '.join(missing[:3])} ({len(missing)} in all)"
            return f"lacks {named}, which its config.json needs"
        self.unused = sorted(told["unexpected_keys"])
        change_parts(self.model)
        return ""

    def forward(self, image: Tensor) -> DepthOutput:
        """As of every depth network; the size of the image is one that the card's rule gives."""
        size = (int(image.shape[-2]), int(image.shape[-1]))
        said = self.model(pixel_values=self._prepare(image, size))
        found = said.predicted_depth[:, None].float()
        if self.prepared.processor == "DepthProImageProcessor":
            return DepthOutput([_depth_pro(found, said.field_of_view, size)])
        if self.prepared.resizes != "bytes":  # its size is the image's, and depth has it as well
            found = _at(found, size, self.prepared)
        return DepthOutput([1 / found if self.gives_depth else found])

    def _prepare(self, image: Tensor, size: tuple[int, int]) -> Tensor:
        """What transformers' image processor makes of it."""
        does = self.prepared
        mean, std = (
            torch.tensor(values, dtype=image.dtype, device=image.device)[:, None, None]
            for values in (does.mean, does.std)
        )
        image = (image * does.scale - mean) / std
        if does.reflects:
            above, left = _reflected(size)
            image = F.pad(image, (left, left, above, above), mode="reflect")
        if does.divisor > 1:
            image = _filled(image, size, does.divisor)
        if does.resizes == "floats":
            image = F.interpolate(
                image,
                _fitted((int(image.shape[-2]), int(image.shape[-1])), does),
                mode=does.kernel,
                align_corners=does.processor == "ZoeDepthImageProcessor",
            )
        return image


def _depth_pro(canonical: Tensor, view: Tensor | None, size: tuple[int, int]) -> Tensor:
    """Inverse depth of canonical one, for the field of view in degrees that the network sees."""
    if view is not None:
        width = 2 * torch.tan(view.float() * (math.pi / 360))  # of the image at unit distance
        canonical = canonical * width[:, None, None, None]
    return F.interpolate(canonical, size, mode="bilinear").clamp(_FARTHEST, _NEAREST)


def _at(found: Tensor, size: tuple[int, int], does: Preparation) -> Tensor:
    """The network's output at the image's ``size``, without ZoeDepth's border."""
    above, left = _reflected(size) if does.reflects else (0, 0)
    whole = (size[0] + 2 * above, size[1] + 2 * left)
    if tuple(found.shape[-2:]) != whole:
        corners = does.processor == "CHMv2ImageProcessor"
        found = F.interpolate(found, whole, mode=does.back, align_corners=corners)
    return found[..., above : above + size[0], left : left + size[1]]


def _reflected(size: tuple[int, int]) -> tuple[int, int]:
    """ZoeDepth's border above and left of an image, and as much below and right."""
    height, width = size
    return int(math.sqrt(height / 2) * _BORDER), int(math.sqrt(width / 2) * _BORDER)


def _filled(image: Tensor, size: tuple[int, int], divisor: int) -> Tensor:
    """Zeros around it, so that its sides are multiples."""
    lacking = [-side % divisor for side in size]
    (top, left), (bottom, right) = ([n // 2 for n in lacking], [n - n // 2 for n in lacking])
    return F.pad(image, (left, right, top, bottom))


def _fitted(size: tuple[int, int], does: Preparation) -> tuple[int, int]:
    """What a network that resizes floats makes of an image of this size."""
    assert does.size is not None
    vertical, horizontal = (wanted / given for wanted, given in zip(does.size, size, strict=True))
    if does.keep_aspect:
        nearer = abs(1 - horizontal) < abs(1 - vertical)
        vertical = horizontal = horizontal if nearer else vertical
    height, width = vertical * size[0] / does.multiple, horizontal * size[1] / does.multiple
    return int(round(height) * does.multiple), int(round(width) * does.multiple)


def _config(config: Json) -> Any:
    """The same as an object of transformers."""
    try:
        from transformers import CONFIG_MAPPING
    except ImportError:
        raise UserError(
            "this model is built by transformers, which is not installed:"
            " pip install 'monodepth_ros[foundation]'"
        ) from None
    name = config["model_type"]
    if name not in CONFIG_MAPPING:
        raise UserError(
            f"model_type {name!r} needs another transformers: pip install -U transformers"
        )
    try:
        return CONFIG_MAPPING[name].from_dict(dict(config))
    except Exception as error:  # its checks raise what they like
        raise UserError(f"config.json: {_first_line(error)}") from None


def _built(config: Any) -> nn.Module:
    from transformers import AutoModelForDepthEstimation

    try:
        network: nn.Module = AutoModelForDepthEstimation.from_config(config)
        return network
    except Exception as error:
        raise UserError(
            f"config.json: transformers cannot build it: {_first_line(error)}"
        ) from None


@contextmanager
def _quiet() -> Iterator[None]:
    """transformers draws bars and tells what it renames; what is wrong we tell by ourselves."""
    try:
        from transformers.utils import logging
    except ImportError:
        yield
        return
    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__
