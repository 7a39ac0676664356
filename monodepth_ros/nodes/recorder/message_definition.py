"""Message definitions for bags, made from the Python classes of the messages."""

from __future__ import annotations

import importlib
import re
from typing import Any

# Type names of IDL, which the classes have, to those of .msg files.
_PRIMITIVES = {
    "boolean": "bool",
    "octet": "byte",
    "float": "float32",
    "double": "float64",
    "long double": "float64",
}
_SEPARATOR = "=" * 80


def message_class(kind: str) -> Any:
    """The class of ``package/msg/Name``; ImportError or AttributeError if it is missing."""
    package, folder, name = kind.split("/")
    return getattr(importlib.import_module(f"{package}.{folder}"), name)


def message_definition(kind: str) -> str:
    """The definition as rosbag2 stores it: the fields of the type, then those of its nested types.

    Constants and comments are missing, because the classes do not have them.
    """
    parts, seen, waiting = [], {kind}, [kind]
    while waiting:
        current = waiting.pop(0)
        lines = []
        for name, field in message_class(current).get_fields_and_field_types().items():
            base, array = _split(field)
            if "/" in base:
                package, _, short = base.rpartition("/")
                nested = f"{package.split('/')[0]}/msg/{short}"
                if nested not in seen:
                    seen.add(nested)
                    waiting.append(nested)
            lines.append(f"{_PRIMITIVES.get(base, base)}{array} {name}")
        package, _, name = current.split("/")
        head = "" if current == kind else f"{_SEPARATOR}\nMSG: {package}/{name}\n"
        parts.append(head + "\n".join(lines))
    return "\n".join(parts) + "\n"


def _split(field: str) -> tuple[str, str]:
    """The element type and the brackets of a field, for example of ``sequence<double, 3>``."""
    sequence = re.fullmatch(r"sequence<(.+?)(?:, (\d+))?>", field)
    if sequence:
        bound = sequence.group(2)
        return _plain(sequence.group(1)), f"[<={bound}]" if bound else "[]"
    array = re.fullmatch(r"(.+)\[(\d+)\]", field)
    if array:
        return _plain(array.group(1)), f"[{array.group(2)}]"
    return _plain(field), ""


def _plain(base: str) -> str:
    """A bounded string as .msg files write it."""
    return re.sub(r"^(w?string)<(\d+)>$", r"\1<=\2", base)
