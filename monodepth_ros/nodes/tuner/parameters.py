"""The parameters of the tuner node."""

from __future__ import annotations

from monodepth_ros.nodes.parameters import NODE_PARAMETERS, ParameterSpec, advanced

TUNER_PARAMETERS = (
    ParameterSpec("model", "demo", "model that the first tuning starts from"),
    ParameterSpec("tuned_model", "tuned", "name under which other nodes load the newest version"),
    ParameterSpec(
        "live_nodes",
        ("depth_node", "odometry_node"),
        "nodes that get the tuned model and whose latency is watched; remappings do not apply",
    ),
    ParameterSpec("bags_folder", "~/monodepth_bags", "folder of the recorded bags"),
    ParameterSpec(
        "prefix",
        "monodepth",
        "the recorder's parameter `prefix`: other bags are not used; empty: all bags are used",
    ),
    ParameterSpec(
        "newest_bags", 5, "number of bags to train on, newest first; 0: all", bounds=(0, 1000)
    ),
    ParameterSpec("image_topic", "", "image topic in the bags; empty: all cameras"),
    ParameterSpec(
        "depth_topic", "", "topic of ground-truth depth in the bags, for validation; empty: none"
    ),
    ParameterSpec("folder", "~/monodepth_tuning", "folder of the tunings and their results"),
    ParameterSpec("recipe", "finetune", "training recipe: a name from training/, or a YAML file"),
    ParameterSpec(
        "teacher",
        "",
        "model that recipe `distill` learns from, such as a large one; empty: that of the recipe",
    ),
    ParameterSpec(
        "training_minutes",
        15.0,
        "duration of the training in minutes, without pauses",
        bounds=(0.1, 10_000.0),
    ),
    ParameterSpec(
        "hand_over", True, "load a better model into the live nodes; false: only store it"
    ),
    ParameterSpec("threads", 1, "CPU threads for training", bounds=(1, 256)),
    ParameterSpec(
        "max_temperature",
        90.0,
        "temperature of the hottest thermal zone in degrees Celsius above which training pauses;"
        " 0: no limit",
        bounds=(0.0, 150.0),
    ),
    ParameterSpec(
        "max_power",
        0.0,
        "power in watts above which training pauses; 0: no limit",
        bounds=(0.0, 10_000.0),
    ),
    ParameterSpec(
        "max_latency_ratio",
        1.5,
        "latency of a live node, relative to that before training, above which training pauses;"
        " 0: no limit",
        bounds=(0.0, 1000.0),
    ),
    *advanced(
        ParameterSpec(
            "models_folder", "", "folder of the tuned models; empty: the user's model folder"
        ),
        ParameterSpec(
            "known_scenes",
            "",
            "folder with replay/ and check/: frames that the model must not forget; empty: those of"
            " the package; none: no such frames",
        ),
        ParameterSpec(
            "max_memory_mb",
            4000.0,
            "maximum memory of the training in MB, without memory-mapped files; above it the tuning"
            " fails; 0: no limit",
            bounds=(0.0, 1e9),
        ),
        ParameterSpec(
            "gpu_memory_fraction",
            0.5,
            "fraction of the GPU's memory that training may use",
            bounds=(0.01, 1.0),
        ),
        ParameterSpec(
            "power_sensor",
            "",
            "file that holds the power in microwatts; empty: the machine's sensors",
        ),
        ParameterSpec(
            "baseline_seconds",
            10.0,
            "seconds before training in which the latency of the live nodes is measured",
            bounds=(1.0, 600.0),
        ),
        ParameterSpec(
            "min_pause_seconds",
            10.0,
            "minimum duration of a pause in seconds",
            bounds=(0.0, 3600.0),
        ),
        ParameterSpec(
            "min_gain",
            0.01,
            "relative decrease of the error on held-out frames that makes a model better",
            bounds=(0.0, 1.0),
        ),
        ParameterSpec(
            "max_forgetting",
            0.1,
            "maximum relative increase of the error on known scenes, compared to `model`",
            bounds=(0.0, 100.0),
        ),
        ParameterSpec(
            "former_weights_fraction",
            0.25,
            "fraction of the former weights in the average of former and tuned weights; reduces"
            " forgetting",
            bounds=(0.0, 1.0),
        ),
        ParameterSpec("resume", True, "resume an interrupted tuning when the node is activated"),
    ),
    *NODE_PARAMETERS,
)
