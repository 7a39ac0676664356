"""Compiling the arithmetic of the objectives."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import torch


@cache
def compiled_once(function: Callable[..., Any]) -> Callable[..., Any]:
    """``function`` fused by torch.compile; one compilation for all who ask.

    It happens at the first call, takes some seconds, and on a CPU needs a C++ compiler.
    """
    return torch.compile(function)
