"""Which export: format, network, image size and precision; and what its files are called."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import cast

from monodepth_ros.errors import UserError
from monodepth_ros.zoo.card import Export, ExportFormat, ExportPrecision, ModelCard, NetworkPart
from monodepth_ros.zoo.weight_files import networks_in

_SUFFIXES: dict[ExportFormat, str] = {"onnx": ".onnx", "openvino": ".xml", "torch-export": ".pt2"}

_PRECISIONS = ("fp32", "fp16")  # int8 is made by quantisation


@dataclass(frozen=True)
class ExportKind:
    """``size`` is (height, width); a file called after ``model`` says what is in it."""

    format: ExportFormat
    network: NetworkPart
    size: tuple[int, int]
    precision: ExportPrecision = "fp32"

    @classmethod
    def of(cls, entry: Export) -> ExportKind:
        """What a card's entry is."""
        return cls(entry.format, entry.network, entry.size, entry.precision)

    def file(self, model: str) -> str:
        """What a runtime opens, such as ``demo-depth-192x128-fp32.onnx``."""
        return f"{self._name(model)}-{self.precision}{_SUFFIXES[self.format]}"

    def proof(self, model: str) -> str:
        """Such as ``demo-depth-192x128-proof.npz``: one for all formats and float precisions.

        That of int8 is of the frames for which it was made.
        """
        return f"{self._name(model)}{'-int8' if self.precision == 'int8' else ''}-proof.npz"

    def files(self, model: str) -> list[str]:
        """All that belong to it; an OpenVINO file has its weights beside it."""
        file = self.file(model)
        weights = [file.replace(".xml", ".bin")] if self.format == "openvino" else []
        return [file, *weights, self.proof(model)]

    def listed(self, card: ModelCard) -> Export | None:
        """The card's entry of this kind, if there is one."""
        return next((entry for entry in card.exports if ExportKind.of(entry) == self), None)

    def _name(self, model: str) -> str:
        height, width = self.size
        return f"{model}-{self.network}-{width}x{height}"


def export_kinds(
    folder: Path, card: ModelCard, format: str, size: tuple[int, int], precision: str
) -> list[ExportKind]:
    """Of each network that the model has; UserError for a format or precision that is none."""
    if format not in _SUFFIXES:
        raise UserError(f"format {format!r}: use {', '.join(_SUFFIXES)}")
    if precision not in _PRECISIONS:
        raise UserError(f"precision {precision!r}: use {', '.join(_PRECISIONS)}")
    return [
        ExportKind(
            format,
            network,
            size,
            cast(ExportPrecision, precision),
        )
        for network in networks_in(folder, card)
    ]
