"""What an extraction is of: which bag and which request.

The origin stands in sequence.yaml, so a folder says it from its first frame on.
"""

from __future__ import annotations

from dataclasses import asdict, fields, is_dataclass
from itertools import count
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from monodepth_ros.data.difference import difference
from monodepth_ros.data.layouts.sequence_folder import (
    ExtractionOrigin,
    is_sequence_folder,
    read_record,
)
from monodepth_ros.errors import UserError

FORMAT = 2  # raised when the same bag and the same request give other frames or other truth
_OPTIONS = {"image_format": "--format"}  # of `monodepth extract`, where the name is another


class Source(Protocol):
    """A bag, or the files of another recording."""

    path: Path
    problems: list[str]

    @property
    def fingerprint(self) -> str:
        """Another text when the content is another."""


def origin_of(bag: Source, topic: str, request: Any) -> ExtractionOrigin:
    """Of one camera of a bag, and a request: a dataclass. Which other cameras it names is left out.

    Values that are defaults are left out, so that a request of an older version, without an option
    that is new, stays the same request.
    """
    values = request_values(request)
    values.pop("images", None)
    return ExtractionOrigin(
        format=FORMAT,
        bag=str(bag.path.resolve()),
        fingerprint=bag.fingerprint,
        topic=topic,
        request=values,
    )


def request_values(request: Any) -> dict[str, Any]:
    """The values of a request that are not the default, as JSON holds them."""
    return {
        field.name: value
        for field in fields(request)
        if (value := _plain(getattr(request, field.name))) != _plain(field.default)
    }


def by_option(request: dict[str, Any]) -> dict[str, Any]:
    """The same by the options of commands."""
    return {
        _OPTIONS.get(key, f"--{key.replace('_', '-')}"): value for key, value in request.items()
    }


def own_folder(folder: Path, bag: Source, topic: str) -> Path:
    """``folder``, or ``folder_2`` and so on where that holds another recording."""
    source = (str(bag.path.resolve()), topic)
    for number in count(1):
        candidate = folder if number == 1 else folder.with_name(f"{folder.name}_{number}")
        if not is_sequence_folder(candidate):
            return candidate
        origin = read_record(candidate / "sequence.yaml").origin
        if origin is not None and (origin.bag, origin.topic) == source:
            return candidate
    raise AssertionError("unreachable")


def check_origin(folder: Path, origin: ExtractionOrigin) -> None:
    """Raise a UserError that says what differs where ``folder`` holds another sequence."""
    if not is_sequence_folder(folder):
        return
    former = read_record(folder / "sequence.yaml").origin
    if former is None:
        raise UserError(f"{folder}: holds a sequence that was not extracted; choose another folder")
    if former != origin:
        raise UserError(
            f"{folder}: holds another extraction: {_difference(former, origin)}; choose another"
            " --out, or remove the folder"
        )


def _difference(former: ExtractionOrigin, now: ExtractionOrigin) -> str:
    if (former.bag, former.topic) != (now.bag, now.topic):
        return f"it is of {former.topic} of {former.bag}"
    if former.fingerprint != now.fingerprint:
        return f"{now.bag} has changed since"
    changed = difference(by_option(former.request), by_option(now.request))
    return changed or "it was made by another version of this program"


def _plain(value: Any) -> Any:
    """As JSON and YAML hold it."""
    if is_dataclass(value) and not isinstance(value, type):
        return {key: _plain(part) for key, part in asdict(value).items()}
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, (tuple, list)):
        return [_plain(part) for part in value]
    return str(value) if isinstance(value, Path) else value
