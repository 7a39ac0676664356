"""Which parameters a file sets for one node by name, and which for all nodes.

ROS merges all sections that match a node before the node sees them. A file for several nodes may
set parameters under ``/**`` that only some of them have.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

_PARAMETERS = "ros__parameters"


def names_for_any_node(node: str, arguments: Sequence[str] | None = None) -> set[str]:
    """Parameters that files set for all nodes but in no section that names ``node``.

    A section names a node when its last part is not a wildcard: ``/**/depth_node`` and
    ``/front/depth_node`` do, ``/**`` and ``/front/*`` do not. ``arguments`` are those of the
    process, by default its own; a file that cannot be read is ignored.
    """
    shared: set[str] = set()
    own: set[str] = set()
    for file in _parameter_files(sys.argv if arguments is None else arguments):
        for keys in _paths(_content(file)):
            if _PARAMETERS in keys:
                depth = keys.index(_PARAMETERS)
                last = "/".join(keys[:depth]).rpartition("/")[2]
                if "*" in last:
                    shared.add(".".join(keys[depth + 1 :]))
                elif last == node:
                    own.add(".".join(keys[depth + 1 :]))
    return shared - own


def _parameter_files(arguments: Sequence[str]) -> Iterator[Path]:
    of_ros = False
    for argument, following in zip(arguments, [*arguments[1:], ""], strict=True):
        if argument == "--ros-args":
            of_ros = True
        elif argument == "--":
            of_ros = False
        elif of_ros and argument == "--params-file":
            yield Path(following)


def _content(file: Path) -> Any:
    try:
        return yaml.load(file.read_text(), yaml.BaseLoader)  # launch writes tags of Python
    except (OSError, ValueError, yaml.YAMLError):
        return None


def _paths(content: Any, keys: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The keys of every value, from the outermost; namespaces and parameters may be nested."""
    if not isinstance(content, Mapping):
        yield keys
        return
    for key, value in content.items():
        yield from _paths(value, (*keys, key))
