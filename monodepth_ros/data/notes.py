"""What opening a recording tells its user, on stderr."""

from __future__ import annotations

import functools
import sys


@functools.cache
def tell_once(line: str) -> None:
    """Print ``line``, once in a process: a tuning opens the same recording several times."""
    print(line, file=sys.stderr)
