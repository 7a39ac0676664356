"""The weighted median, which half of the values may miss."""

from __future__ import annotations

from torch import Tensor


def weighted_median(values: Tensor, weights: Tensor) -> Tensor:
    """Over the last dimension: the least of ``values`` that half of the ``weights`` reach.

    Both are ``(..., N)``, values finite, weights not negative. Its gradient goes to that value, so
    that what is measured from it does not change where a number is added to all. Any of the values
    where nothing has a weight.
    """
    order = values.detach().argsort(-1)
    reached = weights.gather(-1, order).cumsum(-1)
    half = 0.5 * reached[..., -1:]
    place = (reached < half).sum(-1, keepdim=True)
    return values.gather(-1, order.gather(-1, place)).squeeze(-1)
