"""Work that overlaps: reading, computing and writing at the same time, results in their order.

Decoding, encoding and most of NumPy release the interpreter's lock, so threads do. What waits is
bounded, however many items there are.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import repeat
from typing import Any, TypeVar

from monodepth_ros.process_share import cores

T = TypeVar("T")
R = TypeVar("R")

_END: Any = object()


def in_threads(
    function: Callable[[T], R], items: Iterable[T], threads: int = 0, ahead: int = 0
) -> Generator[R, None, None]:
    """``function`` of each item, in the order of the items.

    ``threads`` work, by default two more than cores, for some wait for the disk, and 8 at most. Up
    to ``ahead`` items, by default as many, are begun before the first is asked for. The items are
    taken in the caller's thread. An error of the function or of the items is raised in its turn
    and ends the work; so does closing the generator.
    """
    threads = threads or min(8, 2 + cores())
    waiting: deque[Future[R]] = deque()
    pool = ThreadPoolExecutor(threads)
    try:
        for item in items:
            waiting.append(pool.submit(function, item))
            while waiting and (waiting[0].done() or len(waiting) > (ahead or threads)):
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def in_background(items: Iterable[T], ahead: int = 4) -> Generator[T, None, None]:
    """The items, taken in a thread of their own, up to ``ahead`` before they are asked for."""
    iterator = iter(items)
    for item in in_threads(lambda _: next(iterator, _END), repeat(None), 1, ahead):
        if item is _END:
            return
        yield item
