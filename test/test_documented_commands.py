"""Every `monodepth` command of the README and of docs/ is one that the command line takes."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from monodepth_ros.cli.app import load_command

ROOT = Path(__file__).resolve().parents[1]
BLOCK = re.compile(r"^```\w*\n(.*?)^```", re.DOTALL | re.MULTILINE)


def documented_commands() -> list[str]:
    """Lines of code blocks that call `monodepth`, continued lines joined."""
    found = []
    for page in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))):
        for block in BLOCK.findall(page.read_text(encoding="utf-8")):
            lines = block.replace("\\\n", " ").splitlines()
            found += [line.strip() for line in lines if re.match(r"\s*monodepth ", line)]
    return sorted(set(found))


def parse(line: str) -> None:
    """Raise what click raises for an option, an argument or a sub-command that does not exist."""
    name, *arguments = shlex.split(line, comments=True)[1:]
    command = load_command(name)
    while hasattr(command, "commands"):
        command, arguments = command.commands[arguments[0]], arguments[1:]
    command.make_context("monodepth", list(arguments))


def test_there_are_commands() -> None:
    assert len(documented_commands()) > 20


@pytest.mark.parametrize("line", documented_commands())
def test_a_documented_command_is_taken(line: str) -> None:
    if "--help" not in line:
        parse(line)


def test_a_command_that_is_none_is_seen() -> None:
    with pytest.raises(ModuleNotFoundError):
        parse("monodepth trian x")
    with pytest.raises(Exception, match="--nothing"):
        parse("monodepth replay bag --out x --nothing")
