"""How many pixels of depth are left out for one reason."""

from __future__ import annotations


class LeftOutPixels:
    """Counts them since the start of the node; written by the worker, read for diagnostics.

    ``which`` tells in diagnostics which pixels they are.
    """

    def __init__(self, which: str) -> None:
        self._which = which
        self._count = 0
        self._share = 0.0  # of the last image

    def add(self, left_out: int, of: int) -> None:
        """How many of an image's pixels were left out, of how many that could be."""
        self._count += left_out
        self._share = left_out / max(of, 1)

    def facts(self) -> dict[str, str]:
        """The count, and the share of the last image."""
        return {
            f"pixels {self._which}": str(self._count),
            f"pixels {self._which}, last image (%)": f"{100 * self._share:.1f}",
        }
