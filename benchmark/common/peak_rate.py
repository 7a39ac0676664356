"""How fast a processor multiplies and adds, and reads and writes memory: measured by torch."""

from __future__ import annotations

import time
from collections.abc import Callable

import torch
from torch import Tensor

_SIDE = 1024  # of the matrices; larger ones are no faster on one core
_SIDE_CUDA = 8192
_BYTES = 1 << 28  # that are copied: more than any cache holds
_DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


class PeakRate:
    """The best of a matrix product and a convolution, both by torch, in operations per second.

    A multiplication and an addition are two operations. ``int8`` products are summed in int32.
    ``memory`` instead of a precision gives the bytes per second of a copy, read and written.
    """

    def __init__(self, precision: str, device: str = "cpu") -> None:
        self._device = torch.device(device)
        side = _SIDE_CUDA if self._device.type == "cuda" else _SIDE
        if precision == "memory":
            source = torch.zeros(_BYTES, dtype=torch.uint8, device=device)
            target = torch.zeros_like(source)
            self._kernels = [(2.0 * _BYTES, lambda: target.copy_(source))]
            return
        if precision == "int8":
            one, other = (
                torch.randint(-9, 9, (side, side), dtype=torch.int8, device=device)
                for _ in range(2)
            )
            self._kernels = [(2.0 * side**3, lambda: torch._int_mm(one, other))]
            return
        dtype = _DTYPES[precision]
        a, b = (torch.rand(side, side, device=device, dtype=dtype) for _ in range(2))
        image, weight = self._convolution(dtype)
        convolve = torch.nn.functional.conv2d
        operations = 2.0 * 9 * image.shape[1] * weight.shape[0] * image[0, 0].numel()
        self._kernels = [
            (2.0 * side**3, lambda: torch.mm(a, b)),
            (operations * len(image), lambda: convolve(image, weight, padding=1)),
        ]

    def measure(self, seconds: float) -> float:
        """Operations per second of the faster kernel's fastest run."""
        with torch.inference_mode():
            return max(
                count / self._fastest(kernel, seconds / len(self._kernels))
                for count, kernel in self._kernels
            )

    def _fastest(self, kernel: Callable[[], Tensor], seconds: float) -> float:
        kernel()
        best, end = float("inf"), time.perf_counter() + seconds
        while time.perf_counter() < end:
            self._wait()
            start = time.perf_counter()
            kernel()
            self._wait()
            best = min(best, time.perf_counter() - start)
        return best

    def _convolution(self, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
        """3x3, of 256 channels, as networks have them in the middle."""
        batch = 16 if self._device.type == "cuda" else 1
        image = torch.rand(batch, 256, 48, 160, device=self._device, dtype=dtype)
        weight = torch.rand(256, 256, 3, 3, device=self._device, dtype=dtype)
        layout = torch.channels_last
        return image.to(memory_format=layout), weight.to(memory_format=layout)

    def _wait(self) -> None:
        if self._device.type == "cuda":
            torch.cuda.synchronize(self._device)
