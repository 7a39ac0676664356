"""Contenders in processes of their own that measure when it is their turn.

One process each, so that neither memory nor threads nor libraries of one reach another; all stay
loaded and take short turns, so that whatever else the machine does meets all alike.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

Answer = dict[str, Any]
Handler = Callable[[Answer], Answer]


class Contender:
    """A program of this folder that answers questions: lines of JSON both ways."""

    def __init__(self, program: str, request: Answer, cores: set[int], threads: int) -> None:
        """``request`` is the first question; what it gave is in :attr:`ready`.

        The process runs on ``cores`` alone, with ``threads`` threads of its libraries.
        """
        environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
        self._process = subprocess.Popen(
            [sys.executable, str(Path(__file__).parent / program)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
            text=True,
            preexec_fn=lambda: os.sched_setaffinity(0, cores),
        )
        self.ready = self.ask(request)

    def ask(self, question: Answer) -> Answer:
        """The answer; SystemExit where the process has ended or refuses."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(json.dumps(question) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        answer = json.loads(line) if line else {"refused": "it ended, see above"}
        if "refused" in answer:
            self.close()
            raise Refused(answer["refused"])
        return dict(answer)

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.wait()


class Refused(Exception):
    """A contender cannot do what it is asked to, and says why."""


def serve(build: Callable[[Answer], tuple[Answer, Handler]]) -> None:
    """What a contender's program does: ``build`` by the first question, then answer the others.

    Libraries may print: only answers go to the standard output.
    """
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    handler: Handler | None = None
    for line in sys.stdin:
        try:
            if handler is None:
                answer, handler = build(json.loads(line))
            else:
                answer = handler(json.loads(line))
        except Exception as error:
            answer = {"refused": f"{type(error).__name__}: {error}"}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


def in_turns(
    contenders: Mapping[str, Contender], rounds: int, question: Answer
) -> dict[str, list[Answer]]:
    """Answers by name, one a round; every second round backwards, so that slow drifts cancel."""
    answers: dict[str, list[Answer]] = {name: [] for name in contenders}
    for number in range(rounds):
        for name in list(contenders)[:: 1 if number % 2 == 0 else -1]:
            answers[name].append(contenders[name].ask(question))
    return answers


def cores_for(threads: int) -> set[int]:
    """The last cores that this process may use: the first ones serve the rest of the machine."""
    return set(sorted(os.sched_getaffinity(0))[-threads:])
