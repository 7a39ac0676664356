"""A DDS domain for a test alone, among all tests that run on this machine at once."""

from __future__ import annotations

import fcntl
import itertools
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# The ports of higher ones are among those that Linux gives to any socket.
_COUNT = 100
# From one on that others are unlikely to hold, and never the one of the test before.
_next = itertools.count(os.getpid() * 37)


@contextmanager
def own_domain() -> Iterator[int]:
    """Hold a domain's number, from 1 to 100: the lock on its file goes with the process."""
    folder = Path(tempfile.gettempdir()) / f"monodepth_ros_domains_{os.getuid()}"
    folder.mkdir(exist_ok=True)
    for number in itertools.islice(_next, 10 * _COUNT):
        domain = 1 + number % _COUNT
        with (folder / str(domain)).open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            yield domain
            return
    raise RuntimeError(f"all {_COUNT} DDS domains are in use: see {folder}")
