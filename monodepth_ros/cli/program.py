"""The console script ``monodepth``. Signals are handled before the imports."""

from __future__ import annotations

import importlib

from monodepth_ros.interruption import ended_by_signals


def monodepth() -> None:
    """Entry point of ``monodepth``."""
    with ended_by_signals():
        app = importlib.import_module("monodepth_ros.cli.app")
    app.main()
