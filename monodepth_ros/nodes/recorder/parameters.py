"""The parameters of the recorder node."""

from __future__ import annotations

from monodepth_ros.nodes.parameters import NODE_PARAMETERS, ParameterSpec, advanced

_NO_LIMIT = 1e9
RECORDER_PARAMETERS = (
    ParameterSpec(
        "topics",
        ("image_raw", "camera_info"),
        "topics to record; diagnostics warn while nobody publishes one of them; remappings apply",
    ),
    ParameterSpec(
        "optional_topics",
        ("/tf", "/tf_static", "speed", "odom", "scale"),
        "topics to record when they are published, such as those that odometry needs in a replay",
    ),
    ParameterSpec("folder", "~/monodepth_bags", "folder of the recorded bags"),
    ParameterSpec("prefix", "monodepth", "prefix of the bags' names, before date and time"),
    ParameterSpec(
        "record_on_activation",
        True,
        "start recording when the node is activated; false: wait for `~/start`",
    ),
    ParameterSpec(
        "image_format",
        "raw",
        "how raw camera images are stored: as they are, or compressed under `TOPIC/compressed`",
        choices=("raw", "jpeg", "png"),
    ),
    ParameterSpec(
        "standstill_threshold_px",
        0.0,
        "image motion since the last recorded image, in pixels of an image 160 pixels wide; below"
        " it only one image per second is recorded; 0: all images are recorded",
        bounds=(0.0, 160.0),
    ),
    ParameterSpec(
        "disk_budget_mb",
        0.0,
        "maximum size of all bags of this node with this prefix, in MB, without snapshots; 0: no"
        " limit",
        bounds=(0.0, _NO_LIMIT),
    ),
    ParameterSpec(
        "remove_oldest",
        False,
        "when `disk_budget_mb` is used up, remove the oldest bag; false: stop recording",
    ),
    ParameterSpec(
        "snapshot_seconds",
        0.0,
        "length in seconds of what `~/snapshot` writes; 0: no snapshots",
        bounds=(0.0, 3600.0),
    ),
    *advanced(
        ParameterSpec(
            "jpeg_quality", 95, "JPEG quality, for `image_format: jpeg`", bounds=(1, 100)
        ),
        ParameterSpec(
            "chunk_seconds",
            2.0,
            "seconds after which messages are flushed to the disk; a power cut loses no more than"
            " that",
            bounds=(0.0, 60.0),
        ),
        ParameterSpec(
            "max_bag_seconds",
            0.0,
            "maximum duration of a bag in seconds; then a new bag begins; 0: no limit",
            bounds=(0.0, _NO_LIMIT),
        ),
        ParameterSpec(
            "max_bag_size_mb",
            4000.0,
            "maximum size of a bag in MB; then a new bag begins; 0: no limit",
            bounds=(0.0, _NO_LIMIT),
        ),
        ParameterSpec(
            "min_free_disk_mb",
            500.0,
            "free disk space in MB below which recording stops",
            bounds=(0.0, _NO_LIMIT),
        ),
        ParameterSpec(
            "snapshot_memory_mb",
            500.0,
            "maximum memory of the snapshot buffer in MB; when it is full, a snapshot is shorter",
            bounds=(1.0, _NO_LIMIT),
        ),
        ParameterSpec(
            "queue_memory_mb",
            200.0,
            "maximum memory in MB of messages that wait for a slow disk; further ones are lost",
            bounds=(1.0, _NO_LIMIT),
        ),
    ),
    *NODE_PARAMETERS,
)
