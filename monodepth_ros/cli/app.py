"""The ``monodepth`` command: finds the sub-command that runs, and ends with 0, 1 or 2."""

from __future__ import annotations

import importlib
import io
import sys
import traceback
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from monodepth_ros.errors import Failure, UserError
from monodepth_ros.interruption import ended_by_signals, interruptible

# Sub-command -> its line in the help. It is the function or the typer app of its name in the module
# of its name. Only the command that runs is imported: torch alone takes seconds to load.
COMMANDS = {
    "demo": "Run the nodes on an example.",
    "predict": "Estimate depth of images and videos.",
    "synth": "Render a synthetic sequence with ground truth.",
    "replay": "Run depth and odometry offline and write a report.",
    "extract": "Extract bags, videos and images to sequence folders.",
    "train": "Train by a recipe.",
    "tune": "Tune a model to recordings and validate it.",
    "calibrate": "Give a model metres by recordings with depth or poses.",
    "evaluate": "Evaluate depth, odometry or scale.",
    "models": "List, inspect, import, export and check models.",
}

SUCCESS, FAILED, WRONG_USE, INTERRUPTED = 0, 1, 2, 130


def load_command(name: str) -> Any:
    """The command called ``name``, its module imported now."""
    with ended_by_signals():
        target = getattr(importlib.import_module(f"monodepth_ros.cli.{name}"), name)
    if not isinstance(target, typer.Typer):
        function = target
        target = typer.Typer(add_completion=False)
        target.command(name)(function)
    return typer.main.get_command(target)


class LazyGroup(TyperGroup):
    """A group whose help knows every sub-command, but which imports only the one that runs."""

    debug = False

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        for name, summary in COMMANDS.items():
            self.commands[name] = TyperCommand(name, help=summary)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Replace the placeholder of the command that runs by the command itself."""
        name, command, rest = super().resolve_command(ctx, args)
        return name, load_command(name) if name in COMMANDS else command, rest

    def invoke(self, ctx: Any) -> Any:
        """Remember ``--debug`` for :meth:`main`, which has no context, then run."""
        self.debug = ctx.params["debug"]
        try:
            with interruptible():
                return super().invoke(ctx)
        except KeyboardInterrupt:
            print("monodepth: interrupted", file=sys.stderr)
            sys.exit(INTERRUPTED)

    def main(self, *args: Any, **options: Any) -> Any:
        """Run; an error becomes one line and a status: 2 for a :class:`UserError`, else 1."""
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, io.TextIOWrapper):
                stream.reconfigure(errors="backslashreplace")  # file names may be of any bytes
        try:
            return super().main(*args, **options)
        except UserError as error:
            self._report(error, str(error))
            sys.exit(WRONG_USE)
        except Failure as error:
            self._report(error, str(error))
            sys.exit(FAILED)
        except Exception as error:
            self._report(error, f"{type(error).__name__}: {error} (--debug shows where)")
            sys.exit(FAILED)

    def _report(self, error: Exception, message: str) -> None:
        if self.debug:
            traceback.print_exception(error)
        print("monodepth:", " ".join(message.split()), file=sys.stderr)


app = typer.Typer(cls=LazyGroup, no_args_is_help=True)


@app.callback()
def monodepth(
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
) -> None:
    """Depth and motion from one camera: predict, train, evaluate.

    The exit status is 0 for success, 1 for a failure, 2 for wrong usage.
    """


def main() -> None:
    """Entry point of the ``monodepth`` command."""
    typer.main.get_command(app)(prog_name="monodepth")


if __name__ == "__main__":
    main()
