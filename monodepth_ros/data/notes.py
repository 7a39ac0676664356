"""Notes for the user about opened recordings, on stderr."""

from __future__ import annotations

import functools
import sys


@functools.cache
def print_once(line: str) -> None:
    """Print ``line`` once per process: a tuning opens the same recording several times."""
    print(line, file=sys.stderr)
