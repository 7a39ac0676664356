"""A function of many items in processes of their own, which may die and end with this one."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True)
class Ended:
    """A process that ended without a result; ``reason`` says how."""

    reason: str


def in_processes(
    function: Callable[[T], R], items: Iterable[T], jobs: int
) -> Generator[R | Ended, None, None]:
    """``function`` of each item, ``jobs`` at a time, in the order of the items.

    Function, items and results are pickled. Whatever ends this generator ends the processes.
    """
    context, running = multiprocessing.get_context("spawn"), set[BaseProcess]()
    stopped = threading.Event()

    def run(item: T) -> R | Ended:
        receiving, sending = context.Pipe(duplex=False)
        process = context.Process(target=_work, args=(sending, function, item))
        process.start()
        running.add(process)
        if stopped.is_set():
            process.terminate()
        sending.close()
        try:
            result: R | Ended = receiving.recv()
        except EOFError:
            process.join()
            code = process.exitcode or 0
            how = f"status {code}" if code >= 0 else f"signal {signal.Signals(-code).name}"
            result = Ended(f"its process was ended by {how}")
        process.join()
        running.discard(process)
        return result

    pool = ThreadPoolExecutor(jobs)
    results = [pool.submit(run, item) for item in items]
    try:
        for result in results:
            yield result.result()
    finally:
        stopped.set()
        for process in list(running):
            process.terminate()
        pool.shutdown(cancel_futures=True)


def _work(sending: Connection, function: Callable[[T], R], item: T) -> None:
    """In the new process: a Ctrl-C is for the first one, whose end is the end of this one."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    assert parent is not None
    end = threading.Thread(target=lambda: (wait([parent.sentinel]), os._exit(1)), daemon=True)
    end.start()
    sending.send(function(item))
