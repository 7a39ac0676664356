"""The package as its users get it: versions, files, and a wheel that works."""

import ast
import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PYTHON_FILES = sorted(
    path
    for folder in ("monodepth_ros", "test", "benchmark", "launch")
    for path in (ROOT / folder).rglob("*.py")
)


def package_version() -> str:
    version = ElementTree.parse(ROOT / "package.xml").getroot().findtext("version")
    assert version is not None
    return version


def test_setup_and_package_xml_agree() -> None:
    version = re.search(r'version="([^"]+)"', (ROOT / "setup.py").read_text())
    assert version is not None
    assert version.group(1) == package_version()


def test_package_xml_names_what_the_nodes_and_launch_files_need() -> None:
    """Python's tf2_ros comes with the package tf2_ros_py; programs come by the names of theirs."""
    root = ElementTree.parse(ROOT / "package.xml").getroot()
    named = {depend.text for depend in root.findall("exec_depend")}
    imported = set()
    for path in (*(ROOT / "monodepth_ros/nodes").glob("*.py"), *(ROOT / "launch").glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and node.module:
                imported.add(node.module.split(".")[0])
            elif isinstance(node, ast.Import):
                imported.update(alias.name.split(".")[0] for alias in node.names)
    of_pip = {"monodepth_ros", "PIL", "cv2", "numpy", "rosbags", "scipy", "torch", "yaml"}
    of_ros = {"tf2_ros_py" if name == "tf2_ros" else name for name in imported}
    assert of_ros - set(sys.stdlib_module_names) - of_pip <= named
    assert {"rviz2", "ros2launch", "ros2bag"} <= named and "tf2_ros" not in named


def test_changelog_tells_of_this_version() -> None:
    """The first section is of this version: released on a day, or forthcoming."""
    text = (ROOT / "CHANGELOG.rst").read_text()
    sections = re.split(r"^(.+)\n-+\n", text, flags=re.M)[1:]
    title, content = sections[0], sections[1]
    if title == "Forthcoming":
        title = content.strip().splitlines()[0].removeprefix("Version ")
    assert re.match(rf"{re.escape(package_version())}\b", title)


@pytest.mark.parametrize(
    "path", [p for p in PYTHON_FILES if p.name == "__init__.py"], ids=lambda p: p.parent.name
)
def test_init_holds_a_docstring_only(path: Path) -> None:
    tree = ast.parse(path.read_text())
    assert len(tree.body) == 1
    assert ast.get_docstring(tree)


def test_python_files_stay_short() -> None:
    lengths = {path: len(path.read_text().splitlines()) for path in PYTHON_FILES}
    too_long = {str(path.relative_to(ROOT)): n for path, n in lengths.items() if n > 400}
    assert too_long == {}


@pytest.fixture(scope="module")
def prefix(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A prefix with the package installed from a wheel, away from the checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    offline = ["--no-deps", "--no-index"]
    source = copy_of_checkout(folder / "source")
    subprocess.run(
        [*pip, "wheel", *offline, "--no-build-isolation", "-w", str(folder), str(source)],
        check=True,
    )
    (wheel,) = folder.glob("*.whl")
    target = folder / "prefix"
    # Without --ignore-installed, pip would uninstall the package that these tests run with.
    into = ["--ignore-installed", "--prefix", str(target)]
    subprocess.run([*pip, "install", *offline, *into, str(wheel)], check=True)
    return target


def copy_of_checkout(target: Path) -> Path:
    """The committed and the new files, without what a build left behind."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    for name in filter(None, listed.stdout.split("\0")):
        if (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            (target / name).write_bytes((ROOT / name).read_bytes())
    return target


def run_installed(prefix: Path, code: str) -> str:
    (packages,) = prefix.glob("lib/python*/site-packages")
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=prefix,
        env=os.environ | {"PYTHONPATH": str(packages)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_wheel_brings_models_recipes_and_ros_files(prefix: Path) -> None:
    share = Path(
        run_installed(
            prefix,
            "from monodepth_ros.share_directory import share_directory; print(share_directory())",
        )
    )
    assert share == prefix / "share" / "monodepth_ros"
    assert (prefix / "share/ament_index/resource_index/packages/monodepth_ros").is_file()
    expected = {
        path.relative_to(ROOT)
        for folder, pattern in [
            ("models", "*"),
            ("launch", "*"),
            ("config", "*"),
            ("training", "*.yaml"),
        ]
        for path in (ROOT / folder).rglob(pattern)
        if path.is_file() and "__pycache__" not in path.parts
    }
    missing = {str(path) for path in expected if not (share / path).is_file()}
    assert missing == set()
    assert (share / "package.xml").is_file()


def test_wheel_knows_the_published_models(prefix: Path) -> None:
    code = "from monodepth_ros.zoo.available import available_models; print(*available_models())"
    assert "depth-anything-v2-small" in run_installed(prefix, code).split()


def test_wheel_brings_every_module(prefix: Path) -> None:
    (packages,) = prefix.glob("lib/python*/site-packages")
    for path in (ROOT / "monodepth_ros").rglob("*.py"):
        assert (packages / path.relative_to(ROOT)).is_file(), path


def test_command_runs_from_the_wheel(prefix: Path) -> None:
    output = run_installed(
        prefix,
        "import sys; sys.argv = ['monodepth', '--help'];"
        "from monodepth_ros.cli.app import main; main()",
    )
    assert "predict" in output
