"""The parameters that the nodes of a camera share."""

from __future__ import annotations

from monodepth_ros.inference.engines.agreement import TOLERANCE
from monodepth_ros.inference.engines.registry import ENGINES
from monodepth_ros.nodes.parameters import NODE_PARAMETERS, ParameterSpec
from monodepth_ros.nodes.scale.parameters import SCALE_PARAMETERS

CAMERA_PARAMETERS = (
    ParameterSpec(
        "model",
        "demo",
        "name or folder of the model; after a change, call `~/reload`",
        read_only=False,
    ),
    ParameterSpec(
        "engine",
        "auto",
        "library that runs the networks; auto: the fastest, measured at the first start",
        choices=("auto", *ENGINES),
    ),
    ParameterSpec(
        "size",
        "",
        "width x height at which the networks run, such as 392x294, rounded as the model needs it;"
        " empty: that of the model, which may follow from the image",
    ),
    ParameterSpec("device", "auto", "device that runs the networks: auto, cpu, cuda or cuda:N"),
    ParameterSpec(
        "precision",
        "auto",
        "number format of the networks; auto: the fastest whose results agree with fp32",
        choices=("auto", *TOLERANCE),
    ),
    ParameterSpec(
        "image_transport", "raw", "transport of the image topic", choices=("raw", "compressed")
    ),
    ParameterSpec(
        "rectified",
        "auto",
        "true: the images have no distortion, and P of camera_info is their camera matrix; auto:"
        " true for a topic whose name, after remapping, ends in `image_rect*`",
        choices=("auto", "true", "false"),
    ),
    *SCALE_PARAMETERS,
    ParameterSpec(
        "threads",
        0,
        "CPU threads for the networks and for image processing; 0: one per core",
        bounds=(0, 256),
        advanced=True,
    ),
    *NODE_PARAMETERS,
)
