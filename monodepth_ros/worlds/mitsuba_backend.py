"""The Mitsuba renderer, imported on first use: it is the extra `[synthetic]`."""

from __future__ import annotations

import os
from functools import lru_cache
from types import ModuleType

from monodepth_ros.errors import UserError

# LLVM 16 and older abort the process on the minimum and maximum instructions that Dr.Jit emits.
OLDEST_LLVM = 17
VARIANT = "MONODEPTH_MITSUBA_VARIANT"


def check_backend() -> None:
    """UserError where frames would be other ones than those of machines with LLVM.

    The light of worlds is baked, which works on arrays of rays. The scalar variant traces a few
    paths for each pixel instead: noisier frames, and of another brightness. Only who asks for that
    variant by name gets it.
    """
    if os.environ.get(VARIANT) is None and not _llvm_is_usable():
        raise UserError(
            f"synthetic worlds need LLVM {OLDEST_LLVM} or newer, {_found_llvm()}:"
            " `sudo apt install libllvm19` (or another version), or `conda install -c conda-forge"
            " libllvm19`, or DRJIT_LIBLLVM_PATH=/path/to/libLLVM.so;"
            f" {VARIANT}=scalar_rgb renders without, but other and noisier frames"
        )


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
    variant = os.environ.get(VARIANT)
    if variant is None:
        variant = "llvm_ad_rgb" if _llvm_is_usable() else "scalar_rgb"
    if variant not in mitsuba.variants():
        raise UserError(f"{VARIANT}={variant}: not one of {', '.join(mitsuba.variants())}")
    mitsuba.set_variant(variant)
    mitsuba.set_log_level(mitsuba.LogLevel.Error)
    return mitsuba


def is_vectorised() -> bool:
    """Whether the variant in use works on arrays of rays."""
    return not load_mitsuba().variant().startswith("scalar")


def _llvm_is_usable() -> bool:
    version = llvm_version()
    return version is not None and version >= OLDEST_LLVM


def llvm_version() -> int | None:
    """The major version of the LLVM that Dr.Jit finds, None where it finds none."""
    try:
        import drjit

        if not drjit.has_backend(drjit.JitBackend.LLVM):
            return None
        return int(drjit.detail.llvm_version()[0])
    except (ImportError, AttributeError, RuntimeError):
        return None


def _found_llvm() -> str:
    version = llvm_version()
    return "and none is found here" if version is None else f"and this is LLVM {version}"
