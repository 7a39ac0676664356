"""What the two JSON files beside published weights say of a network, read without torch.

``config.json`` and ``preprocessor_config.json`` are those of Hugging Face's transformers: the first
names the network and its sizes, the second what is done with an image before. A key that the
second leaves out has the default of its processor's class in transformers 5.24.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from monodepth_ros.geometry.image_size import Kernel

Json = Mapping[str, Any]
Quantity = Literal["depth", "inverse_depth"]

CONFIG_FILE, PREPROCESSOR_FILE = "config.json", "preprocessor_config.json"

_HALF = (0.5, 0.5, 0.5)  # mean and standard deviation that the classes of transformers begin with
_DPT: dict[str, Any] = {
    "do_resize": True,
    "size": 384,
    "keep_aspect_ratio": False,
    "ensure_multiple_of": 1,
    "resample": 3,
    "do_pad": False,
    "do_normalize": True,
    "image_mean": _HALF,
    "image_std": _HALF,
}
# By class of image processor: its defaults, and the kernel by which it resizes what comes out.
_PROCESSORS: dict[str, tuple[dict[str, Any], Kernel]] = {
    "DPTImageProcessor": (_DPT, "bicubic"),
    "PromptDepthAnythingImageProcessor": (_DPT, "bicubic"),
    "GLPNImageProcessor": ({"do_resize": True, "resample": 2, "size_divisor": 32}, "bicubic"),
    "ZoeDepthImageProcessor": (
        {
            **_DPT,
            "size": {"height": 384, "width": 512},
            "keep_aspect_ratio": True,
            "ensure_multiple_of": 1 / 32,
            "resample": 2,
            "do_pad": True,
        },
        "bicubic",
    ),
    "DepthProImageProcessor": ({**_DPT, "size": 1536, "resample": 2}, "bilinear"),
    "Tipsv2DptImageProcessor": ({"do_resize": True, "size": 448, "resample": 2}, "bilinear"),
    "CHMv2ImageProcessor": (
        {
            **_DPT,
            "do_resize": False,
            "keep_aspect_ratio": True,
            "ensure_multiple_of": 16,
            "do_pad": True,
            "size_divisor": 16,
            "image_mean": (0.420, 0.411, 0.296),
            "image_std": (0.213, 0.156, 0.143),
        },
        "bilinear",
    ),
}
_FLOATS = ("ZoeDepthImageProcessor", "DepthProImageProcessor")  # which resize these
_KERNELS: dict[int, Kernel] = {2: "bilinear", 3: "bicubic"}  # Pillow's numbers


@dataclass(frozen=True)
class NetworkType:
    """What transformers calls a type of network, and what its output means.

    ``processor`` is the class of its images where the file names none. ``output``: what grows in
    ``predicted_depth``. ``metric``: it is in metres, or the inverse of metres.
    """

    processor: str
    output: Quantity
    metric: bool


TYPES: dict[str, NetworkType] = {
    # Both change with the config: see `network_type`.
    "depth_anything": NetworkType("DPTImageProcessor", "inverse_depth", False),
    "dpt": NetworkType("DPTImageProcessor", "inverse_depth", False),
    # Without a prompt: depth between that of the nearest and of the farthest point, 0 to 1.
    "prompt_depth_anything": NetworkType("PromptDepthAnythingImageProcessor", "depth", False),
    "glpn": NetworkType("GLPNImageProcessor", "depth", True),
    "zoedepth": NetworkType("ZoeDepthImageProcessor", "depth", True),
    "depth_pro": NetworkType("DepthProImageProcessor", "inverse_depth", True),
    "tipsv2_dpt": NetworkType("Tipsv2DptImageProcessor", "depth", True),
    # Metres of a canopy above ground, which transformers calls depth as well.
    "chmv2": NetworkType("CHMv2ImageProcessor", "depth", True),
}


def network_type(config: Json) -> NetworkType:
    """The type that a ``config.json`` names; ValueError for one that is not known here."""
    name = str(config.get("model_type", ""))
    if name not in TYPES:
        raise ValueError(f"model_type {name!r} is not one of {', '.join(TYPES)}")
    found = TYPES[name]
    if name == "depth_anything" and config.get("depth_estimation_type") == "metric":
        return NetworkType(found.processor, "depth", True)
    # DPT on DINOv2 was published for NYU and for KITTI, in metres; MiDaS has other backbones.
    if name == "dpt" and (config.get("backbone_config") or {}).get("model_type") == "dinov2":
        return NetworkType(found.processor, "depth", True)
    return found


@dataclass(frozen=True)
class Preparation:
    """What is done with an image ``(H, W)`` before a network of one type.

    Attributes:
        processor: class of the image processor, without what tells its variants apart.
        scale: what values in [0, 1] are multiplied with.
        mean, std: what is then subtracted, and divided by.
        size: (height, width) that is aimed at; None: the image's own.
        keep_aspect: whether height and width are changed alike, by the factor nearer to 1.
        multiple: sides are multiples of it. ``rounds_down``, or to the nearest.
        kernel: of resizing. ``back``: of resizing what comes out to the image's size.
        divisor: zeros around the image fill its sides up to multiples of it; 1 for none.
        reflects: ZoeDepth's border of the image's own pixels, mirrored.
        resizes: its ``bytes`` first, its ``floats`` when it is normalised, or ``nothing``.
    """

    processor: str
    scale: float
    mean: tuple[float, ...]
    std: tuple[float, ...]
    size: tuple[int, int] | None
    keep_aspect: bool
    multiple: float
    rounds_down: bool
    kernel: Kernel
    back: Kernel
    divisor: int
    reflects: bool
    resizes: Literal["bytes", "floats", "nothing"]


def preparation(config: Json, preprocessor: Json) -> Preparation:
    """What both files together say; ValueError for what this package does not do."""
    name = _processor_name(preprocessor) or network_type(config).processor
    if name not in _PROCESSORS:
        raise ValueError(f"image processor {name!r} is not one of {', '.join(_PROCESSORS)}")
    defaults, back = _PROCESSORS[name]
    values = {**defaults, **{k: v for k, v in preprocessor.items() if v is not None}}
    if values.get("do_center_crop"):
        raise ValueError("do_center_crop cuts off what a robot has to see: set it to false")
    resample = values["resample"]
    if resample not in _KERNELS:
        raise ValueError(f"resample {resample}: this package resizes by 2 (bilinear), 3 (bicubic)")
    glpn = name == "GLPNImageProcessor"
    rescales, normalises = values.get("do_rescale", True), values.get("do_normalize", False)
    pads = values.get("do_pad", False)
    reflects = pads and name == "ZoeDepthImageProcessor"
    resizes = values["do_resize"]
    return Preparation(
        processor=name,
        scale=255.0 * (float(values.get("rescale_factor", 1 / 255)) if rescales else 1.0),
        mean=_three(values, "image_mean") if normalises else (0.0, 0.0, 0.0),
        std=_three(values, "image_std") if normalises else (1.0, 1.0, 1.0),
        size=_size(values["size"]) if resizes and not glpn else None,
        keep_aspect=bool(values.get("keep_aspect_ratio", False)),
        multiple=_multiple(values) if resizes else 1,
        rounds_down=glpn,
        kernel=_KERNELS[resample],
        back=back,
        divisor=int(values.get("size_divisor") or 1) if pads and not reflects else 1,
        reflects=reflects,
        resizes="nothing" if not resizes else "floats" if name in _FLOATS else "bytes",
    )


def _processor_name(preprocessor: Json) -> str:
    """Of today's class; files of several years name its former classes and its variants."""
    keys = ("image_processor_type", "feature_extractor_type")
    name = next((str(preprocessor[key]) for key in keys if preprocessor.get(key)), "")
    name = name.replace("FeatureExtractor", "ImageProcessor")
    return name.removesuffix("Fast").removesuffix("Pil")


def _multiple(values: Json) -> float:
    key = "size_divisor" if "ensure_multiple_of" not in values else "ensure_multiple_of"
    return float(values.get(key, 1))


def _size(value: Any) -> tuple[int, int]:
    if isinstance(value, Mapping):
        if {"height", "width"} - value.keys():
            raise ValueError(f"size {dict(value)} lacks height or width")
        return int(value["height"]), int(value["width"])
    return int(value), int(value)


def _three(values: Json, key: str) -> tuple[float, ...]:
    value = values.get(key, ())
    three = tuple(map(float, value)) if isinstance(value, (list, tuple)) else (float(value),) * 3
    if len(three) != 3:
        raise ValueError(f"{key} needs three values, not {list(three)}")
    return three
