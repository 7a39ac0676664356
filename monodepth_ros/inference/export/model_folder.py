"""A model folder with exported networks: complete, also for machines without torch."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

from monodepth_ros.atomic_file import atomic_path
from monodepth_ros.errors import UserError
from monodepth_ros.inference.export.cached import MAKERS, check_makers
from monodepth_ros.inference.export.kind import ExportKind
from monodepth_ros.inference.export.make import make_export
from monodepth_ros.zoo.card import CARD_FILE, Export, ModelCard, load_card, save_card
from monodepth_ros.zoo.weight_files import file_sha256, networks_in


def export_model(folder: Path, out: Path, kinds: list[ExportKind]) -> list[Export]:
    """Write the model of ``folder`` with exports of these kinds to ``out``; return their entries.

    ``out`` may be ``folder`` itself, or hold the same weights and other exports, which stay.
    :class:`UserError` where it holds another model.
    """
    card = load_card(folder)
    check_makers(card, kinds)
    target = _card_for(card, out)
    for name in card.files:
        if not (out / name).exists():
            with atomic_path(out / name) as temporary:
                temporary.write_bytes((folder / name).read_bytes())
    networks_in(out, target)  # are they whole?
    entries = [_export(folder, out, card.name, kind) for kind in kinds]
    kept = [entry for entry in target.exports if ExportKind.of(entry) not in kinds]
    save_card(out, target.model_copy(update={"exports": [*kept, *entries]}))
    return entries


def _card_for(card: ModelCard, out: Path) -> ModelCard:
    """The card that ``out`` has already, or is to have."""
    if not (out / CARD_FILE).exists():
        values = {**card.model_dump(), "name": out.name, "exports": []}
        return ModelCard.model_validate(values)
    present = load_card(out)
    if present.files != card.files:
        raise UserError(f"{out}: holds other weights than {card.name}; choose another --out")
    return present


def _export(folder: Path, out: Path, name: str, kind: ExportKind) -> Export:
    make_export(folder, out, name, kind)
    return Export(
        format=kind.format,
        network=kind.network,
        size=kind.size,
        precision=kind.precision,
        file=kind.file(name),
        proof=kind.proof(name),
        files={file: file_sha256(out / file) for file in kind.files(name)},
        made_with={package: version(package) for package in MAKERS[kind.format]},
    )
