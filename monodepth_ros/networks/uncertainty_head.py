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
_AROUND = 5  # cells of stride 8 over which errors are alike, twice
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
        positive, finest first, but of half the size every second row and column alone
        (`sampled`): they are compared at a quarter. Neither learns from it.
        """
        cues = cues_of([inverse_depth.detach() for inverse_depth in inverse_depths])
        usual, *grown = self.weights.float().exp()[:, :, None, None].unbind(1)
        stddev = F.conv2d(cues, torch.stack(grown, 1), usual.flatten())
        told = self.features(features.detach().to(self.weights.dtype)).float()
        told = _FACTOR * torch.tanh(F.interpolate(told, scale_factor=2.0, mode="bilinear"))
        return 2 * (stddev.log() + told)


def together(log_variances: Tensor) -> Tensor:
    """The log variance ``(B, 1, h, w)`` of a mixture of members ``(B, M, h, w)`` of equal means."""
    return log_variances.exp().mean(1, keepdim=True).log()


def cues_of(inverse_depths: Sequence[Tensor]) -> Tensor:
    """What errors grow with, ``(B, 2, H / 8, W / 8)`` in float32, whatever the unit of depth.

    The distance of log depth from its median over the image, and the standard deviation of log
    depth over the scales. Both are means around the pixel, as errors are of whole surfaces.
    """
    full, half, quarter, eighth = (inverse_depth.float() for inverse_depth in inverse_depths)
    eighth = F.interpolate(eighth, scale_factor=2.0, mode="bilinear")
    logs = torch.cat([F.avg_pool2d(full, 4), half, quarter, eighth], 1).log()
    finest = F.avg_pool2d(logs[:, :1], 2)
    distance = (finest - _median(finest)).abs()
    spread = F.avg_pool2d(logs.var(1, correction=0, keepdim=True).sqrt(), 2)
    cues = torch.cat([distance, spread], 1)
    for _ in range(2):
        cues = F.avg_pool2d(cues, _AROUND, 1, _AROUND // 2, count_include_pad=False)
    return cues


def sampled(half: Tensor) -> Tensor:
    """Of the map of half the size what is compared."""
    return half[..., ::2, ::2]


def _median(x: Tensor) -> Tensor:
    """Of each image, ``(B, 1, 1, 1)``; by topk, which other runtimes have as well."""
    values = x.flatten(1)
    upper = values.topk(values.shape[1] // 2 + 1, sorted=False).values
    return upper.amin(1)[:, None, None, None]
