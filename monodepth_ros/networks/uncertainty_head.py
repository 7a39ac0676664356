"""How wrong depth may be: a small head beside a depth network's, on what that knows already.

A few members, each a head of its own, say by how much log depth is wrong and how far that may
scatter. Where the members agree, what is left is noise that no member can tell (aleatoric); where
they do not, they have not seen the like (epistemic). One pass of the network serves all of them:
Lakshminarayanan et al., "Simple and scalable predictive uncertainty estimation using deep
ensembles", NeurIPS 2017, with the last layers alone as members.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from monodepth_ros.networks.depth_network import Members

LEVEL = 2  # of the decoded features that it takes
_STRIDE = 2**LEVEL  # of them, and of what it computes
_WIDTH = 24  # channels of each member
_CUES = 6
_LIMIT = 6.0  # of log variance: a standard deviation of e^-3 to e^3 times the usual one
_USUAL = -4.0  # log variance to begin with: 14 % of depth


class UncertaintyHead(nn.Module):
    """``members`` heads on decoded features of `LEVEL`, and on the depth itself."""

    def __init__(self, channels: int, members: int) -> None:
        super().__init__()
        self.members = members
        self.shared = nn.Conv2d(channels + _CUES, members * _WIDTH, 3, padding=1)
        self.own = nn.Conv2d(members * _WIDTH, members * _WIDTH, 3, padding=1, groups=members)
        self.last = nn.Conv2d(members * _WIDTH, 2 * members, 1, groups=members)
        with torch.no_grad():  # near the usual variance, each member a little elsewhere
            self.last.weight.mul_(0.1)

    def forward(self, features: Tensor, inverse_depth: Tensor) -> Members:
        """What each member says, at the size of the features.

        ``features`` ``(B, C, H / 4, W / 4)``; ``inverse_depth`` ``(B, 1, H, W)``, positive. Neither
        learns from it.
        """
        features = features.to(self.shared.weight.dtype)
        seen = torch.cat([features, cues(inverse_depth).to(features.dtype)], 1).detach()
        x = F.elu(self.own(F.elu(self.shared(seen))))
        mean, log_variance = self.last(x).unflatten(1, (self.members, 2)).float().unbind(2)
        return Members(mean, _USUAL + _LIMIT * torch.tanh(log_variance / _LIMIT))


def cues(inverse_depth: Tensor) -> Tensor:
    """What errors go with, ``(B, 6, H / 4, W / 4)``, whatever the unit of depth."""
    log = inverse_depth.log()
    log = log - log.mean((2, 3), keepdim=True)
    pooled = [F.avg_pool2d(x, _STRIDE) for x in (log, _steepness(log))]
    spread = log.square().mean((2, 3), keepdim=True).sqrt().expand_as(pooled[0])
    y = torch.linspace(-1, 1, pooled[0].shape[2], device=log.device)[:, None]
    x = torch.linspace(-1, 1, pooled[0].shape[3], device=log.device)[None, :]
    rows, columns = ((place + 0 * pooled[0]) for place in (y, x.abs()))
    return torch.cat([*pooled, pooled[0].square(), spread, rows, columns], 1)


def _steepness(x: Tensor) -> Tensor:
    """Absolute differences to the right and downwards, ``(B, 1, H, W)``."""
    right = F.pad((x[..., 1:] - x[..., :-1]).abs(), (0, 1, 0, 0))
    down = F.pad((x[..., 1:, :] - x[..., :-1, :]).abs(), (0, 0, 0, 1))
    return right + down
