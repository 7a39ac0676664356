"""The command line's frame: errors become one line and a status, help imports nothing slow."""

import subprocess
import sys
import types

import pytest
from typer.testing import CliRunner

from monodepth_ros.cli import app as frame
from monodepth_ros.errors import UserError


@pytest.fixture
def register(monkeypatch):
    """Add a sub-command `probe` that runs the given function."""

    def add(function):
        module = types.ModuleType("monodepth_ros.cli.probe")
        module.probe = function
        monkeypatch.setitem(sys.modules, module.__name__, module)
        monkeypatch.setitem(frame.COMMANDS, "probe", "A probe.")

    return add


def run(*arguments: str):
    return CliRunner().invoke(frame.app, list(arguments))


def test_user_error_is_one_line_and_exit_2(register):
    def probe() -> None:
        raise UserError("camera.yaml: fx is negative:\n use a positive focal length")

    register(probe)
    result = run("probe")
    assert result.exit_code == 2
    assert result.stderr == "monodepth: camera.yaml: fx is negative: use a positive focal length\n"
    assert result.stdout == ""


def test_other_failure_is_one_line_and_exit_1(register):
    def probe() -> None:
        raise OSError("disk is full")

    register(probe)
    result = run("probe")
    assert result.exit_code == 1
    assert result.stderr.splitlines() == ["monodepth: OSError: disk is full (--debug shows where)"]


def test_debug_shows_the_traceback(register):
    def probe() -> None:
        raise UserError("no such thing")

    register(probe)
    result = run("--debug", "probe")
    assert result.exit_code == 2
    assert "Traceback" in result.stderr
    assert result.stderr.endswith("monodepth: no such thing\n")


def test_success_is_exit_0_and_passes_arguments(register):
    def probe(name: str) -> None:
        print("hello", name)

    register(probe)
    result = run("probe", "world")
    assert (result.exit_code, result.stdout) == (0, "hello world\n")


def test_unknown_command_and_option_are_wrong_use():
    assert run("no-such-command").exit_code == 2
    assert run("--no-such-option").exit_code == 2


def test_help_names_every_command_without_importing_torch():
    program = (
        "import sys; from typer.testing import CliRunner; from monodepth_ros.cli.app import app\n"
        "print(CliRunner().invoke(app, ['--help']).stdout)\n"
        "assert not {'torch', 'mitsuba', 'lightning', 'cv2'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    for name in frame.COMMANDS:
        assert name in done.stdout
