"""The torch engine: a model folder's networks on the CPU or a CUDA device."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal, TypeVar

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from monodepth_ros.errors import UserError
from monodepth_ros.networks.depth_network import DepthNetwork
from monodepth_ros.networks.registry import build_depth_network, build_pose_network
from monodepth_ros.zoo.card import ModelCard, load_card
from monodepth_ros.zoo.catalogue import resolve
from monodepth_ros.zoo.weights import load_weights

NetT = TypeVar("NetT", bound=nn.Module)

Precision = Literal["fp32", "fp16", "bf16"]
_AUTOCAST: dict[str, torch.dtype] = {"fp16": torch.float16, "bf16": torch.bfloat16}


def choose_device(name: str) -> torch.device:
    """``auto`` is CUDA where there is one, else the CPU; others are torch's names."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        raise UserError(f"device {name!r}: use auto, cpu, cuda or cuda:N") from None
    if device.type not in ("cpu", "cuda"):
        raise UserError(f"device {name!r}: use auto, cpu, cuda or cuda:N")
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise UserError(f"device {name!r}: torch {torch.__version__} sees no such CUDA device")
    return device


def fold_batch_norms(module: nn.Module) -> None:
    """Fold every batch norm of an evaluating network into the convolution before it, in place.

    A batch norm belongs to the convolution registered just before it, as in the ResNet encoders.
    """
    for parent in module.modules():
        previous = ""
        for name, child in list(parent.named_children()):
            if isinstance(child, nn.BatchNorm2d):
                convolution = parent.get_submodule(previous)
                assert isinstance(convolution, nn.Conv2d)
                setattr(parent, previous, fuse_conv_bn_eval(convolution, child))
                setattr(parent, name, nn.Identity())
            previous = name


class TorchEngine:
    """Runs a model's networks; images in, float32 tensors out, all on :attr:`device`."""

    def __init__(
        self,
        card: ModelCard,
        depth_net: DepthNetwork,
        pose_net: nn.Module | None,
        device: torch.device,
        precision: Precision,
    ) -> None:
        self.card = card
        self.device = device
        self.precision = precision
        self._depth_net = self._prepare(depth_net)
        self._pose_net = None if pose_net is None else self._prepare(pose_net)

    @classmethod
    def load(cls, folder: Path, device: str = "auto", precision: Precision = "fp32") -> TorchEngine:
        """Load the model in ``folder``. Raises :class:`UserError` when it cannot run as asked."""
        target = choose_device(device)
        if precision not in ("fp32", *_AUTOCAST):
            raise UserError(f"precision {precision!r}: use fp32, fp16 or bf16")
        if precision == "fp16" and target.type == "cpu":
            raise UserError("precision 'fp16' is slower than fp32 on a CPU: use fp32 or bf16")
        card = load_card(folder)
        states = load_weights(folder, card)
        depth_net = build_depth_network(card.architecture, card.min_depth, card.max_depth)
        depth_net.load_state_dict(states["depth"])
        pose_net = None
        if "pose" in states:
            pose_net = build_pose_network(card.architecture)
            pose_net.load_state_dict(states["pose"])
        return cls(card, depth_net, pose_net, target, precision)

    @classmethod
    def of(
        cls,
        model: str | os.PathLike[str] | TorchEngine,
        device: str = "auto",
        precision: Precision = "fp32",
    ) -> TorchEngine:
        """The engine of a model by name or folder; one that is loaded already stays as it is."""
        if isinstance(model, TorchEngine):
            return model
        return cls.load(resolve(model), device, precision)

    @property
    def has_pose(self) -> bool:
        """Whether the model has a pose network."""
        return self._pose_net is not None

    def __call__(self, images: Tensor) -> Tensor:
        """Inverse depth ``(B, 1, H, W)`` of ``images`` ``(B, 3, H, W)`` in [0, 1]."""
        with torch.inference_mode(), self._autocast():
            return self._depth_net.finest(self._place(images)).float()

    def motion(self, first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
        """Axis-angle and translation ``(B, 3)`` of ``T_second_first``; ``first`` is the earlier."""
        if self._pose_net is None:
            raise UserError(f"model {self.card.name} has no pose network: choose one with odometry")
        with torch.inference_mode(), self._autocast():
            axis_angle, translation = self._pose_net(self._place(first), self._place(second))
        return axis_angle.float(), translation.float()

    def _prepare(self, net: NetT) -> NetT:
        net.eval().requires_grad_(False)
        fold_batch_norms(net)
        net.to(self.device)
        return net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def _place(self, images: Tensor) -> Tensor:
        return images.to(self.device).contiguous(memory_format=torch.channels_last)

    def _autocast(self) -> torch.autocast:
        dtype = _AUTOCAST.get(self.precision)
        return torch.autocast(self.device.type, dtype, enabled=dtype is not None)
