"""The parameters that the nodes of a camera share."""

from __future__ import annotations

from monodepth_ros.nodes.camera.scale_source import SCALE_PARAMETERS
from monodepth_ros.nodes.parameters import ParameterSpec

CAMERA_PARAMETERS = (
    ParameterSpec("autostart", True, "configure and activate without being told to"),
    ParameterSpec(
        "model",
        "demo",
        "name or folder of the model; a new one is taken up by `~/reload`",
        read_only=False,
    ),
    ParameterSpec("device", "auto", "of the networks: auto, cpu, cuda or cuda:N"),
    ParameterSpec("precision", "fp32", "of the networks", choices=("fp32", "fp16", "bf16")),
    ParameterSpec(
        "threads",
        0,
        "CPU threads of the networks and of image processing; 0: one for each core",
        minimum=0,
        maximum=256,
    ),
    ParameterSpec("image_transport", "raw", "what the camera sends", choices=("raw", "compressed")),
    ParameterSpec(
        "rectified",
        "auto",
        "images have no distortion, P of camera_info is their camera; auto: those of a topic whose"
        " name ends in `image_rect*`, after remapping",
        choices=("auto", "true", "false"),
    ),
    ParameterSpec(
        "diagnostics_period", 1.0, "seconds between diagnostics", minimum=0.1, maximum=60.0
    ),
    *SCALE_PARAMETERS,
)
