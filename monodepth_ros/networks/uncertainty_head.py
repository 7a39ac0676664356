"""How wrong depth may be: a small head beside those for depth, on what they know already.

A U-Net tells depth at several scales, by a head for each. Where they do not agree the network does
not know (epistemic): they are an ensemble that costs no further pass, of the kind of
Lakshminarayanan et al., "Simple and scalable predictive uncertainty estimation using deep
ensembles", NeurIPS 2017. Where depth is far from the image's usual one, errors are larger, too.
How large both make it is learnt, and a few members of the head add what the deepest features tell
(aleatoric), but not by more than a factor: of synthetic places these tell much, of others little.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

LEVEL = 4  # of the decoded features that it takes: stride 16
_WIDTH = 16  # channels of a member
_STRIDE = 4  # at which the depths of all scales are compared
_AROUND = 5  # cells of twice that stride over which errors are alike, twice
_FACTOR = 0.5  # by whose exponential features change the standard deviation at most
# Standard deviation of log depth to begin with: at least, for each of its deviation from the
# image's median, and for each of the spread of scales.
_USUAL = (0.03, 0.1, 4.0)


class UncertaintyHead(nn.Module):
    """``members`` heads, on decoded features of ``channels`` and on depths of all scales."""

    def __init__(self, channels: int, members: int) -> None:
        super().__init__()
        width = members * _WIDTH
        self.features = nn.Sequential(
            nn.Conv2d(channels, width, 1),
            nn.ELU(),
            nn.Dropout2d(0.2),
            nn.Conv2d(width, width, 3, padding=1, groups=members),
            nn.ELU(),
            nn.Conv2d(width, members, 1, groups=members),
        )
        # Logarithms, which keeps them positive: more spread never means less variance.
        self.weights = nn.Parameter(torch.tensor(_USUAL).log().repeat(members, 1))

    def forward(self, features: Tensor, inverse_depths: Sequence[Tensor]) -> Tensor:
        """Each member's log variance of log depth, ``(B, M, H / 8, W / 8)`` in float32.

        ``features`` ``(B, C, H / 16, W / 16)``; ``inverse_depths`` ``(B, 1, H / 2^s, W / 2^s)``,
        positive, finest first. Neither learns from it.
        """
        cues = cues_of([inverse_depth.detach() for inverse_depth in inverse_depths])
        weights = self.weights.float().exp()[:, :, None, None]
        stddev = (cues[:, None] * weights).sum(2)
        told = self.features(features.detach().to(self.weights.dtype)).float()
        told = _FACTOR * torch.tanh(F.interpolate(told, scale_factor=2.0, mode="bilinear"))
        return 2 * (stddev.log() + told)


def together(log_variances: Tensor, size: tuple[int, int]) -> Tensor:
    """The log variance ``(B, 1, H, W)`` of a mixture of members ``(B, M, h, w)`` of equal means."""
    mixed = log_variances.exp().mean(1, keepdim=True).log()
    return F.interpolate(mixed, size, mode="bilinear")


def cues_of(inverse_depths: Sequence[Tensor]) -> Tensor:
    """What errors grow with, ``(B, 3, H / 8, W / 8)`` in float32, whatever the unit of depth.

    1; the distance of log depth from its median over the image; the standard deviation of log depth
    over the scales. The latter two are means around the pixel, as errors are of whole surfaces.
    """
    logs = torch.cat([_at_stride(x, 2.0**scale).log() for scale, x in enumerate(inverse_depths)], 1)
    finest = F.avg_pool2d(logs[:, :1], 2)
    distance = (finest - _median(finest)).abs()
    spread = F.avg_pool2d(logs.var(1, correction=0, keepdim=True).sqrt(), 2)
    cues = torch.cat([distance, spread], 1)
    for _ in range(2):
        cues = F.avg_pool2d(cues, _AROUND, 1, _AROUND // 2, count_include_pad=False)
    return torch.cat([torch.ones_like(distance), cues], 1)


def _at_stride(inverse_depth: Tensor, stride: float) -> Tensor:
    """A map of ``stride``, in float32, at `_STRIDE`."""
    inverse_depth = inverse_depth.float()
    if stride < _STRIDE:
        return F.avg_pool2d(inverse_depth, round(_STRIDE / stride))
    return F.interpolate(inverse_depth, scale_factor=stride / _STRIDE, mode="bilinear")


def _median(x: Tensor) -> Tensor:
    """Of each image, ``(B, 1, 1, 1)``; by topk, which other runtimes have as well."""
    values = x.flatten(1)
    upper = values.topk(values.shape[1] // 2 + 1, sorted=False).values
    return upper.amin(1)[:, None, None, None]
