"""Batch norms folded into the convolutions before them, which spares inference their work.

What follows what is not read from names: the network runs once, and its operations are watched.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_weights
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


def fold_batch_norms(network: nn.Module, *example: Tensor) -> int:
    """Fold what can be folded of an evaluating network, in place; return how many batch norms.

    ``example`` is an input. A batch norm is folded if it normalises by known statistics exactly
    what one convolution with weights of its own gives, and if nothing else takes that. So one
    behind an activation, behind a convolution that is used twice, before a convolution, or of a
    class that does more than normalise stays as it is.
    """
    with torch.no_grad(), _Watch() as watch:
        watch.uses.update(_keys(network(*example)))
    modules = list(network.modules())
    convolutions = {_key(m.weight): m for m in modules if isinstance(m, nn.Conv2d)}
    norms = {
        _key(m.running_mean): m
        for m in modules
        if type(m) is nn.BatchNorm2d and m.running_mean is not None and not m.training
    }
    folded: dict[nn.Module, nn.Module] = {}
    for mean, normalised in watch.normalised.items():
        convolution = convolutions.get(watch.weight_of.get(normalised, 0))
        norm = norms.get(mean)
        if convolution is None or norm is None:
            continue
        once = (normalised, mean, _key(convolution.weight))
        if all(watch.uses[key] == 1 for key in once):
            _fold(convolution, norm)
            folded[norm] = nn.Identity()
    for parent in modules:
        for name, child in parent._modules.items():
            if child in folded:
                parent._modules[name] = folded[child]
    return len(folded)


class _Watch(TorchDispatchMode):
    """Notes which operation took which tensors.

    Attributes:
        uses: how many operations took a tensor; being an output of the network is one more.
        weight_of: of a convolution's output, the weight.
        normalised: of a batch norm's running mean, what was normalised by it.
    """

    def __init__(self) -> None:
        super().__init__()
        self.uses: Counter[int] = Counter()
        self.weight_of: dict[int, int] = {}
        self.normalised: dict[int, int] = {}
        self._alive: list[Any] = []  # so that no tensor gets the place of a former one

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        output = func(*args, **(kwargs or {}))
        self._alive.append((args, output))
        self.uses.update(_keys(args))
        name = func.overloadpacket.__name__
        if name == "convolution" and not args[6]:  # not transposed
            self.weight_of[_key(output)] = _key(args[1])
        elif "batch_norm" in name and len(args) > 3 and isinstance(args[3], Tensor):
            self.normalised[_key(args[3])] = _key(args[0])
        return output


def _keys(tree: Any) -> set[int]:
    """Of the tensors in nested lists, tuples and dictionaries."""
    return {_key(leaf) for leaf in tree_leaves(tree) if isinstance(leaf, Tensor)}


def _key(tensor: Tensor) -> int:
    """Of its memory: views of one tensor count as that tensor."""
    return tensor.untyped_storage().data_ptr()


def _fold(convolution: nn.Conv2d, norm: nn.BatchNorm2d) -> None:
    assert norm.running_mean is not None and norm.running_var is not None
    weight, bias = fuse_conv_bn_weights(
        convolution.weight,
        convolution.bias,
        norm.running_mean,
        norm.running_var,
        norm.eps,
        norm.weight,
        norm.bias,
    )
    convolution.weight, convolution.bias = weight, bias
