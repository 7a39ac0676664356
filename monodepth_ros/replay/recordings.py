"""Replays of recordings by one model: of one, or of many that processes share."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

from monodepth_ros.atomic_file import flush
from monodepth_ros.data.cameras.capture_settings import CaptureSettings
from monodepth_ros.data.coverage import never_found
from monodepth_ros.data.extraction.request import ExtractionRequest
from monodepth_ros.errors import Failure, UserError
from monodepth_ros.evaluation.report_files import finite, write_json
from monodepth_ros.inference.background import Background
from monodepth_ros.inference.engines.base import Engine
from monodepth_ros.inference.odometry.tracker_settings import settings_for_step
from monodepth_ros.inference.scale.recorded import RecordedSource
from monodepth_ros.progress import frame_progress, plain_console
from monodepth_ros.replay.record import ReplayRecord
from monodepth_ros.replay.run import ReplayRun
from monodepth_ros.replay.source import open_source, state_of_source
from monodepth_ros.shared_work import SharedWork, key_of


@dataclass(frozen=True)
class Replays:
    """What the replays of a command have in common; ``engine`` loads the model.

    ``asked`` are the options that decide what the engine computes.
    """

    engine: Callable[[], Engine]
    asked: tuple[object, ...]
    request: ExtractionRequest
    capture: CaptureSettings
    method: str  # that measures the motions
    background: Background
    bars: bool
    scale_source: RecordedSource | None = None

    def one(self, path: str, out: Path) -> tuple[dict[str, object], list[str]]:
        """Replay a recording into ``out``: what its metrics.json holds, and the account.

        Failure where no frame could be replayed, or nothing was found of truth that was asked for.
        """
        record = ReplayRecord()
        with open_source(path, self.request, self.capture, record) as source:
            for other in source.others:
                print(f"{path}: not replayed: {other}", file=sys.stderr)
            tracking, note = settings_for_step(source.step)
            if note is not None:
                print(note, file=sys.stderr)
                record.problems.append(note)
            run = ReplayRun(
                self.engine(),
                tracking,
                out,
                record,
                self.method,
                self.background,
                self.scale_source,
            )
            with (
                frame_progress(plain_console(), disable=not self.bars) as progress,
                closing(run.take_all(source.frames)) as frames,
            ):
                for _ in progress.track(frames, source.total, description="replay"):
                    pass
            record.problems += dict.fromkeys(source.problems)
        if not record.frames:
            why = dict(record.left_out)
            raise Failure(f"{path}: no frame could be replayed: {why}")
        summary = run.finish(source)
        if lines := never_found(record.coverage.values()):
            raise ReplayedWithoutTruth(f"{path}: {'; '.join(lines)}", summary, record.account())
        return summary, record.account()

    def many(self, paths: Sequence[str], out: Path) -> dict[str, dict[str, Any]] | None:
        """Replay each into a folder of its own below ``out``; by its name, what came of it.

        That is ``metrics``, ``account`` and ``error``, as JSON holds it. None in a process that
        does not join the results. UserError where ``out`` holds anything else.
        """
        folder = out / f".replay-{key_of(self.asked, str(self.request), str(self.capture))[:12]}"
        if out.is_file() or (out.is_dir() and any(out.iterdir()) and not folder.is_dir()):
            raise UserError(f"--out {out}: holds something else; name a new folder")
        work = SharedWork(folder, "recordings")
        named = dict(zip(_names(paths), paths, strict=True))
        parts = {
            key_of(name, path, state_of_source(path)): (name, path) for name, path in named.items()
        }

        def replayed(todo: list[tuple[str, str]]) -> Iterator[dict[str, Any]]:
            for name, path in todo:
                yield self._into_folder(path, out / name)

        found = work.results(parts, replayed, lambda _: 1, lambda result: result["error"] is None)
        if found is None:
            return None
        results = dict(zip(named, found, strict=True))
        write_json(out / "replays.json", {name: r["metrics"] for name, r in results.items()})
        return results

    def _into_folder(self, path: str, folder: Path) -> dict[str, Any]:
        """The report whole or not at all; an error is a result, for the others may be good."""
        partial = folder.with_name(f".{folder.name}.partial")
        shutil.rmtree(partial, ignore_errors=True)
        metrics: dict[str, object] = {}
        account: list[str] = []
        error = None
        try:
            metrics, account = self.one(path, partial)
        except ReplayedWithoutTruth as found:
            metrics, account, error = found.metrics, found.account, str(found)
        except (UserError, Failure) as why:
            shutil.rmtree(partial, ignore_errors=True)
            error = str(why)
        if metrics:
            shutil.rmtree(folder, ignore_errors=True)  # an earlier report of the same command
            partial.rename(folder)
            flush(folder.parent)
        return {"metrics": finite(metrics), "account": account, "error": error}


class ReplayedWithoutTruth(Failure):
    """The report is written, but truth that was asked for was found nowhere."""

    def __init__(self, message: str, metrics: dict[str, object], account: list[str]) -> None:
        super().__init__(message)
        self.metrics, self.account = metrics, account


def _names(paths: Sequence[str]) -> list[str]:
    """The name of each report's folder: the recording's, told apart by numbers."""
    names: list[str] = []
    for path in paths:
        name = Path(path).name
        tried = (name if number == 1 else f"{name}-{number}" for number in count(1))
        names.append(next(candidate for candidate in tried if candidate not in names))
    return names
