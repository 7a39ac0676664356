"""The console script ``monodepth``. Signals are handled before the imports."""

from __future__ import annotations

import importlib

from monodepth_ros.interruption import end_by_signals


def monodepth() -> None:
    """Entry point of ``monodepth``."""
    end_by_signals()
    importlib.import_module("monodepth_ros.cli.app").main()
