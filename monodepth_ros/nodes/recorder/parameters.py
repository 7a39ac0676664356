"""The parameters of the recorder node."""

from __future__ import annotations

from monodepth_ros.nodes.parameters import ParameterSpec

_MOST = 1e9
RECORDER_PARAMETERS = (
    ParameterSpec("autostart", True, "configure and activate without being told to"),
    ParameterSpec("record", True, "record from activation on; else from `~/start` on"),
    ParameterSpec(
        "topics",
        ("image_raw", "camera_info"),
        "what is recorded, and missed where nobody publishes it; remapping counts",
    ),
    ParameterSpec(
        "optional_topics",
        ("/tf", "/tf_static", "speed", "odom", "scale"),
        "what is recorded as well where somebody publishes it: odometry replays by them",
    ),
    ParameterSpec("folder", "~/monodepth_bags", "where the bags go"),
    ParameterSpec("prefix", "monodepth", "first part of a bag's name, before date and time"),
    ParameterSpec(
        "images", "raw", "how raw camera images are stored", choices=("raw", "jpeg", "png")
    ),
    ParameterSpec("jpeg_quality", 95, "of `images: jpeg`", minimum=1, maximum=100),
    ParameterSpec(
        "standstill",
        0.0,
        "pixels, of 160 across, that the image must have moved since the last one recorded; until"
        " then only one image a second is, with what belongs to it; 0 records all",
        minimum=0.0,
        maximum=160.0,
    ),
    ParameterSpec(
        "chunk_seconds",
        2.0,
        "seconds after which messages are on the disk, safe from a power cut",
        minimum=0.0,
        maximum=60.0,
    ),
    ParameterSpec(
        "split_seconds", 0.0, "after which a new bag begins; 0: none", minimum=0.0, maximum=_MOST
    ),
    ParameterSpec(
        "split_megabytes",
        4000.0,
        "after which a new bag begins; 0: none",
        minimum=0.0,
        maximum=_MOST,
    ),
    ParameterSpec(
        "budget_megabytes",
        0.0,
        "that the bags of this node and this prefix may take, snapshots aside; 0: no limit",
        minimum=0.0,
        maximum=_MOST,
    ),
    ParameterSpec(
        "remove_oldest", False, "at the budget's end remove the oldest of these bags, not stop"
    ),
    ParameterSpec(
        "spare_megabytes",
        500.0,
        "that stay free on the disk: recording stops before",
        minimum=0.0,
        maximum=_MOST,
    ),
    ParameterSpec(
        "snapshot_seconds",
        0.0,
        "that `~/snapshot` writes; 0: no snapshots",
        minimum=0.0,
        maximum=3600.0,
    ),
    ParameterSpec(
        "snapshot_megabytes",
        500.0,
        "of memory that they may take; fewer seconds then",
        minimum=1.0,
        maximum=_MOST,
    ),
    ParameterSpec(
        "queue_megabytes",
        200.0,
        "of memory for what a slow disk has not taken yet",
        minimum=1.0,
        maximum=_MOST,
    ),
    ParameterSpec(
        "diagnostics_period", 1.0, "seconds between diagnostics", minimum=0.1, maximum=60.0
    ),
)
