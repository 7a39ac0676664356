"""Compiling the arithmetic of the objectives."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import torch

# Each size of a multi-scale loss, with and without gradients of depth, in training and in
# validation: more kinds of calls than the default of 8, beyond which nothing is fused.
KINDS_OF_CALLS = 64


@cache
def compiled_once(function: Callable[..., Any]) -> Callable[..., Any]:
    """``function`` fused by torch.compile; one compilation for all who ask.

    It happens at the first call, takes some seconds, and on a CPU needs a C++ compiler.
    """
    limits = torch._dynamo.config
    # The name of older versions, and an alias in newer ones.
    limits.cache_size_limit = max(KINDS_OF_CALLS, limits.cache_size_limit)
    return torch.compile(function)
