"""Runs a script of the public Monodepth2 as its users start it, on a CPU too: a program.

    python common/reference_script.py CHECKOUT SPLITS SCRIPT ARGUMENT...

SCRIPT is ``test_simple`` or ``evaluate_depth``; SPLITS replaces its folder of that name (``-``
keeps it). Besides what `reference_monodepth2` changes: it moves to the GPU only where there is one.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import torch
from reference_monodepth2 import import_reference


def main() -> None:
    checkout, splits, script, *arguments = sys.argv[1:]
    sys.argv = [f"{script}.py", *arguments]
    module = import_reference(Path(checkout), script)
    if not torch.cuda.is_available():
        for kind in (torch.Tensor, torch.nn.Module):
            kind.cuda = _stay  # type: ignore[method-assign,assignment]
    if splits != "-":
        module.splits_dir = splits
    if script == "evaluate_depth":
        module.evaluate(module.MonodepthOptions().parse())
    else:
        module.test_simple(module.parse_args())


def _stay(self: Any, *_: object, **__: object) -> Any:
    return self


if __name__ == "__main__":
    main()
