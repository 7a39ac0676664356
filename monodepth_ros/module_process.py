"""A module of this package as a process of its own."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import monodepth_ros


def module_process(module: str, request: dict[str, Any]) -> dict[str, Any]:
    """``args`` and ``env`` of `subprocess` that run ``module``, a request as its argument.

    It is found where this package lies, installed or not.
    """
    package = Path(str(monodepth_ros.__file__)).parent
    paths = filter(None, (str(package.parent), os.environ.get("PYTHONPATH")))
    return {
        "args": [sys.executable, "-m", module, json.dumps(request)],
        "env": {**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
    }
