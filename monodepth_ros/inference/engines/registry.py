"""The engines by name, and how a model is loaded into one."""

from __future__ import annotations

import os
from importlib import import_module

from monodepth_ros.errors import UserError
from monodepth_ros.inference.engines.base import Engine
from monodepth_ros.zoo.card import ModelCard, check_size, load_card, parse_size
from monodepth_ros.zoo.catalogue import resolve

# Name: module and class, imported when the engine is asked for. An engine that needs more than the
# package itself is called as the extra that installs it. `auto` takes the first that is installed.
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
) -> Engine:
    """Load a model; one that is loaded already is given back as it is.

    Args:
        model: a name in the zoo, or the path of a model folder.
        engine: ``auto``, or a name in ``ENGINES``.
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
        precision: of the networks alone: ``fp32``, ``fp16`` or ``bf16``.
        size: (height, width) at which the networks run; the card's by default.
        threads: of the CPU; 0 is one for each core.
    """
    if not isinstance(model, (str, os.PathLike)):
        return model
    folder = resolve(model)
    card = load_card(folder)
    kind = _engine_class(engine)
    return kind.load(folder, card, device, precision, network_size(card, size), threads)


def _engine_class(name: str) -> type[Engine]:
    """UserError for a name that nobody knows, or for an engine that is not installed."""
    if name != "auto" and name not in ENGINES:
        raise UserError(f"engine {name!r}: use {', '.join(['auto', *ENGINES])}")
    problems = []
    for candidate in ENGINES if name == "auto" else (name,):
        module, _, attribute = ENGINES[candidate].partition(":")
        try:
            found: type[Engine] = getattr(import_module(module), attribute)
            return found
        except ModuleNotFoundError as error:
            problems.append(
                f"engine {candidate} needs {error.name}, which is not installed:"
                f" pip install 'monodepth_ros[{candidate}]'"
            )
    raise UserError("; ".join(problems))


def network_size(card: ModelCard, size: tuple[int, int] | None) -> tuple[int, int]:
    """The chosen (height, width) or the card's; a :class:`UserError` when it does not fit."""
    if size is None:
        return card.size
    try:
        check_size(card.architecture, parse_size(size), card.size_multiple)
        return size
    except ValueError as error:
        raise UserError(f"network size {error}") from None
