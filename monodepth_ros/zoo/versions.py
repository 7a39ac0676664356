"""Versions of a model under one name: a new one takes its place at once, the former one stays.

The name is a symbolic link in a folder of models, ``tuned -> tuned_20260102_030405``. Each version
notes which one it followed, so the link is all that changes, in one rename.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from monodepth_ros.atomic_file import flush
from monodepth_ros.errors import UserError
from monodepth_ros.zoo.card import CARD_FILE, load_card

_FORMER = "former.txt"  # in a version's folder: the version before, or the model it began with


class ModelVersions:
    """The versions called ``name`` in ``folder``; before the first one there is ``base``."""

    def __init__(self, folder: Path, name: str, base: str) -> None:
        self.link = folder / name
        self.base = base
        if self.link.exists() and not self.link.is_symlink():
            raise UserError(f"{self.link}: is a model of its own, not a link to versions of one")

    @property
    def version(self) -> Path | None:
        """The folder of the version in use; None before the first one."""
        if not (self.link / CARD_FILE).is_file():
            return None
        return self.link.resolve()

    @property
    def model(self) -> str:
        """What to load: the version in use, else the base."""
        return self.base if self.version is None else str(self.link)

    def adopt(self, model: Path) -> Path:
        """Copy ``model`` beside the link, under its own name, and use it from now on.

        Adopting one that stands there already only moves the link, so that what was interrupted can
        be repeated. UserError where another model of that name stands there.
        """
        version = self.link.parent / model.name
        if version == self.link:
            raise UserError(f"{model}: a version cannot have the name of the link to it")
        there = (version / CARD_FILE).is_file()
        if there and load_card(version).files != load_card(model).files:
            raise UserError(f"{version}: another model of that name is there already")
        if version == self.version:
            return version
        if not there:
            partial = version.with_name(f".{version.name}.partial")
            shutil.rmtree(partial, ignore_errors=True)
            shutil.copytree(model, partial)
            former = self.version
            (partial / _FORMER).write_text("" if former is None else former.name)
            for file in partial.iterdir():
                flush(file)
            flush(partial)
            os.replace(partial, version)
        self._point_to(version)
        return version

    def roll_back(self) -> str:
        """Use the version before the present one again, or the base; return what to load."""
        version = self.version
        if version is None:
            raise UserError(f"{self.base} is in use, no version came after it")
        note = version / _FORMER
        former = note.read_text().strip() if note.is_file() else ""
        if not former:
            self.link.unlink()
            flush(self.link.parent)
            return self.base
        if not (self.link.parent / former / CARD_FILE).is_file():
            raise UserError(f"{self.link.parent / former}: the version before is gone")
        self._point_to(self.link.parent / former)
        return str(self.link)

    def _point_to(self, version: Path) -> None:
        temporary = self.link.with_name(f".{self.link.name}.link")
        temporary.unlink(missing_ok=True)
        temporary.symlink_to(version.name)
        os.replace(temporary, self.link)
        flush(self.link.parent)
