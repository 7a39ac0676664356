"""Makes exports in a process of its own, so that whoever needs them never imports torch.

``python -m monodepth_ros.inference.export.make REQUEST`` with a JSON object: the ``folder`` of the
model, the folder ``into`` which files go, what they are called after (``name``), and the ``kinds``.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from monodepth_ros.errors import UserError
from monodepth_ros.inference.export.kind import ExportKind


def make_export(folder: Path, into: Path, name: str, kind: ExportKind) -> None:
    """Write one export and its proof; files of these names are replaced."""
    from monodepth_ros.inference.export.write import load_graph, make_proof, write_export

    graph = load_graph(folder, kind.network, kind.size)
    make_proof(graph, kind.size).save(into / kind.proof(name))
    write_export(graph, kind, into / kind.file(name))


def main() -> None:
    """Do what the argument asks for; an error is one line and status 2."""
    request = json.loads(sys.argv[1])
    folder, into = Path(request["folder"]), Path(request["into"])
    try:
        for kind in request["kinds"]:
            kind = ExportKind(**{**kind, "size": tuple(kind["size"])})
            make_export(folder, into, request["name"], kind)
    except UserError as error:
        print(error, file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
