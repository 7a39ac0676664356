"""The parameters of the tuner node."""

from __future__ import annotations

from monodepth_ros.nodes.parameters import ParameterSpec

_MOST = 1e9
TUNER_PARAMETERS = (
    ParameterSpec("autostart", True, "configure and activate without being told to"),
    ParameterSpec("model", "demo", "what the first tuning starts from"),
    ParameterSpec("tuned_model", "tuned", "name under which the nodes find the newest version"),
    ParameterSpec("models_folder", "", "where it is; empty: the user's model folder"),
    ParameterSpec(
        "live_nodes",
        ("depth_node", "odometry_node"),
        "nodes that get the new model, and whose latency counts; remapping does not",
    ),
    ParameterSpec("bags", "~/monodepth_bags", "folder of the recorder's bags"),
    ParameterSpec(
        "prefix",
        "monodepth",
        "the recorder's: bags without its mark are left out; empty: every bag there",
    ),
    ParameterSpec(
        "newest_bags", 5, "how many of the newest are learnt; 0: all", minimum=0, maximum=1000
    ),
    ParameterSpec("image_topic", "", "of the bags; empty: every camera's"),
    ParameterSpec("depth_topic", "", "true depth in the bags, to judge by, if there is any"),
    ParameterSpec("folder", "~/monodepth_tuning", "where tunings are worked on and kept"),
    ParameterSpec("recipe", "finetune", "how it learns: a name from training/, or a YAML file"),
    ParameterSpec(
        "known_scenes",
        "",
        "folder with replay/ and check/, frames not to be forgotten; empty: the package's;"
        " none: forget",
    ),
    ParameterSpec(
        "minutes", 15.0, "of training; pauses do not count", minimum=0.1, maximum=10_000.0
    ),
    ParameterSpec("threads", 1, "of the CPU that training may use", minimum=1, maximum=256),
    ParameterSpec(
        "memory_megabytes",
        4000.0,
        "of memory besides mapped files, at which a tuning is given up; 0: no limit",
        minimum=0.0,
        maximum=_MOST,
    ),
    ParameterSpec(
        "gpu_share", 0.5, "of a GPU's memory that it may take", minimum=0.01, maximum=1.0
    ),
    ParameterSpec(
        "max_temperature",
        90.0,
        "degrees Celsius of the hottest zone, above which training pauses; 0: no limit",
        minimum=0.0,
        maximum=150.0,
    ),
    ParameterSpec(
        "max_power",
        0.0,
        "watts, above which training pauses; 0: no limit",
        minimum=0.0,
        maximum=10_000.0,
    ),
    ParameterSpec("power_sensor", "", "file that tells microwatts; empty: the machine's sensors"),
    ParameterSpec(
        "max_latency_ratio",
        1.5,
        "times the latency before, of a live node, above which training pauses; 0: no limit",
        minimum=0.0,
        maximum=1000.0,
    ),
    ParameterSpec(
        "baseline_seconds",
        10.0,
        "in which that latency is measured",
        minimum=1.0,
        maximum=600.0,
    ),
    ParameterSpec("pause_seconds", 10.0, "of a pause, at least", minimum=0.0, maximum=3600.0),
    ParameterSpec(
        "min_gain",
        0.01,
        "share by which the error on held-back frames must fall",
        minimum=0.0,
        maximum=1.0,
    ),
    ParameterSpec(
        "max_forgetting",
        0.1,
        "share by which the error on known scenes may rise, beside that of `model`",
        minimum=0.0,
        maximum=100.0,
    ),
    ParameterSpec(
        "keep",
        0.25,
        "share of the former weights that is mixed in, so that less is forgotten",
        minimum=0.0,
        maximum=1.0,
    ),
    ParameterSpec("hand_over", True, "give a better model to the live nodes; else only keep it"),
    ParameterSpec("resume", True, "go on with an interrupted tuning when the node is activated"),
    ParameterSpec(
        "diagnostics_period", 1.0, "seconds between diagnostics", minimum=0.1, maximum=60.0
    ),
)
