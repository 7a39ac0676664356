"""The engines by name, and how a model is loaded into one."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module
from importlib.util import find_spec

from monodepth_ros.data.notes import print_once
from monodepth_ros.errors import UserError
from monodepth_ros.inference.engines.agreement import TOLERANCE
from monodepth_ros.inference.engines.base import Engine
from monodepth_ros.inference.engines.choice import Job, choose, told
from monodepth_ros.inference.engines.machine import has_gpu
from monodepth_ros.inference.engines.short_check import short_check
from monodepth_ros.process_share import cores, processes_here
from monodepth_ros.zoo.card import ModelCard, NetworkPart, check_size, load_card
from monodepth_ros.zoo.catalogue import resolve
from monodepth_ros.zoo.size import parse_size

# Name: module and class, imported when the engine is asked for. An engine that needs more than the
# package itself is called as its library and as the extra that installs it.
ENGINES: dict[str, str] = {
    "torch": "monodepth_ros.inference.engines.torch:TorchEngine",
    "openvino": "monodepth_ros.inference.engines.openvino:OpenVinoEngine",
    "onnxruntime": "monodepth_ros.inference.engines.onnxruntime:OnnxRuntimeEngine",
    "torch-graphs": "monodepth_ros.inference.engines.torch_faster:GraphedTorchEngine",
    "torch-compiled": "monodepth_ros.inference.engines.torch_faster:CompiledTorchEngine",
}


def load_engine(
    model: str | os.PathLike[str] | Engine,
    engine: str = "auto",
    device: str = "auto",
    precision: str = "fp32",
    size: tuple[int, int] | None = None,
    threads: int = 0,
    checked: Sequence[NetworkPart] = (),
    former: Engine | None = None,
) -> Engine:
    """Load a model; one that is loaded already is given back as it is.

    Args:
        model: a name in the zoo, or the path of a model folder.
        engine: a name in ``ENGINES``, or ``auto``: what `choice.choose` finds fastest here.
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
        precision: of the networks alone: ``fp32``, ``bf16``, ``fp16``, ``int8``, or ``auto``.
        size: (height, width) at which the networks run; the card's by default.
        threads: of the CPU; 0 is one for each core that torchrun's other processes leave.
        checked: the networks that have to pass the `short_check`, else :class:`UserError`.
        former: in use until now. What ``auto`` chose for it serves a model that differs in weights
            alone, if that passes the check; measuring would disturb a robot at work.
    """
    if not isinstance(model, (str, os.PathLike)):
        return model
    threads = threads or (cores() if processes_here() > 1 else 0)
    folder = resolve(model)
    card = load_card(folder)
    _check_names(engine, precision)
    engine, precision = told(engine, precision, list(ENGINES))
    card = at_size(card, size)
    job = Job(str(folder), device, card.usual_size, threads)
    if former is not None and former.chosen and _differ_in_weights(former, card, job):
        with suppress(UserError):
            name = former.describe()["engine"]
            loaded = load_engine(folder, name, device, former.precision, job.size, threads, checked)
            loaded.chosen = former.chosen
            return loaded
    chosen, reason = choose(job, card, engine, precision, _installed())
    kind = _engine_class(chosen.engine)
    loaded = kind.load(folder, card, device, chosen.precision, job.size, threads)
    loaded.chosen = reason
    if checked and (difference := short_check(loaded, folder, checked)):
        raise UserError(f"model {card.name} on {chosen}: {difference}")
    return loaded


def _differ_in_weights(former: Engine, card: ModelCard, job: Job) -> bool:
    return (former.card.architecture, former.size) == (card.architecture, job.size)


def _installed() -> list[str]:
    """The engines that `auto` may take: called as a library that is there; none is loaded.

    Compiling takes a minute at every start, so that is left to those who name it.
    """
    left_out = {"torch-compiled"} | (set() if has_gpu() else {"torch-graphs"})
    names = [name for name in ENGINES if name not in left_out]
    return [name for name in names if find_spec(name.partition("-")[0]) is not None]


def _check_names(engine: str, precision: str) -> None:
    for what, name, known in (("engine", engine, ENGINES), ("precision", precision, TOLERANCE)):
        if name != "auto" and name not in known:
            raise UserError(f"{what} {name!r}: use {', '.join(['auto', *known])}")


def _engine_class(name: str) -> type[Engine]:
    """UserError for an engine that is not installed."""
    module, _, attribute = ENGINES[name].partition(":")
    try:
        found: type[Engine] = getattr(import_module(module), attribute)
        return found
    except ModuleNotFoundError as error:
        raise UserError(
            f"engine {name} needs {error.name}, which is not installed:"
            f" pip install 'monodepth_ros[{name}]'"
        ) from None


def at_size(card: ModelCard, size: tuple[int, int] | None) -> ModelCard:
    """The same card with the chosen (height, width), None for its own.

    Where the card has a rule for sides, they are rounded by it. A :class:`UserError` where the
    network cannot work at that size.
    """
    if size is None:
        return card
    if card.resize is not None and (taken := card.resize.rounded(size)) != size:
        print_once(f"{card.name}: size {_told(size)} is rounded to {_told(taken)}, its next one")
        size = taken
    try:
        check_size(card.architecture, parse_size(size), card.size_multiple)
    except ValueError as error:
        raise UserError(f"network size {error}") from None
    return card.model_copy(update={"size": size})


def _told(size: tuple[int, int]) -> str:
    return f"{size[1]}x{size[0]}"
