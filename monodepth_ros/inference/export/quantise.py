"""int8 networks by post-training quantisation on the user's own frames, by OpenVINO and NNCF.

Depth alone: a pose network stays as it is, because odometry adds up the errors of its motions.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

from monodepth_ros.atomic_file import atomic_path
from monodepth_ros.errors import Failure, UserError
from monodepth_ros.inference.engines.agreement import Agreement, compare
from monodepth_ros.inference.engines.base import Engine, Rgb, depth_and_variance
from monodepth_ros.inference.engines.registry import load_engine
from monodepth_ros.inference.export.cached import ensure_exports
from monodepth_ros.inference.export.kind import ExportKind
from monodepth_ros.inference.export.model_folder import export_model
from monodepth_ros.inference.export.proof import Proof
from monodepth_ros.zoo.card import Export, load_card, save_card
from monodepth_ros.zoo.weight_files import file_sha256

_MAKERS = ("torch", "onnx", "openvino", "nncf")
_CALIBRATION = 100  # frames, evenly spaced


def quantise(
    folder: Path, out: Path, frames: Sequence[tuple[str, Rgb]], say: Callable[[str], None]
) -> Agreement:
    """Write the model of ``folder`` with an int8 depth network to ``out``; how near torch it is.

    ``frames`` are named uint8 HxWx3 images in their order. The middle fifth is held out, to compare
    with torch in fp32: :class:`Failure` where the network differs too much, and ``out`` stays as it
    was.
    """
    missing = [name for name in _MAKERS if find_spec(name) is None]
    if missing:
        extra = "pip install 'monodepth_ros[quantise]'"
        raise UserError(f"quantising needs {', '.join(missing)}, which is not installed: {extra}")
    from monodepth_ros.inference.export.quantisation_search import search

    if len(frames) < 20:
        raise UserError(f"{len(frames)} frames are too few to quantise on: 20 are the least")
    first, behind = 2 * len(frames) // 5, 3 * len(frames) // 5
    held_out = frames[first:behind]
    seen = [*frames[:first], *frames[behind:]]
    card = load_card(folder)
    size = card.size_for(frames[0][1].shape[:2])
    kind = ExportKind("openvino", "depth", size, "int8")
    exact = load_engine(folder, "torch", "cpu", "fp32", size)
    images = [
        exact.prepare(rgb[None]).pixels() for _, rgb in seen[:: -(-len(seen) // _CALIBRATION)]
    ]
    expected = [exact.inverse_depth(exact.prepare(image)) for image in images]
    (source,) = ensure_exports(folder, card, [ExportKind("onnx", "depth", size)])
    with TemporaryDirectory() as temporary:
        trial = Path(temporary)
        export_model(folder, trial, [])
        files = search(source, images, expected, say, card.ambiguity)
        _add(trial, kind, files, _proof(exact, [rgb for _, rgb in held_out]))
        found = compare(load_engine(trial, "openvino", "cpu", "int8", size), exact, held_out)
        if found.refusal:
            raise Failure(f"{card.name} in int8 on {len(held_out)} frames: {found.refusal}")
        export_model(folder, out, [])
        _add(out, kind, files, _proof(exact, [rgb for _, rgb in held_out]))
    return found


def _proof(exact: Engine, held_out: Sequence[Rgb]) -> Proof:
    """Of frames like those of its use: drawn images are unlike what it was made for."""
    import numpy as np

    frames = exact.prepare(np.stack([held_out[0], held_out[len(held_out) // 2]]))
    later = exact.prepare(np.stack([held_out[1], held_out[len(held_out) // 2 + 1]]))
    return Proof(frames.pixels(), later.pixels(), *depth_and_variance(exact, frames))


def _add(out: Path, kind: ExportKind, files: tuple[bytes, bytes], proof: Proof) -> None:
    """The network, its weights and its proof into the model folder ``out``, and onto its card."""
    card = load_card(out)
    names = kind.files(card.name)
    for name, content in zip(names, files, strict=False):
        with atomic_path(out / name) as temporary:
            temporary.write_bytes(content)
    proof.save(out / kind.proof(card.name))
    entry = Export(
        format=kind.format,
        network=kind.network,
        size=kind.size,
        precision=kind.precision,
        file=kind.file(card.name),
        proof=kind.proof(card.name),
        files={name: file_sha256(out / name) for name in names},
        made_with={package: version(package) for package in _MAKERS},
    )
    kept = [one for one in card.exports if ExportKind.of(one) != kind]
    save_card(out, card.model_copy(update={"exports": [*kept, entry]}))
