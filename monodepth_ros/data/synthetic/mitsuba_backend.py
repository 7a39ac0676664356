"""The Mitsuba renderer, imported on first use: it is the extra `[synthetic]`."""

from __future__ import annotations

import os
from functools import lru_cache
from types import ModuleType

from monodepth_ros.errors import UserError

# LLVM 16 and older abort the process on the minimum and maximum instructions that Dr.Jit emits.
OLDEST_LLVM = 17


@lru_cache(maxsize=1)
def load_mitsuba() -> ModuleType:
    """Mitsuba with a variant set: vectorised where a usable LLVM is found, scalar otherwise.

    `MONODEPTH_MITSUBA_VARIANT` overrides the choice. Raises UserError when Mitsuba is absent.
    """
    try:
        import mitsuba
    except ImportError as error:
        raise UserError(
            "synthetic worlds need Mitsuba 3: pip install 'monodepth_ros[synthetic]'"
        ) from error
    variant = os.environ.get("MONODEPTH_MITSUBA_VARIANT")
    if variant is None:
        variant = "llvm_ad_rgb" if _llvm_is_usable() else "scalar_rgb"
    if variant not in mitsuba.variants():
        raise UserError(
            f"MONODEPTH_MITSUBA_VARIANT={variant}: not one of {', '.join(mitsuba.variants())}"
        )
    mitsuba.set_variant(variant)
    mitsuba.set_log_level(mitsuba.LogLevel.Error)
    return mitsuba


def is_vectorised() -> bool:
    """Whether the variant in use works on arrays of rays."""
    return not load_mitsuba().variant().startswith("scalar")


def _llvm_is_usable() -> bool:
    import drjit

    try:
        if not drjit.has_backend(drjit.JitBackend.LLVM):
            return False
        return drjit.detail.llvm_version()[0] >= OLDEST_LLVM
    except (AttributeError, RuntimeError):
        return False
