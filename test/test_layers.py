"""The layers of docs/architecture.md: who may import whom, lazily written imports included."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = "monodepth_ros"

# Modules at the root of the package, which every layer may import.
FOUNDATION = {
    "errors",
    "interruption",
    "atomic_file",
    "cache_directory",
    "share_directory",
    "dds_environment",
    "yaml_file",
    "heartbeat",
    "progress",
    "overlap",
    "process_share",
    "shared_work",
    "child_processes",
    "module_process",
    "stamps",
}

# The layers, lowest first. Each may import itself, the foundation, and what stands beside it here.
ALLOWED: dict[str, set[str]] = {"geometry": set(), "networks": {"geometry"}}
ALLOWED["zoo"] = {"geometry", "networks"}
ALLOWED["data"] = {"geometry"}
ALLOWED["inference"] = ALLOWED["visualisation"] = {"geometry", "networks", "zoo", "data"}
ALLOWED["evaluation"] = ALLOWED["inference"] | {"inference", "visualisation"}
ALLOWED["worlds"] = {"geometry", "data"}
ALLOWED["learning"] = ALLOWED["replay"] = ALLOWED["evaluation"] | {"evaluation"}
# A node never waits for what only learns: the tuner starts processes.
ALLOWED["nodes"] = ALLOWED["replay"] | {"replay"}
ALLOWED["cli"] = ALLOWED["nodes"] | {"worlds", "learning"}

# Optional or heavy libraries: only the named layers may import them.
ONLY_IN = {
    "rclpy": {"nodes"},
    "builtin_interfaces": {"nodes"},
    "rcl_interfaces": {"nodes"},
    "launch": {"nodes"},
    "launch_ros": {"nodes"},
    "tf2_ros": {"nodes"},
    "sensor_msgs": {"nodes"},
    "nav_msgs": {"nodes"},
    "geometry_msgs": {"nodes"},
    "std_msgs": {"nodes"},
    "std_srvs": {"nodes"},
    "diagnostic_msgs": {"nodes"},
    "mitsuba": {"worlds"},
    "rerun": {"visualisation"},
    "drjit": {"worlds"},
    "torchvision": set(),  # does not load beside the CPU build of torch
}

# Extras that may be absent: only imported inside functions.
LAZY = {"mitsuba", "drjit", "rerun", "tf2_ros"}


def imports(tree: ast.AST, module: str) -> Iterator[str]:
    """Dotted names that the code below `tree` imports; `from a import b` gives a.b."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            origin = node.module or ""
            if node.level:
                parents = module.split(".")[: -node.level]
                origin = ".".join([*parents, origin]).rstrip(".")
            yield from (f"{origin}.{alias.name}" for alias in node.names)


class WithoutFunctions(ast.NodeTransformer):
    """Leaves of a module what runs when it is loaded."""

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        return None

    visit_AsyncFunctionDef = visit_FunctionDef


def is_within(name: str, scope: str) -> bool:
    return name == scope or name.startswith(f"{scope}.")


def violations(source: str, module: str) -> list[str]:
    """What in the source of `module` (a dotted name below the package) breaks the rules."""
    layer = module.split(".")[0]
    allowed = ALLOWED.get(layer, set()) | FOUNDATION | ({layer} if layer in ALLOWED else set())
    tree = ast.parse(source)
    found = []
    for name in imports(tree, f"{PACKAGE}.{module}"):
        top = name.split(".")[0]
        if name.startswith(f"{PACKAGE}."):
            target = name.removeprefix(f"{PACKAGE}.")
            if not any(is_within(target, scope) for scope in allowed):
                found.append(f"{module} imports {name}")
        elif top in ONLY_IN and layer not in ONLY_IN[top]:
            found.append(f"{module} imports {name}")
    for name in imports(WithoutFunctions().visit(tree), f"{PACKAGE}.{module}"):
        if name.split(".")[0] in LAZY:
            found.append(f"{module} imports {name} when it is loaded, not when it is used")
    return found


def modules() -> list[tuple[str, Path]]:
    files = sorted((ROOT / PACKAGE).rglob("*.py"))
    dotted = [".".join(path.relative_to(ROOT / PACKAGE).with_suffix("").parts) for path in files]
    return [
        (name.removesuffix(".__init__"), path) for name, path in zip(dotted, files, strict=True)
    ]


@pytest.mark.parametrize(("module", "path"), modules(), ids=lambda value: str(value))
def test_module_keeps_to_its_layer(module: str, path: Path) -> None:
    assert violations(path.read_text(), module) == []


def test_every_folder_is_a_known_layer() -> None:
    folders = {path.parent.name for path in (ROOT / PACKAGE).glob("*/__init__.py")}
    assert folders <= ALLOWED.keys()


@pytest.mark.parametrize(
    ("source", "module"),
    [
        ("from monodepth_ros.networks import resnet", "geometry.se3"),
        ("def f():\n    import monodepth_ros.cli.app", "learning.trainer"),
        ("from monodepth_ros.zoo.catalogue import resolve", "data.sequence"),
        ("from monodepth_ros import learning", "nodes.tuner.job"),
        ("from ..networks import resnet", "geometry.se3"),
        ("def f():\n    import rclpy", "inference.tracker"),
        ("import torchvision", "networks.resnet"),
        ("import mitsuba", "worlds.render"),
        ("if True:\n    from mitsuba import load_dict", "worlds.render"),
        ("from monodepth_ros.data import triplets", "errors"),
    ],
)
def test_a_breach_is_found(source: str, module: str) -> None:
    assert violations(source, module)


@pytest.mark.parametrize(
    ("source", "module"),
    [
        ("from monodepth_ros.zoo.card import ModelCard", "learning.trainer"),
        ("from monodepth_ros.zoo import weights", "learning.trainer"),
        ("from monodepth_ros.errors import UserError", "geometry.camera"),
        ("def f():\n    import mitsuba", "worlds.render"),
        ("import rclpy", "nodes.depth_node"),
    ],
)
def test_what_is_allowed_passes(source: str, module: str) -> None:
    assert violations(source, module) == []
